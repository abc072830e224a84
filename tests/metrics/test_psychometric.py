"""Psychometric curves: known ones are found again, and nothing is claimed beyond what was measured."""

import numpy as np
import pytest

from anomalist.errors import InputError
from anomalist.metrics.psychometric import Curve, fit_curve, thresholds

SEVERITY = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])


@pytest.mark.parametrize("truth", [Curve(0.1, 2.0, 1.0, 0), Curve(0.2, 1.2, 0.9, 0), Curve(0.05, 4.0, 0.98, 0)])
def test_a_known_curve_is_found_again(truth):
    found = fit_curve(SEVERITY, truth.at(SEVERITY))
    assert found.rmse < 1e-4
    np.testing.assert_allclose(found.at(SEVERITY), truth.at(SEVERITY), atol=1e-3)
    assert found.reaches(0.75) == pytest.approx(truth.reaches(0.75), rel=0.01)


def test_reaching_is_the_inverse_of_the_curve():
    curve = Curve(0.1, 2.0, 0.97, 0)
    for level in (0.55, 0.75, 0.95):
        assert curve.at(curve.reaches(level)) == pytest.approx(level)
    assert curve.reaches(0.98) is None


@pytest.mark.parametrize(
    "course", [[0.6, 0.7, 0.8, 0.9, 0.95, 0.96, 0.8], [0.6, 0.6, 0.6, 0.6, 0.6, 0.5, 0.3], [0.5] * 7]
)
def test_the_fit_never_falls_whatever_the_data(course):
    curve = fit_curve(SEVERITY, course)
    assert (np.diff(curve.at(np.linspace(1e-4, 1, 200))) >= -1e-12).all()


def test_a_falling_course_shows_in_the_residual():
    rising = fit_curve(SEVERITY, Curve(0.1, 2.0, 0.95, 0).at(SEVERITY)).rmse
    falling = fit_curve(SEVERITY, [0.6, 0.6, 0.6, 0.6, 0.6, 0.5, 0.3]).rmse
    assert rising < 0.001
    assert falling > 0.08


def test_nothing_is_said_beyond_the_measured_severities():
    rng = np.random.default_rng(0)
    never = thresholds(SEVERITY, 0.6 + rng.normal(0, 0.01, (10, 7)))
    assert [(one.value, one.low, one.high, one.below) for one in never] == [(None, None, None, False)] * 2
    always = thresholds(SEVERITY, np.full((10, 7), 0.999))
    assert [(one.value, one.below) for one in always] == [(0.02, True)] * 2


@pytest.mark.slow
def test_the_interval_covers_the_true_threshold():
    truth = Curve(0.12, 1.8, 0.99, 0)
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(60):
        of_seed = rng.normal(0, 0.02, (10, 1))  # a detector is better or worse at every severity
        seeds = np.clip(truth.at(SEVERITY) + of_seed + rng.normal(0, 0.005, (10, 7)), 0, 1)
        found = thresholds(SEVERITY, seeds, (0.75,), seed=trial, resamples=100)[0]
        hits += found.low <= truth.reaches(0.75) <= found.high
    assert hits >= 51  # 85 %: percentiles of ten seeds are a little narrow


def test_the_same_seed_gives_the_same_interval():
    seeds = np.clip(Curve(0.1, 2, 1, 0).at(SEVERITY) + np.random.default_rng(1).normal(0, 0.02, (10, 7)), 0, 1)
    assert thresholds(SEVERITY, seeds, seed=3, resamples=20) == thresholds(SEVERITY, seeds, seed=3, resamples=20)


@pytest.mark.parametrize(
    ("s", "y"),
    [([0.1, 0.2], [0.5, 0.6]), ([0, 0.1, 0.2], [0.5] * 3), ([0.1, 0.2, 0.3], [0.5, np.nan, 0.5]), ([1, 2, 3], [1, 1])],
)
def test_what_cannot_be_fitted_is_refused(s, y):
    with pytest.raises(InputError, match="psychometric curve"):
        fit_curve(s, y)

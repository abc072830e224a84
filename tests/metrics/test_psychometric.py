"""Psychometric curves: known ones are found again, and nothing is claimed beyond what was
measured."""

import json
import time

import numpy as np
import pytest
from scipy.optimize import minimize

from anomalist.core.errors import InputError
from anomalist.metrics.psychometric import Curve, energy_at, fit_curve, fit_psychometric
from anomalist.metrics.thresholds import bootstrap_psychometric, detection_threshold

SEVERITY = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])


@pytest.mark.parametrize(
    "truth", [Curve(0.1, 2.0, 1.0, 0), Curve(0.2, 1.2, 0.9, 0), Curve(0.05, 4.0, 0.98, 0)]
)
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
    "course",
    [[0.6, 0.7, 0.8, 0.9, 0.95, 0.96, 0.8], [0.6, 0.6, 0.6, 0.6, 0.6, 0.5, 0.3], [0.5] * 7],
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
    never = bootstrap_psychometric(
        SEVERITY, 0.6 + rng.normal(0, 0.01, (10, 7)), resamples=50
    ).thresholds
    assert [(one.value, one.low, one.high, one.below) for one in never] == [
        (None, None, None, False)
    ] * 2
    always = bootstrap_psychometric(SEVERITY, np.full((10, 7), 0.999), resamples=50).thresholds
    assert [(one.value, one.below) for one in always] == [(0.02, True)] * 2


@pytest.mark.parametrize(
    ("s", "y"),
    [
        ([0.1, 0.2], [0.5, 0.6]),
        ([0, 0.1, 0.2], [0.5] * 3),
        ([0.1, 0.2, 0.3], [0.5, np.nan, 0.5]),
        ([1, 2, 3], [1, 1]),
    ],
)
def test_what_cannot_be_fitted_is_refused(s, y):
    with pytest.raises(InputError, match="psychometric curve"):
        fit_curve(s, y)


COURSES = {
    "rising": Curve(0.1, 2.0, 0.95, 0).at(SEVERITY),
    "saturated": [0.9, 0.99, 1, 1, 1, 1, 1],
    "flat": [0.5] * 7,
    "blind, then seeing": [0.45, 0.42, 0.4, 0.5, 0.8, 0.95, 1],
    "inverted": [0.45, 0.42, 0.4, 0.38, 0.36, 0.35, 0.36],
    "falling again": [0.65, 0.73, 0.83, 0.9, 0.95, 0.967, 0.842],
    "tied": [0.6, 0.6, 0.7, 0.7, 0.7, 0.9, 0.9],
}


def seeds_of(course, n=10, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(
        course + rng.normal(0, 0.01, (n, 1)) + rng.normal(0, 0.005, (n, len(course))), 0, 1
    )


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_the_isotonic_values_are_the_nearest_that_never_fall_below_chance(course):
    fit = fit_psychometric(SEVERITY, seeds_of(course))
    steps = {"type": "ineq", "fun": np.diff}
    best = minimize(
        lambda v: np.sum((v - fit.auroc) ** 2),
        np.full(7, 0.7),
        bounds=[(0.5, 1)] * 7,
        constraints=steps,
        tol=1e-12,
    )
    np.testing.assert_allclose(fit.isotonic, best.x, atol=1e-4)
    assert fit.isotonic_rmse == pytest.approx(np.sqrt(best.fun / 7), abs=1e-6)
    assert fit.isotonic_rmse <= fit.curve.rmse + 1e-12


@pytest.mark.slow
def test_random_courses_are_fitted_by_curves_that_never_fall():
    rng = np.random.default_rng(0)
    for _ in range(50):
        k = int(rng.integers(3, 9))
        severity = np.cumsum(rng.uniform(0.01, 1, k))
        fit = fit_psychometric(severity, rng.random((3, k)))
        drawn = fit.curve.at(np.linspace(0, 2 * severity[-1], 300))
        assert drawn[0] == 0.5
        assert (np.diff(drawn) >= -1e-12).all()
        assert drawn[-1] <= 1
        places = [
            detection_threshold(fit, level).value or np.inf
            for level in (0.55, 0.65, 0.75, 0.85, 0.95)
        ]
        assert places == sorted(places)  # a higher level is never reached earlier
        assert all(severity[0] <= place <= severity[-1] for place in places if place < np.inf)


def test_the_order_of_the_severities_does_not_matter():
    auroc, order = seeds_of(COURSES["rising"]), np.array([3, 0, 6, 1, 5, 2, 4])
    first = bootstrap_psychometric(SEVERITY, auroc, resamples=20)
    assert bootstrap_psychometric(SEVERITY[order], auroc[:, order], resamples=20) == first


def test_a_threshold_within_needs_no_words_and_others_get_them():
    fit = fit_psychometric(SEVERITY, seeds_of(COURSES["rising"]))
    found = detection_threshold(fit, 0.75)
    assert fit.curve.at(found.value) == pytest.approx(0.75)
    assert (found.low, found.high, found.below, found.reason, found.reached) == (
        None,
        None,
        False,
        None,
        None,
    )
    never = detection_threshold(fit_psychometric(SEVERITY, seeds_of(COURSES["flat"])), 0.75)
    assert never.value is None
    assert never.reason.startswith("not reached: 0.50")
    assert never.reason.endswith("at the greatest severity, 0.5")
    always = detection_threshold(fit_psychometric(SEVERITY, seeds_of(COURSES["saturated"])), 0.75)
    assert (always.value, always.below) == (0.02, True)
    assert always.reason == "reached at the smallest severity, 0.02, or below"


def test_the_smooth_curve_does_not_hide_that_the_points_reach_a_level_and_fall():
    found = detection_threshold(fit_psychometric(SEVERITY, [COURSES["falling again"]]), 0.95)
    assert found.value is None
    assert "the mean itself is 0.967 at 0.3: go by the points" in found.reason
    assert "misses the means by 0.0" in found.reason
    within = detection_threshold(fit_psychometric(SEVERITY, [COURSES["blind, then seeing"]]), 0.75)
    assert 0.15 < within.value < 0.2
    assert "misses the means by 0.0" in within.reason


@pytest.mark.parametrize("level", [0.5, 1.0, 0.3, np.nan])
def test_a_level_that_means_nothing_is_refused(level):
    fit = fit_psychometric(SEVERITY, seeds_of(COURSES["rising"]))
    with pytest.raises(InputError, match="level"):
        detection_threshold(fit, level)
    with pytest.raises(InputError, match="level"):
        bootstrap_psychometric(SEVERITY, fit.auroc * np.ones((2, 7)), (level,), resamples=2)


def test_the_bootstrap_holds_its_own_fit_and_is_plain_data():
    auroc, levels = seeds_of(COURSES["rising"]), (0.75, 0.9)
    found = bootstrap_psychometric(SEVERITY, auroc, levels, resamples=100, seed=1)
    on_grid = found.fit.curve.at(found.grid)
    assert (np.array(found.low) <= on_grid).all()
    assert (on_grid <= np.array(found.high)).all()
    assert (np.diff(found.low) >= 0).all()
    for one in found.thresholds:
        assert one.low < one.value < one.high
        assert (one.reason, one.reached) == (None, 1.0)
    assert json.loads(json.dumps(found, allow_nan=False))[4][0][0] == 0.75
    assert bootstrap_psychometric(SEVERITY, auroc, levels, resamples=100, seed=1) == found
    assert bootstrap_psychometric(SEVERITY, auroc, levels, resamples=100, seed=2) != found


@pytest.mark.slow
def test_its_ends_are_the_percentiles_that_hesterberg_gives():
    """For ten seeds Student's 2.262 by sqrt(10 / 9): the normal's 0.85 % and 99.15 % points."""
    auroc = seeds_of(COURSES["rising"])
    found = bootstrap_psychometric(SEVERITY, auroc, (0.75,), resamples=400).thresholds[0]
    rng = np.random.default_rng(0)
    draws = sorted(
        fit_curve(SEVERITY, auroc[rng.integers(0, 10, 10)].mean(axis=0)).reaches(0.75)
        for _ in range(400)
    )
    assert (found.low, found.high) == pytest.approx((draws[3], draws[396]), rel=1e-5)


def test_resamples_that_do_not_reach_the_level_leave_the_interval_open():
    rng = np.random.default_rng(0)
    auroc = np.clip(Curve(0.15, 2, 0.96, 0).at(SEVERITY) + rng.normal(0, 0.03, (10, 1)), 0, 1)
    found = bootstrap_psychometric(SEVERITY, auroc, (0.95,), resamples=100).thresholds[0]
    assert found.value is not None
    assert found.low is not None
    assert found.high is None
    assert 0 < found.reached < 1
    assert (
        f"open above: {round(100 * (1 - found.reached))} of 100 resamples do not reach it"
        in found.reason
    )


def test_an_interval_that_may_begin_below_says_so():
    rng = np.random.default_rng(0)
    auroc = np.clip(Curve(0.017, 1, 1, 0).at(SEVERITY) - rng.uniform(0, 0.2, (10, 1)), 0, 1)
    found = bootstrap_psychometric(SEVERITY, auroc, (0.75,), resamples=100).thresholds[0]
    assert found.low == 0.02 < found.high
    assert "may begin below 0.02" in found.reason


def test_one_seed_has_a_curve_and_no_interval():
    found = bootstrap_psychometric(SEVERITY, seeds_of(COURSES["rising"], 1))
    assert (found.fit.n, found.low, found.high) == (1, None, None)
    assert found.thresholds[0].value == pytest.approx(0.087, abs=0.01)
    assert [(one.low, one.high, one.reached) for one in found.thresholds] == [
        (None, None, None)
    ] * 2
    assert all("one seed shows no spread" in one.reason for one in found.thresholds)


@pytest.mark.parametrize(
    ("s", "y"),
    [
        (SEVERITY, np.full(7, 0.5)),
        (SEVERITY, np.full((2, 6), 0.5)),
        (SEVERITY, np.empty((0, 7))),
        (SEVERITY, np.full((2, 7), np.nan)),
        (SEVERITY, [[-0.1] * 7, [0.9] * 7]),  # the mean alone would pass
        (SEVERITY - 0.02, np.full((2, 7), 0.5)),
        ([0.1, 0.2, np.inf], np.full((2, 3), 0.5)),
        ([0.1, 0.2, 0.2], np.full((2, 3), 0.5)),
        ([0.1, 0.2], np.full((2, 2), 0.5)),
    ],
)
def test_seeds_that_cannot_be_fitted_are_refused(s, y):
    for fit in (fit_psychometric, bootstrap_psychometric):
        with pytest.raises(InputError, match="psychometric curve"):
            fit(s, y)


def test_a_bootstrap_needs_resamples():
    with pytest.raises(InputError, match="resamples"):
        bootstrap_psychometric(SEVERITY, seeds_of(COURSES["flat"]), resamples=1)


@pytest.mark.slow
def test_the_wider_interval_covers_the_true_threshold_and_the_band_the_curve():
    truth, rng = Curve(0.12, 1.8, 0.99, 0), np.random.default_rng(0)
    hits, inside = 0, 0.0
    for trial in range(100):
        shift = rng.normal(0, 0.02, (10, 1))
        auroc = np.clip(truth.at(SEVERITY) + shift + rng.normal(0, 0.005, (10, 7)), 0, 1)
        found = bootstrap_psychometric(SEVERITY, auroc, (0.75,), seed=trial, resamples=120)
        hits += found.thresholds[0].low <= truth.reaches(0.75) <= found.thresholds[0].high
        middle = np.searchsorted(found.grid, 0.12)
        inside += found.low[middle] <= truth.at(found.grid[middle]) <= found.high[middle]
    assert 88 <= hits <= 99
    assert 88 <= inside <= 99


@pytest.mark.slow
def test_a_bootstrap_of_the_default_size_takes_seconds_at_most():
    start = time.process_time()
    bootstrap_psychometric(SEVERITY, seeds_of(COURSES["falling again"]))
    assert time.process_time() - start < 10  # 1.7 s on one core of a small machine


def test_energies_lie_on_a_rising_curve_through_what_was_measured():
    energies = SEVERITY**2
    np.testing.assert_allclose(energy_at(SEVERITY, SEVERITY, energies), energies, rtol=1e-12)
    between = np.linspace(0.05, 0.5, 200)
    found = energy_at(between, SEVERITY[::-1], energies[::-1])
    assert (np.diff(found) > 0).all()
    assert (
        np.abs(found - between**2).max()
        < np.abs(np.interp(between, SEVERITY, energies) - between**2).max() / 2
    )
    assert energy_at(0.2, SEVERITY, energies).shape == ()


def test_a_noisy_fall_of_energy_is_smoothed_not_followed():
    found = energy_at(np.linspace(0.1, 0.4, 100), [0.1, 0.2, 0.3, 0.4], [0.0, 0.2, 0.1, 0.3])
    assert (np.diff(found) >= 0).all()
    assert energy_at(0.25, [0.1, 0.2, 0.3, 0.4], [0.0, 0.2, 0.1, 0.3]) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("wanted", "s", "e"),
    [
        (0.01, [0.1, 0.2], [0.1, 0.2]),
        (0.3, [0.1, 0.2], [0.1, 0.2]),
        (np.nan, [0.1, 0.2], [0.1, 0.2]),
        (0.1, [0.1], [0.1]),
        (0.1, [0.1, 0.1], [0.1, 0.2]),
        (0.1, [0.1, 0.2], [0.1]),
        (0.1, [0.1, 0.2], [0.1, np.nan]),
    ],
)
def test_an_energy_that_is_not_known_is_refused(wanted, s, e):
    with pytest.raises(InputError, match="energies"):
        energy_at(wanted, s, e)

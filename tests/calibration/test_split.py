"""Thresholds and p-values: the promised false-alarm rate is kept, and never bettered by luck of
the definition."""

import re

import numpy as np
import pytest

from anomalist.baseline import Baseline
from anomalist.calibration import check_enough, p_values, rate_range, threshold
from anomalist.core.errors import InputError
from anomalist.trial import Trial


def test_threshold_is_the_conformal_order_statistic():
    normal = np.arange(1, 100, dtype=np.float32)  # n = 99: ceil(100 x 0.95) = 95
    assert threshold(normal, 0.05) == 95.0
    assert threshold(normal[::-1].reshape(9, 11), 0.05) == 95.0
    assert threshold(normal, 0.01) == 99.0


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_a_new_normal_image_exceeds_it_as_often_as_promised(rate):
    rng = np.random.default_rng(0)
    alarms = [
        np.mean(
            rng.standard_normal(200, np.float32)
            > threshold(rng.standard_normal(199, np.float32), rate)
        )
        for _ in range(2_000)
    ]
    standard_error = np.std(alarms) / np.sqrt(len(alarms))
    assert np.mean(alarms) == pytest.approx(
        rate, abs=4 * standard_error
    )  # exact: (n + 1) x rate is whole


@pytest.mark.parametrize("rate", [0.9, 1 - 1e-9, 1 - 1e-13])
def test_the_highest_rates_alarm_most(rate):
    assert threshold(np.arange(22, dtype=np.float32), rate) <= 2


@pytest.mark.parametrize("rate", [0, 1, -1, 1e-320, 1e-7])
def test_rates_outside_of_their_range(rate):
    with pytest.raises(InputError, match="between 1e-06 and 1"):
        check_enough(10**6, rate)


def test_too_few_images_for_the_rate_says_how_many_are_needed():
    with pytest.raises(InputError, match=r"0\.01 needs at least 99 held-out normal images, got 98"):
        threshold(np.zeros(98, np.float32), 0.01)
    assert threshold(np.zeros(99, np.float32), 0.01) == 0


@pytest.mark.parametrize("count", [1, 2, 40, 66, 98, 5_000])
def test_the_rate_that_is_named_for_too_few_images_is_one_that_they_are_enough_for(count):
    with pytest.raises(InputError) as refused:
        check_enough(count, 1e-4)
    named = float(re.search(r"rate of at least ([0-9.]+)", str(refused.value))[1])
    check_enough(count, named)
    with pytest.raises(InputError):
        check_enough(count, named - 2e-4)


@pytest.mark.parametrize(
    "config",
    [
        {"calibration": 40, "false_alarm_rate": 0.01},
        {"task": {"kind": "corrupted", "calibration": 40}},
    ],
)
def test_too_few_held_out_images_are_refused_before_anything_is_read_or_fitted(config):
    kind = Trial if "task" in config else Baseline
    with pytest.raises(InputError, match=r"99 held-out normal images, got 40; use more"):
        kind(**config)
    kind(**config | {"false_alarm_rate": 0.025})


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0])
def test_rate_outside_its_range_is_refused(rate):
    with pytest.raises(InputError, match="false-alarm rate"):
        threshold(np.zeros(10, np.float32), rate)


def test_p_values_count_normal_scores_as_high_ties_included():
    normal = np.array([3, 1, 2, 2], np.float32)
    np.testing.assert_allclose(
        p_values(normal, np.array([0, 2, 3, 4], np.float32)), [1, 0.8, 0.4, 0.2]
    )


def test_p_values_of_normal_images_are_valid():
    rng = np.random.default_rng(1)
    values = np.concatenate(
        [
            p_values(rng.standard_normal(99, np.float32), rng.standard_normal(20, np.float32))
            for _ in range(2_000)
        ]
    )
    for level in (0.01, 0.1, 0.5):
        assert np.mean(values <= level) == pytest.approx(level, rel=0.1)


@pytest.mark.parametrize(("count", "rate"), [(40, 0.1), (199, 0.05), (6_000, 0.01)])
def test_the_rate_of_one_calibration_set_lies_in_its_range(count, rate):
    """The scores are uniform, so a set's true false-alarm rate is 1 - threshold."""
    rng = np.random.default_rng(0)
    low, high = rate_range(count, rate)
    rates = np.array([1 - threshold(rng.random(count, np.float32), rate) for _ in range(2_000)])
    assert low < rate < high
    assert np.mean((rates >= low) & (rates <= high)) == pytest.approx(0.95, abs=0.02)
    assert np.mean(rates) <= rate + 4 * np.std(rates) / np.sqrt(len(rates))


def test_the_range_narrows_with_the_number_of_images():
    assert rate_range(40, 0.1) == pytest.approx((0.0280, 0.2039), abs=1e-4)
    with pytest.raises(InputError, match="held-out normal images"):
        rate_range(5, 0.1)

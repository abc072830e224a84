"""The drift test: seldom a false warning however long one looks, and shifts are noticed."""

import numpy as np
import pytest

from anomalist.calibration import DriftTest
from anomalist.core.errors import InputError

slow = pytest.mark.slow


def noticed(rng, shift, *, n=200, before=0, stream=400, rate=0.01, ties=False):
    normal = rng.standard_normal(n)
    new = rng.standard_normal(stream)
    new[before:] += shift
    if ties:
        normal = np.round(normal)
        new = np.round(new)
    test = DriftTest(normal.astype(np.float32), rate)
    test.update(new.astype(np.float32))
    return test.noticed_at


@slow
@pytest.mark.parametrize(("rate", "ties"), [(0.05, False), (0.05, True), (0.01, False)])
def test_false_warnings_in_1000_streams(rate, ties):
    rng = np.random.default_rng(0)
    warnings = [noticed(rng, 0, rate=rate, ties=ties) for _ in range(1_000)]
    share = np.mean([place is not None for place in warnings])
    assert share <= rate + 3 * np.sqrt(rate * (1 - rate) / 1_000)
    assert share > 0


@pytest.mark.parametrize(("shift", "images"), [(2.0, 40), (1.0, 100), (-1.0, 100)])
def test_a_shift_is_noticed_within_some_images(shift, images):
    rng = np.random.default_rng(1)
    places = [noticed(rng, shift) or np.inf for _ in range(100)]
    assert np.median(places) <= images


def test_a_shift_after_many_normal_images_is_noticed_too():
    rng = np.random.default_rng(2)
    places = [noticed(rng, 2.0, n=500, before=1_000, stream=1_200) or np.inf for _ in range(20)]
    assert 1_000 < np.median(places) <= 1_080


def test_scores_one_by_one_and_at_once_are_the_same():
    rng = np.random.default_rng(3)
    normal, new = rng.standard_normal((2, 100)).astype(np.float32)
    one = DriftTest(normal)
    for score in new:
        one.update(np.array([score]))
    whole = DriftTest(normal)
    whole.update(new)
    assert one.evidence == whole.evidence
    assert whole.seen == 100


def test_without_calibration_images_there_is_still_a_test():
    test = DriftTest(np.zeros(0, np.float32))
    test.update(np.arange(5, dtype=np.float32))
    assert test.noticed_at is None


@pytest.mark.parametrize("rate", [0, 1, -1])
def test_a_rate_outside_of_its_range(rate):
    with pytest.raises(InputError, match="between 0 and 1"):
        DriftTest(np.zeros(3, np.float32), rate)

"""Conformal risk control: the expected share of normal pixels that are marked."""

import numpy as np
import pytest

from anomalist.calibration import MarkedShare
from anomalist.core.errors import InputError


def maps_of(rng, n, side=12):
    """Maps whose level differs between images, so that pixels are far from independent."""
    level = rng.gamma(2.0, 1.0, (n, 1, 1))
    return (level * rng.random((n, side, side))).astype(np.float32)


def test_the_share_of_marked_pixels_of_new_normal_images_is_at_most_the_chosen_one():
    rng = np.random.default_rng(0)
    rate = 0.05
    shares = []
    for _ in range(300):
        normal = maps_of(rng, 60)
        limit = MarkedShare.of(normal, normal.ravel()).threshold(rate)
        shares.append((maps_of(rng, 20) > limit).mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= rate + 3 * error
    assert np.mean(shares) > rate / 3


def test_the_threshold_is_the_smallest_that_meets_the_bound():
    rng = np.random.default_rng(1)
    normal = maps_of(rng, 40)
    marked = MarkedShare.of(normal, normal.ravel())
    limit = marked.threshold(0.1)

    def bound(t):
        return (np.mean([(one > t).mean() for one in normal]) * 40 + 1) / 41

    assert bound(limit) <= 0.1
    lower = marked.thresholds[marked.thresholds < limit]
    assert all(bound(t) > 0.1 for t in lower)


def test_too_few_images_for_the_share():
    normal = maps_of(np.random.default_rng(2), 9)
    marked = MarkedShare.of(normal, normal.ravel())
    assert marked.threshold(0.1) == normal.max()
    with pytest.raises(InputError, match="needs at least 99"):
        marked.threshold(0.01)


@pytest.mark.parametrize(("count", "rate"), [(10, 0.0909090909), (2, 0.3333333333), (10, 1 / 11)])
def test_a_rate_that_is_rounded_marks_nothing_more(count, rate):
    normal = maps_of(np.random.default_rng(3), count)
    assert MarkedShare.of(normal, normal.ravel()).threshold(rate) == normal.max()


def test_constant_maps_mark_nothing():
    normal = np.zeros((30, 4, 4), np.float32)
    assert MarkedShare.of(normal, normal.ravel()).threshold(0.05) == 0

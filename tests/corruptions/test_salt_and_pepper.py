"""Salt and pepper: white and black pixels at the rate that is asked for, as many of the ones as of
the others."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import SaltAndPepper

GREY = np.full((400, 3, 14, 10), 0.5, np.float32)


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
def test_the_rate_is_the_probability_and_half_of_it_is_white(probability):
    result = SaltAndPepper(probability=probability)(GREY, seed=1)
    assert stats.binomtest(int(result.masks.sum()), result.masks.size, probability).pvalue > 0.01
    assert stats.chisquare(result.masks.sum(axis=0).ravel()).pvalue > 0.01
    hit = result.images[:, 0][result.masks]
    assert set(hit) == {0, 1}
    assert stats.binomtest(int(hit.sum()), hit.size).pvalue > 0.01


def test_a_hit_pixel_is_the_same_in_all_channels_and_the_rest_is_as_it_was():
    images = np.random.default_rng(0).uniform(0.1, 0.9, (50, 3, 9, 9)).astype(np.float32)
    result = SaltAndPepper(probability=0.4)(images, seed=0)
    hit = np.repeat(result.masks[:, None], 3, axis=1)
    np.testing.assert_array_equal(result.images[~hit], images[~hit])
    assert (result.images.min(axis=1) == result.images.max(axis=1))[result.masks].all()


def test_what_is_white_at_one_strength_is_white_at_every_higher_one():
    weak, strong = (SaltAndPepper(probability=p)(GREY, seed=0) for p in (0.2, 0.7))
    np.testing.assert_array_equal(weak.images[:, 0][weak.masks], strong.images[:, 0][weak.masks])

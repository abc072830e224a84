"""Pixel dropout: black pixels at the rate that is asked for, anywhere, in all channels."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import PixelDropout

WHITE = np.ones((400, 3, 14, 10), np.float32)


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
def test_the_rate_is_the_probability(probability):
    dropped = PixelDropout(probability=probability)(WHITE, seed=1).masks
    assert stats.binomtest(int(dropped.sum()), dropped.size, probability).pvalue > 0.01
    assert (
        stats.chisquare(dropped.sum(axis=0).ravel()).pvalue > 0.01
    )  # no pixel is hit more than another
    each = dropped.reshape(400, -1).sum(axis=1)
    assert each.var() == pytest.approx(140 * probability * (1 - probability), rel=0.25)


def test_a_dropped_pixel_is_black_in_all_channels_and_the_rest_is_as_it_was():
    images = np.random.default_rng(0).random((50, 3, 9, 9), dtype=np.float32) + np.float32(1e-3)
    images = np.minimum(images, 1)
    result = PixelDropout(probability=0.4)(images, seed=0)
    hit = np.repeat(result.masks[:, None], 3, axis=1)
    assert (result.images[hit] == 0).all()
    np.testing.assert_array_equal(result.images[~hit], images[~hit])


def test_everything_goes_at_one_and_black_cannot_go():
    assert PixelDropout(probability=1)(WHITE, seed=0).masks.all()
    assert not PixelDropout(probability=1)(0 * WHITE, seed=0).masks.any()

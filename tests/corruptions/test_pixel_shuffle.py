"""Pixel shuffle: the same pixels in another order, within one square."""

import numpy as np
import pytest

from anomalist.corruptions import PixelShuffle


@pytest.mark.parametrize(("size", "side"), [(0.5, 6), (1.0, 12), (0.01, 2)])
def test_it_is_a_permutation_inside_one_square(size, side):
    images = np.random.default_rng(0).random((100, 3, 12, 15), dtype=np.float32)
    result = PixelShuffle(share=1, size=size)(images, seed=0)
    for image, changed, mask in zip(images, result.images, result.masks, strict=True):
        assert sorted(image.reshape(3, -1).T.tolist()) == sorted(changed.reshape(3, -1).T.tolist())
        assert mask.sum() == side * side // 2 * 2
        assert max(np.ptp(place) for place in np.nonzero(mask)) < side


def test_the_share_is_that_of_the_square_s_pixels():
    images = np.random.default_rng(0).random((30, 1, 20, 20), dtype=np.float32)
    assert set(PixelShuffle(share=0.25)(images, seed=0).masks.sum(axis=(1, 2))) == {
        26
    }  # 13 of 50 pairs

"""Quantisation: the coefficients of the hit blocks are multiples of their steps, the other blocks
stay."""

import numpy as np
import pytest
from scipy import fft

from anomalist.corruptions import Quantisation

SOFT = (
    np.random.default_rng(0).uniform(0.4, 0.6, (12, 1, 24, 32)).astype(np.float32)
)  # far from where values are clipped
SIZE = 1 + np.arange(8)[:, None] + np.arange(8)


def blocks(image, down, across):
    """The whole 8 x 8 blocks of one grid."""
    rows, columns = (24 - down) // 8, (32 - across) // 8
    part = image[down : down + 8 * rows, across : across + 8 * columns]
    return part.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)


@pytest.mark.parametrize("step", [0.01, 0.02])
def test_all_coefficients_are_multiples_of_the_step_on_one_grid(step):
    found = set()
    for image in Quantisation(share=1, step=step)(SOFT, seed=3).images[:, 0].astype(float):
        grids = []
        for place in np.ndindex(8, 8):
            ratio = fft.dctn(blocks(image, *place), axes=(2, 3), norm="ortho") / (step * SIZE)
            if np.abs(ratio - np.rint(ratio)).max() < 1e-3:
                grids.append(place)
        assert len(grids) == 1
        found.add(grids[0])
    assert len(found) > 6


def test_the_share_of_blocks_is_rounded_up():
    whole = Quantisation(share=1)(SOFT, seed=3).images
    for share in (0.01, 0.3, 0.7):
        result = Quantisation(share=share)(SOFT, seed=3)
        np.testing.assert_array_equal(result.images, np.where(result.masks[:, None], whole, SOFT))
        assert (result.masks.mean(axis=(1, 2)) > 0).all()
    assert Quantisation(share=0.01)(SOFT, seed=3).masks.sum(axis=(1, 2)).max() <= 64


def test_a_fine_step_changes_hardly_anything_and_black_stays_black():
    assert np.abs(Quantisation(share=1, step=1e-4)(SOFT, seed=0).images - SOFT).max() < 2e-3
    assert not Quantisation(share=1)(0 * SOFT, seed=0).masks.any()

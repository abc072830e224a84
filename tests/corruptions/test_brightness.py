"""Brightness: one amount for all of an image, in the direction asked for."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import Brightness

MIDDLE = np.random.default_rng(0).uniform(0.4, 0.6, (400, 2, 6, 7)).astype(np.float32)


@pytest.mark.parametrize(
    ("direction", "signs"), [("brighter", {1}), ("darker", {-1}), ("either", {-1, 1})]
)
def test_each_image_moves_by_one_amount_between_half_the_shift_and_all_of_it(direction, signs):
    moved = Brightness(shift=0.3, direction=direction)(MIDDLE, seed=0).images - MIDDLE
    amount = moved.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(
        moved, np.broadcast_to(amount[:, None, None, None], moved.shape), atol=1e-6
    )
    assert set(np.sign(amount)) == signs
    assert stats.kstest(np.abs(amount) / 0.15 - 1, "uniform").pvalue > 0.01
    if len(signs) == 2:
        assert stats.binomtest(int((amount > 0).sum()), len(amount)).pvalue > 0.01

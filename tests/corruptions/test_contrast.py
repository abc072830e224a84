"""Contrast: the mean stays, the spread shrinks or grows by one factor."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import Contrast

MIDDLE = np.random.default_rng(0).uniform(0.45, 0.55, (300, 2, 6, 7)).astype(np.float32)


@pytest.mark.parametrize("direction", ["less", "more", "either"])
def test_the_distances_from_the_mean_are_scaled(direction):
    changed = Contrast(amount=0.6, direction=direction)(MIDDLE, seed=0).images.astype(float)
    means = [
        images.mean(axis=(1, 2, 3), keepdims=True) for images in (MIDDLE.astype(float), changed)
    ]
    np.testing.assert_allclose(means[1], means[0], atol=1e-6)
    factor = changed.std(axis=(1, 2, 3)) / MIDDLE.std(axis=(1, 2, 3))
    np.testing.assert_allclose(
        changed - means[0], factor[:, None, None, None] * (MIDDLE - means[0]), atol=1e-5
    )
    less = factor < 1
    assert {"less": less.all(), "more": not less.any(), "either": 100 < less.sum() < 200}[direction]
    lost = 1 - np.where(less, factor, 1 / factor)
    assert stats.kstest(lost / 0.3 - 1, "uniform").pvalue > 0.01

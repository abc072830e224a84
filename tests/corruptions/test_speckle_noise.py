"""Speckle noise: normal, in proportion to the value."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import SpeckleNoise


@pytest.mark.parametrize("level", [0.1, 0.4])
def test_the_noise_is_normal_and_in_proportion_to_the_value(level):
    grey = np.full((60, 3, 14, 10), level, np.float32)
    noise = (SpeckleNoise(sigma=0.2)(grey, seed=1).images - grey).astype(float) / (0.2 * level)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01


def test_black_stays_black():
    assert not SpeckleNoise(sigma=1)(np.zeros((3, 1, 9, 9), np.float32), seed=0).masks.any()

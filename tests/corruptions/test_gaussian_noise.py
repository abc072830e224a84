"""Gaussian noise: normal, of the sigma that is asked for, independent in each value."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import GaussianNoise

GREY = np.full((100, 3, 14, 10), 0.5, np.float32)


@pytest.mark.parametrize("sigma", [0.001, 0.03, 0.08])
def test_the_noise_is_normal_with_the_given_sigma(sigma):
    noise = (GaussianNoise(sigma=sigma)(GREY, seed=1).images - GREY).astype(np.float64) / sigma
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert noise.std() == pytest.approx(1, abs=0.015)
    assert noise.mean() == pytest.approx(0, abs=0.015)


def test_the_noise_is_independent_across_channels_pixels_and_images():
    noise = GaussianNoise(sigma=0.05)(GREY, seed=1).images - GREY
    pairs = [
        (noise[:, 0], noise[:, 1]),
        (noise[:, 1], noise[:, 2]),
        (noise[..., 1:], noise[..., :-1]),
        (noise[..., 1:, :], noise[..., :-1, :]),
        (noise[1:], noise[:-1]),
    ]
    for one, two in pairs:
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4.5 / np.sqrt(one.size)


def test_the_noise_is_added_then_clipped():
    grey = GaussianNoise(sigma=0.1)(GREY, seed=2).images - np.float32(0.5)
    white = GaussianNoise(sigma=0.1)(np.ones_like(GREY), seed=2)
    np.testing.assert_allclose(white.images, np.minimum(1 + grey, 1), atol=1e-6)
    assert 0.45 < (white.images == 1).mean() < 0.55
    np.testing.assert_array_equal(white.masks, (white.images < 1).any(axis=1))

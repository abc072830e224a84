"""Gaussian blur: SciPy's, up to where it ends; what is far from an edge stays to the last bit."""

import numpy as np
import pytest
from scipy import ndimage

from anomalist.core.randomness import uniform
from anomalist.corruptions import GaussianBlur


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_it_is_near_to_scipy_s_filter_of_the_drawn_width(sigma):
    images = np.random.default_rng(0).random((20, 2, 24, 30), dtype=np.float32)
    drawn = sigma * (1 + uniform(4, "gaussian_blur", np.arange(20), 1)[:, 0]) / 2
    result = GaussianBlur(sigma=sigma)(images, seed=4).images
    for image, changed, width in zip(images, result, drawn, strict=True):
        expected = ndimage.gaussian_filter(image, (0, width, width), mode="reflect")
        assert np.abs(changed - expected).max() < 0.05
        assert np.abs(changed - expected).mean() < 0.15 * np.abs(image - expected).mean()


def test_its_weights_make_one_and_end_at_three_sigma():
    point = np.zeros((30, 1, 41, 41), np.float32)
    point[:, :, 20, 20] = 1
    result = GaussianBlur(sigma=4)(point, seed=0)
    np.testing.assert_allclose(result.images.sum(axis=(1, 2, 3)), 1, rtol=1e-5)
    reach = 3 * 4 * (1 + uniform(0, "gaussian_blur", np.arange(30), 1)[:, 0]) / 2
    away = np.abs(np.arange(41) - 20)
    np.testing.assert_array_equal(result.masks.any(axis=1), away < reach[:, None])


def test_an_edge_changes_nothing_beyond_three_sigma():
    images = np.full((20, 1, 20, 64), 0.7, np.float32)
    images[..., 32:] = 0.1
    masks = GaussianBlur(sigma=2)(images, seed=0).masks
    assert masks[:, :, 31:33].all()
    assert not masks[:, :, :26].any()
    assert not masks[:, :, 38:].any()

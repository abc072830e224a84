"""Heatmaps: one score an image, whatever it lies beside, and a picture on a fixed scale."""

import numpy as np
import pytest

from anomalist.heatmaps import aggregate, overlay


def maps(n=70, h=50, w=61, seed=0):
    return np.random.default_rng(seed).random((n, h, w), dtype=np.float32) ** 4


def test_each_way_of_reducing_a_map():
    heat = maps()
    flat = heat.reshape(len(heat), -1).astype(np.float64)
    np.testing.assert_allclose(aggregate(heat, "mean"), flat.mean(axis=1), rtol=1e-7)
    np.testing.assert_array_equal(aggregate(heat, "max"), flat.max(axis=1))
    highest = np.sort(flat, axis=1)[:, -30:]  # 3050 pixels, 1 % is 30
    np.testing.assert_allclose(aggregate(heat, "top_1_percent"), highest.mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("how", ["mean", "max", "top_1_percent"])
def test_a_score_does_not_depend_on_the_other_maps(how):
    heat = maps()
    whole = aggregate(heat, how)
    assert whole.dtype == np.float32
    assert whole.shape == (70,)
    order = np.random.default_rng(1).permutation(70)
    np.testing.assert_array_equal(aggregate(heat[order], how), whole[order])
    np.testing.assert_array_equal([aggregate(heat[i : i + 1], how)[0] for i in range(70)], whole)


def test_the_highest_percent_is_at_least_one_pixel_and_ignores_the_order_of_pixels():
    small = maps(5, 3, 3)
    np.testing.assert_array_equal(aggregate(small, "top_1_percent"), aggregate(small, "max"))
    heat = np.exp(30 * maps(20, 200, 201))
    shuffled = np.random.default_rng(0).permuted(heat.reshape(20, -1), axis=1).reshape(heat.shape)
    np.testing.assert_array_equal(
        aggregate(shuffled, "top_1_percent"), aggregate(heat, "top_1_percent")
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_is_grey_where_cold_and_orange_where_hot(channels):
    image = np.random.default_rng(0).random((channels, 4, 5), dtype=np.float32)
    heat = np.zeros((4, 5), np.float32)
    heat[0, 0], heat[1, 1], heat[2, 2] = 2.0, 99.0, 1.0
    picture = overlay(image, heat, top=2.0)
    grey = 0.8 * image.mean(axis=0)
    assert picture.shape == (4, 5, 3)
    assert picture.dtype == np.float32
    orange = np.array([0.90, 0.62, 0.0], np.float32)
    np.testing.assert_array_equal(picture[0, 0], orange)
    np.testing.assert_array_equal(picture[1, 1], orange)  # above the top is the top
    np.testing.assert_allclose(picture[2, 2], (grey[2, 2] + orange) / 2, rtol=1e-6)
    cold = heat == 0
    np.testing.assert_allclose(picture[cold], np.repeat(grey[cold][:, None], 3, axis=1), rtol=1e-6)


def test_a_scale_of_nothing_shows_the_image_alone():
    image = np.full((1, 2, 2), 0.5, np.float32)
    np.testing.assert_allclose(
        overlay(image, np.zeros((2, 2), np.float32), top=0.0), 0.4, rtol=1e-6
    )

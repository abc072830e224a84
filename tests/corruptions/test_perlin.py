"""Perlin: as many pixels as asked for, in irregular regions, filled as said."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import Perlin

GREY = np.full((500, 1, 24, 20), 0.5, np.float32)


@pytest.mark.parametrize("shape", [(24, 20), (28, 28), (32, 25), (64, 64)])
@pytest.mark.parametrize("area", [0.001, 0.1, 0.5, 1])
def test_the_area_is_the_share_of_pixels_rounded_up(area, shape):
    masks = Perlin(area=area, fill="black")(np.full((40, 1, *shape), 0.5, np.float32), seed=1).masks
    assert set(masks.sum(axis=(1, 2))) == {np.ceil(round(area * shape[0] * shape[1], 9))}


def test_every_place_is_about_as_likely():
    hit = Perlin(area=0.2, fill="black")(np.repeat(GREY, 4, axis=0), seed=1).masks.mean(axis=0)
    assert hit.min() > 0.15
    assert hit.max() < 0.25


def test_the_number_of_cells_is_drawn_for_each_axis():
    """Few cells make long runs of hit pixels, many make short ones."""
    masks = Perlin(area=0.4, fill="black")(np.full((300, 1, 64, 64), 0.5, np.float32), seed=0).masks
    down, across = (
        np.diff(masks.astype(int), axis=axis).clip(min=0).sum(axis=(1, 2)) for axis in (1, 2)
    )
    for count in (down, across):
        assert np.percentile(count, 90) > 2.5 * np.percentile(count, 10)
    assert (down > 1.5 * across).mean() > 0.1
    assert (across > 1.5 * down).mean() > 0.1


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("white", 1)])
def test_a_region_has_its_fill_in_all_channels_and_the_rest_is_as_it_was(fill, value):
    images = np.random.default_rng(0).uniform(0.1, 0.9, (30, 3, 24, 20)).astype(np.float32)
    result = Perlin(area=0.3, fill=fill)(images, seed=0)
    hit = np.repeat(result.masks[:, None], 3, axis=1)
    assert (result.images[hit] == value).all()
    np.testing.assert_array_equal(result.images[~hit], images[~hit])


def test_a_texture_is_smooth_and_lies_around_the_middle_and_noise_is_noise():
    texture, noise = (
        Perlin(area=1, fill=fill)(GREY, seed=0).images[:, 0] for fill in ("texture", "noise")
    )
    assert abs(texture.mean() - 0.5) < 0.02
    assert texture.std() > 0.1
    assert np.abs(np.diff(texture, axis=2)).mean() < 0.5 * np.abs(np.diff(noise, axis=2)).mean()
    assert stats.kstest(noise.ravel().astype(float), "uniform").pvalue > 0.01

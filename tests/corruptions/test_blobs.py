"""Blobs: as many pixels as asked for, irregular, anywhere, filled with what was said."""

import numpy as np
import pytest
from scipy import ndimage, stats

from anomalist.corruptions import Blobs
from refusals import refused

GREY = np.full((600, 1, 24, 20), 0.5, np.float32)


def photographs(n, size=(1, 24, 20)):
    return np.random.default_rng(0).uniform(0.1, 0.9, (n, *size)).astype(np.float32)


@pytest.mark.parametrize("shape", ["spots", "blot", "scratches"])
@pytest.mark.parametrize(("area", "count"), [(0.001, 1), (0.01, 5), (0.1, 48), (1, 480)])
def test_the_area_is_the_share_of_pixels_rounded_up(area, count, shape):
    masks = Blobs(area=area, shape=shape)(GREY, seed=1).masks
    assert set(masks.sum(axis=(1, 2))) == {count}


@pytest.mark.parametrize("shape", ["spots", "scratches"])
def test_every_place_is_as_likely_up_to_the_borders(shape):
    hit = Blobs(area=0.05, scale=1, shape=shape)(GREY, seed=1).masks.mean(axis=0)
    assert np.abs(hit - 0.05).max() < 6 * np.sqrt(0.05 * 0.95 / len(GREY))


def pieces(masks):
    """The number of connected pieces of each mask."""
    return np.array([ndimage.label(mask, np.ones((3, 3)))[1] for mask in masks])


def test_a_higher_scale_makes_fewer_and_coarser_regions():
    fine, coarse = (
        pieces(Blobs(area=0.1, scale=scale)(GREY[:100], seed=0).masks).mean() for scale in (1, 4)
    )
    assert fine > 2 * coarse


def test_a_blot_is_mostly_one_piece():
    blot, spots = (
        pieces(Blobs(area=0.08, shape=shape)(GREY, seed=0).masks) for shape in ("blot", "spots")
    )
    assert (blot == 1).mean() > 0.7
    assert np.median(spots) > 2


def test_every_other_blot_has_its_centre_where_it_is_bright():
    images = np.zeros((4000, 1, 24, 20), np.float32)
    images[:, :, 3, 4], images[:, :, 20, 15] = 0.25, 0.75
    hit = Blobs(area=0.002, scale=0.2, shape="blot", fill="grey")(images, seed=0).masks.mean(axis=0)
    assert hit[3, 4] == pytest.approx(
        0.5 / 4 + 0.5 / 480, abs=0.02
    )  # so small a blot is its centre
    assert hit[20, 15] == pytest.approx(0.5 * 3 / 4 + 0.5 / 480, abs=0.03)
    dark = Blobs(area=0.002, scale=0.2, shape="blot", fill="white")(
        np.zeros_like(images), seed=0
    ).masks.mean(axis=0)
    assert dark.max() < 0.01  # nothing is bright: anywhere


def thickness(masks):
    """The mean distance of a mask's pixels from what is outside."""
    return np.mean([ndimage.distance_transform_edt(mask)[mask].mean() for mask in masks])


def test_scratches_are_thinner_than_spots():
    spots, scratches = (
        thickness(Blobs(area=0.06, scale=5, shape=shape)(GREY[:100], seed=0).masks)
        for shape in ("spots", "scratches")
    )
    assert scratches < 0.75 * spots


@pytest.mark.parametrize("shape", ["spots", "blot", "scratches"])
def test_no_region_is_a_rectangle(shape):
    masks = Blobs(area=0.08, scale=2, shape=shape)(GREY[:200], seed=0).masks
    rectangles = [np.array_equal(m, m.any(axis=1)[:, None] & m.any(axis=0)[None]) for m in masks]
    assert not any(rectangles)


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("white", 1)])
def test_the_region_has_its_fill_and_the_rest_is_as_it_was(fill, value):
    images = photographs(50, (3, 24, 20))
    result = Blobs(area=0.2, fill=fill)(images, seed=0)
    hit = np.repeat(result.masks[:, None], 3, axis=1)
    assert (result.images[hit] == value).all()
    np.testing.assert_array_equal(result.images[~hit], images[~hit])


def test_grey_is_one_value_an_image_and_noise_one_a_pixel():
    grey, noise = (
        Blobs(area=0.3, fill=fill)(photographs(200), seed=0) for fill in ("grey", "noise")
    )
    levels = [
        np.unique(image[0][mask]) for image, mask in zip(grey.images, grey.masks, strict=True)
    ]
    assert {len(found) for found in levels} == {1}
    assert stats.kstest(np.concatenate(levels).astype(float), "uniform").pvalue > 0.01
    assert stats.kstest(noise.images[:, 0][noise.masks].astype(float), "uniform").pvalue > 0.01


def test_what_is_pasted_is_the_image_s_own_content_or_its_negative():
    images = photographs(40)
    result = Blobs(area=0.1, fill="paste")(images, seed=0)
    negatives = 0
    for image, changed, mask in zip(images, result.images, result.masks, strict=True):
        as_it_is, negative = (np.isin(changed[0][mask], own).all() for own in (image, 1 - image))
        assert as_it_is or negative
        negatives += negative
    assert 0 < negatives < 20


def test_mixed_is_one_of_the_others_for_each_image():
    images = photographs(300)
    mixed = Blobs(area=0.1, fill="mixed")(images, seed=0).images
    kinds = np.array(
        [
            [
                np.array_equal(a, b)
                for a, b in zip(
                    mixed, Blobs(area=0.1, fill=fill)(images, seed=0).images, strict=True
                )
            ]
            for fill in ("black", "white", "grey", "noise", "paste")
        ]
    )
    assert (kinds.sum(axis=0) == 1).all()
    assert stats.chisquare(kinds.sum(axis=1)).pvalue > 0.01


def test_opacity_is_drawn_log_uniform_up_to_one():
    result = Blobs(area=0.1, fill="white", opacity=0.01)(GREY, seed=0)
    added = np.array(
        [image[0][mask].max() for image, mask in zip(result.images, result.masks, strict=True)]
    )
    opacity = (added.astype(float) - 0.5) / 0.5
    assert stats.kstest(np.log(opacity) / np.log(0.01), "uniform").pvalue > 0.01


def test_black_on_black_is_no_anomaly():
    assert not Blobs(area=0.5)(np.zeros((20, 1, 9, 9), np.float32), seed=0).masks.any()


@pytest.mark.parametrize(
    ("option", "value"), [("scale", 0), ("opacity", 0), ("opacity", 1.1), ("fill", "pink")]
)
def test_wrong_options_are_refused(option, value):
    with refused(f"blobs.{option}", repr(value)):
        Blobs(**{option: value})

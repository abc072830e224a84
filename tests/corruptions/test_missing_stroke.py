"""Missing stroke: exactly one connected piece of what is bright, no more steps long than asked
for."""

import numpy as np
import pytest
from scipy import ndimage

from anomalist.corruptions import MissingStroke

EIGHT = np.ones((3, 3))


def strokes(n, channels=1):
    """Dark grey images with bright lines: some of each image's rows and columns."""
    rng = np.random.default_rng(0)
    lines = (rng.random((n, 1, 20, 1)) < 0.15) | (rng.random((n, 1, 1, 24)) < 0.15)
    images = np.where(lines, rng.uniform(0.5, 1, (n, channels, 20, 24)), 0.1)
    return images.astype(np.float32), lines[:, 0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("radius", [1, 4, 10])
def test_one_connected_piece_of_the_stroke_turns_to_the_darkest_value(radius, channels):
    images, lines = strokes(60, channels)
    result = MissingStroke(radius=radius)(images, seed=1)
    for image, mask, line in zip(result.images, result.masks, lines, strict=True):
        if not line.any():
            assert not mask.any()
            continue
        assert ndimage.label(mask, EIGHT)[1] == 1
        assert line[mask].all()
        assert (image[:, mask] == np.float32(0.1)).all()
        assert max(np.ptp(place) for place in np.nonzero(mask)) <= 2 * radius


def test_it_reaches_all_of_the_stroke_within_its_steps():
    images, lines = strokes(40)
    for mask, line in zip(MissingStroke(radius=3)(images, seed=1).masks, lines, strict=True):
        seeds = [
            place
            for place in zip(*np.nonzero(mask), strict=True)
            if (ball(line, place, 3) == mask).all()
        ]
        assert seeds or not line.any()


def ball(line, place, steps):
    start = np.zeros_like(line)
    start[place] = True
    return ndimage.binary_dilation(start, EIGHT, iterations=steps, mask=line)


def test_every_stroke_pixel_is_as_likely_to_be_the_middle():
    images = np.zeros((4000, 1, 9, 9), np.float32)
    images[:, 0, ::2, ::2] = 1  # 25 strokes of one pixel each
    hit = MissingStroke(radius=1)(images, seed=0).masks.mean(axis=0)[::2, ::2]
    assert np.abs(hit - 1 / 25).max() < 4.5 * np.sqrt(1 / 25 * 24 / 25 / 4000)


def test_an_image_without_strokes_stays():
    assert not MissingStroke(severity=1)(np.full((5, 3, 9, 9), 0.4, np.float32), seed=0).masks.any()

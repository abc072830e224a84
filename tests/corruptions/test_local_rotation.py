"""Local rotation: nothing changes outside of one disc, and inside it is the image, turned."""

import numpy as np
import pytest

from anomalist.corruptions import LocalRotation


def middles(masks):
    return np.stack(
        [[(place.min() + place.max()) / 2 for place in np.nonzero(mask)] for mask in masks]
    )


@pytest.mark.parametrize("radius", [3.0, 8.0])
def test_the_changes_fill_a_disc(radius):
    images = np.random.default_rng(0).random((60, 1, 24, 30), dtype=np.float32)
    masks = LocalRotation(radius=radius)(images, seed=0).masks
    for mask in masks:
        place = np.stack(np.nonzero(mask), axis=1)
        away = np.linalg.norm(place[:, None] - place, axis=2).max()
        assert away <= 2 * radius + 1
        assert away >= 2 * radius - 2
        assert mask.sum() > 0.8 * np.pi * radius**2


def test_the_largest_disc_lies_within_the_image_anywhere():
    images = np.random.default_rng(0).random((300, 1, 24, 36), dtype=np.float32)
    at = middles(LocalRotation(radius=2)(images, seed=0).masks)
    assert (at >= 6.5).all()
    assert (at <= np.array([16.5, 28.5])).all()
    assert (np.ptp(at, axis=0) > [7, 19]).all()


def test_a_plane_is_turned_by_between_half_the_angle_and_all_of_it():
    plane = np.repeat(np.linspace(0, 1, 31, dtype=np.float32)[None, None, None], 80, axis=0).repeat(
        31, axis=2
    )
    result = LocalRotation(radius=9, angle=80)(plane, seed=1).images[:, 0].astype(float)
    at = np.rint(middles(LocalRotation(radius=9, angle=80)(plane, seed=1).masks)).astype(int)
    turns = []
    for image, (row, column) in zip(result, at, strict=True):
        part = image[row - 3 : row + 4, column - 3 : column + 4]
        down, across = (gradient.mean() for gradient in np.gradient(part))
        turns.append(np.degrees(np.arctan2(down, across)))
        assert np.hypot(down, across) == pytest.approx(1 / 30, rel=0.02)  # the slope of the plane
    size = np.abs(turns)
    assert size.min() >= 39
    assert size.max() <= 81
    assert 20 < (np.array(turns) > 0).sum() < 60

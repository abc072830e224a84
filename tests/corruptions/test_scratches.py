"""Scratches: thin curves of the length, width and value asked for."""

import numpy as np
import pytest
from scipy import ndimage

from anomalist.corruptions import Scratches

GREY = np.full((100, 1, 40, 44), 0.5, np.float32)


def sizes(**options):
    return Scratches(**{"count": 1, "length": 20, "edges": "hard", **options})(
        GREY, seed=0
    ).masks.sum(axis=(1, 2))


def test_a_scratch_is_one_thin_curve_as_long_as_asked_for():
    masks = Scratches(count=1, length=20)(GREY, seed=0).masks
    assert all(ndimage.label(mask, np.ones((3, 3)))[1] == 1 for mask in masks)
    whole = [mask for mask in masks if not (mask[[0, -1]].any() or mask[:, [0, -1]].any())]
    assert len(whole) > 30
    for mask in whole:
        place = np.stack(np.nonzero(mask), axis=1)
        assert 17 < np.linalg.norm(place[:, None] - place, axis=2).max() < 26
        assert ndimage.distance_transform_edt(mask).max() <= 2.3


def test_more_of_it_covers_more():
    one = sizes().mean()
    assert 10 < one < 22
    assert 1.6 < sizes(length=40).mean() / one < 2.1
    assert 2.4 < sizes(width=3).mean() / one < 3.2
    assert 2.5 < sizes(count=3).mean() / one < 3.1


def test_some_are_bent_and_to_both_sides():
    """The middle of a bent curve lies off the chord of its ends."""
    bends = []
    for mask in Scratches(count=1, length=20, edges="hard")(GREY, seed=0).masks:
        place = np.stack(np.nonzero(mask), axis=1).astype(float)
        singular = np.linalg.svd(place - place.mean(axis=0), compute_uv=False)
        bends.append(singular[1] / singular[0])
    assert np.percentile(bends, 90) > 0.15
    assert np.percentile(bends, 10) < 0.08


@pytest.mark.parametrize(("value", "number"), [("white", 1), ("black", 0)])
def test_hard_edges_are_of_one_value_and_soft_ones_in_between(value, number):
    hard, soft = (
        Scratches(length=20, edges=edges, value=value)(GREY, seed=0) for edges in ("hard", "soft")
    )
    assert set(np.unique(hard.images)) == {np.float32(0.5), np.float32(number)}
    assert len(np.unique(soft.images)) > 100
    assert (hard.masks <= soft.masks).all()


def test_scratches_lie_anywhere():
    hit = Scratches(length=10)(np.zeros((1500, 1, 12, 12), np.float32), seed=0).masks.mean(axis=0)
    assert hit.min() > 0.25 * hit.max()  # least in the corners, for scratches that lie half outside

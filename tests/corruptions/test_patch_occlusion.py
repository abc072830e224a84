"""Patch occlusion: one square of the size that is asked for, anywhere that the margin allows."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import PatchOcclusion
from refusals import refused

GREY = np.full((4000, 1, 10, 9), 0.5, np.float32)


def corners(masks):
    """The top left corner of each mask's square, after a check that it is one."""
    rows, columns = masks.any(axis=2), masks.any(axis=1)
    np.testing.assert_array_equal(masks, rows[:, :, None] & columns[:, None, :])
    for line in (rows, columns):
        assert (np.diff(line.astype(int), axis=1) == 1).sum(axis=1).max() <= 1  # in one piece
    return np.stack([rows.argmax(axis=1), columns.argmax(axis=1)], axis=1)


@pytest.mark.parametrize(("side", "margin"), [(1, 0), (3, 0), (2, 2), (5, 2), (8, 0)])
def test_every_place_within_the_margin_is_as_likely(side, margin):
    masks = PatchOcclusion(side=side, margin=margin)(GREY, seed=1).masks
    assert set(masks.sum(axis=(1, 2))) == {side * side}
    at = corners(masks) - margin
    room = (10 - 2 * margin - side + 1, 9 - 2 * margin - side + 1)
    assert at.min() >= 0
    assert (at < room).all()
    counts = np.bincount(at[:, 0] * room[1] + at[:, 1], minlength=room[0] * room[1])
    assert stats.chisquare(counts).pvalue > 0.01


def test_a_margin_is_never_hit_even_at_full_severity():
    masks = PatchOcclusion(severity=1, margin=2)(GREY, seed=0).masks
    inside = np.zeros((10, 9), bool)
    inside[2:-2, 2:-2] = True
    assert not masks[:, ~inside].any()
    assert set(masks.sum(axis=(1, 2))) == {25}


@pytest.mark.parametrize(
    ("severity", "margin", "side"),
    [(0.001, 0, 1), (0.1, 0, 1), (0.12, 0, 2), (0.5, 0, 5), (0.5, 2, 3), (0.7, 1, 5)],
)
def test_the_side_is_the_severity_of_the_shorter_side_rounded_up(severity, margin, side):
    corruption = PatchOcclusion(severity=severity, margin=margin)
    assert corruption.strength((10, 9)) == side
    assert set(corruption(GREY[:5], seed=0).masks.sum(axis=(1, 2))) == {side**2}


def test_severity_one_fills_a_square_image():
    assert PatchOcclusion(severity=1)(GREY[:5, :, :9], seed=0).masks.all()


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("white", 1)])
def test_the_hole_has_its_fill_and_the_rest_is_as_it_was(fill, value):
    images = np.random.default_rng(0).uniform(0.1, 0.9, (50, 3, 9, 7)).astype(np.float32)
    result = PatchOcclusion(side=3, fill=fill)(images, seed=0)
    hit = np.repeat(result.masks[:, None], 3, axis=1)
    assert (result.images[hit] == value).all()
    np.testing.assert_array_equal(result.images[~hit], images[~hit])
    assert hit.sum() == 50 * 3 * 9


def test_a_hole_of_noise_is_uniform_noise():
    result = PatchOcclusion(side=6, fill="noise")(GREY[:500], seed=0)
    inside = result.images[:, 0][result.masks]
    assert stats.kstest(inside.astype(np.float64), "uniform").pvalue > 0.01


def test_a_black_hole_on_black_is_no_anomaly():
    result = PatchOcclusion(side=3)(np.zeros((20, 1, 9, 9), np.float32), seed=0)
    assert not result.masks.any()


def test_a_margin_that_leaves_nothing_is_refused():
    with refused("patch_occlusion.margin", "5", "10 x 9"):
        PatchOcclusion(margin=5)(GREY[:1], seed=0)
    with refused("patch_occlusion.side", "at most 5 on 10 x 9", "got 6"):
        PatchOcclusion(side=6, margin=2)(GREY[:1], seed=0)

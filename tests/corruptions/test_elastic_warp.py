"""Elastic warp: nothing changes outside of one disc, and inside values come from near by."""

import numpy as np
import pytest

from anomalist.corruptions import ElasticWarp


@pytest.mark.parametrize("radius", [3.0, 8.0])
def test_the_changes_lie_in_a_disc(radius):
    images = np.random.default_rng(0).random((60, 1, 24, 30), dtype=np.float32)
    for mask in ElasticWarp(radius=radius)(images, seed=0).masks:
        place = np.stack(np.nonzero(mask), axis=1)
        away = np.linalg.norm(place[:, None] - place, axis=2).max()
        assert 2 * radius - 3 <= away < 2 * radius


def test_on_a_plane_the_change_says_how_far_values_travelled():
    plane = np.repeat(np.linspace(0, 1, 31, dtype=np.float32)[None, None, None], 80, axis=0).repeat(
        31, axis=2
    )
    most = 31 / 3
    for reach in (0.2, 0.6):
        moved = (ElasticWarp(severity=1, reach=reach)(plane, seed=1).images - plane) * 30
        assert np.abs(moved).max() <= reach * most + 1e-3
        assert np.abs(moved).max() > 0.8 * reach * most
        jump = max(np.abs(np.diff(moved, axis=axis)).max() for axis in (2, 3))
        assert jump < 0.7 * reach * most  # as on rubber: neighbours travel together, up to the edge

"""Motion blur: a point becomes a straight line of the drawn direction and extent, with the same
light."""

import numpy as np
import pytest

from anomalist.core.randomness import uniform
from anomalist.corruptions import MotionBlur


@pytest.mark.parametrize("length", [6.0, 24.0])
def test_a_point_becomes_a_line(length):
    n = 60
    point = np.zeros((n, 1, 41, 41), np.float32)
    point[:, :, 20, 20] = 1
    result = MotionBlur(length=length)(point, seed=2)
    np.testing.assert_allclose(result.images.sum(axis=(1, 2, 3)), 1, rtol=1e-5)
    draws = uniform(2, "motion_blur", np.arange(n), 2).astype(float)
    for mask, (turn, u) in zip(result.masks, draws, strict=True):
        y, x = (place - 20 for place in np.nonzero(mask))
        sin, cos = np.sin(np.pi * turn), np.cos(np.pi * turn)
        assert np.abs(x * sin - y * cos).max() <= 0.51  # off the line by half a pixel at most
        extent = np.abs(x * cos + y * sin).max()
        half = length * (1 + u) / 4
        assert half - 2 < extent < half + 0.6
        assert len(x) == 2 * max(np.abs(x).max(), np.abs(y).max()) + 1  # without gaps


def test_every_direction_is_drawn():
    point = np.zeros((200, 1, 21, 21), np.float32)
    point[:, :, 10, 10] = 1
    masks = MotionBlur(length=16)(point, seed=0).masks
    hit = masks.mean(axis=0)
    assert (hit[9:12, 9:12] > 0.1).all()

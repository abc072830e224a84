"""Corruptions that warp a disc: an elastic field and a rotation."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
Float = NDArray[np.float64]


def elastic_warp(x: Image, radius: float, rng: np.random.Generator) -> Image:
    """Warp a disc by a smooth field."""
    h, w = x.shape
    most = min(h, w) / 3
    away = int(radius)
    border = int(most)
    row = border + rng.integers(h - 2 * border)
    column = border + rng.integers(w - 2 * border)
    weights, cover = _rubber(radius, most)
    pulls = 1.2 * most * (rng.random((2, 4, 4)) - 0.5)
    down, across = weights @ pulls @ weights.T
    offset = np.arange(-away, away + 1)
    rows = np.clip(down + row + offset[:, None], 0, h - 1)
    columns = np.clip(across + column + offset, 0, w - 1)
    place = np.s_[row - away : row + away + 1, column - away : column + away + 1]
    return _blend(x, place, (rows, columns), cover)


@lru_cache
def _rubber(radius: float, most: float) -> tuple[Float, Float]:
    """Return the weights of the four control points along a side, and the disc's cover."""
    offset = np.arange(-int(radius), int(radius) + 1)
    place = (offset[:, None] / most + 1) * 1.5
    near = np.clip(1 - np.abs(place - np.arange(4)), 0, 1)
    distance = np.hypot(offset[:, None], offset)
    cover = np.clip((radius - distance) / (0.3 * most), 0, 1)
    return near * near * (3 - 2 * near), cover


def local_rotation(x: Image, radius: float, rng: np.random.Generator) -> Image:
    """Turn a disc."""
    h, w = x.shape
    most = min(h, w) / 3
    side = int(radius + 1)
    middle_y = (h - 1) / 2 + (h - 2 * most) * (rng.random() - 0.5)
    middle_x = (w - 1) / 2 + (w - 2 * most) * (rng.random() - 0.5)
    turn = np.radians(90) * (1 + rng.random()) / 2 * rng.choice((-1, 1))
    row = round(middle_y)
    column = round(middle_x)
    top = max(row - side, 0)
    bottom = min(row + side + 1, h)
    left = max(column - side, 0)
    right = min(column + side + 1, w)
    dy, dx = np.ogrid[top:bottom, left:right]
    dy = dy - middle_y
    dx = dx - middle_x
    cos = math.cos(turn)
    sin = math.sin(turn)
    rows = np.clip(middle_y + cos * dy + sin * dx, 0, h - 1)
    columns = np.clip(middle_x - sin * dy + cos * dx, 0, w - 1)
    cover = np.clip(radius + 0.5 - np.sqrt(dy * dy + dx * dx), 0, 1)
    return _blend(x, np.s_[top:bottom, left:right], (rows, columns), cover)


def _blend(
    x: Image,
    place: tuple[slice, slice],
    coordinates: tuple[Float, Float],
    cover: Float,
) -> Image:
    """Return the image with a part replaced, as far as ``cover`` says, by values elsewhere."""
    new = ndimage.map_coordinates(x, coordinates, order=1)
    out = x.copy()
    out[place] += cover * (new - x[place])
    return out

"""Corruptions that overwrite or move a part: squares, lines, strokes, pixels of a square."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

F = np.float32
Image = NDArray[np.float32]


def cut_paste(x: Image, side: float, rng: np.random.Generator) -> Image:
    """Copy a square to another place."""
    side = int(side)
    h, w = x.shape
    steps = _steps(h, w)
    dy, dx = steps[rng.integers(len(steps))]
    top = max(0, -dy) + rng.integers(h - abs(dy) - side + 1)
    left = max(0, -dx) + rng.integers(w - abs(dx) - side + 1)
    other_top = top + dy
    other_left = left + dx
    square = x[other_top : other_top + side, other_left : other_left + side]
    out = x.copy()
    out[top : top + side, left : left + side] = square
    return out


@lru_cache
def _steps(h: int, w: int) -> list[tuple[int, int]]:
    """Return the steps from a square to another, at least a quarter of a side along one axis."""
    steps = []
    for dy in range(-(h // 2), h // 2 + 1):
        for dx in range(-(w // 2), w // 2 + 1):
            if 4 * abs(dy) >= h or 4 * abs(dx) >= w:
                steps.append((dy, dx))
    return steps


def line_jitter(x: Image, lines: float, rng: np.random.Generator) -> Image:
    """Roll some rows."""
    out = x.copy()
    reach = x.shape[1] // 8
    rows = rng.permutation(len(x))[: int(lines)]
    sizes = rng.integers(1, reach + 1, len(rows))
    signs = np.where(rng.random(len(rows)) < 0.5, -1, 1)
    for row, slip in zip(rows, sizes * signs, strict=True):
        out[row, :slip] = x[row, -slip:]
        out[row, slip:] = x[row, :-slip]
    return out


def missing_stroke(x: Image, radius: float, rng: np.random.Generator) -> Image:
    """Erase what is connected with a seed on the stroke."""
    low = x.min()
    high = x.max()
    stroke = x > low + F(0.1) * (high - low)
    places = np.flatnonzero(stroke)
    seed = np.zeros_like(stroke)
    seed.flat[places[rng.integers(len(places))]] = True
    square = np.ones((3, 3), bool)
    reached = ndimage.binary_dilation(seed, square, iterations=int(radius), mask=stroke)
    return np.where(reached, low, x)


def patch_occlusion(x: Image, side: float, rng: np.random.Generator) -> Image:
    """Blacken a square."""
    side = int(side)
    top = rng.integers(x.shape[0] - side + 1)
    left = rng.integers(x.shape[1] - side + 1)
    out = x.copy()
    out[top : top + side, left : left + side] = 0
    return out


def pixel_shuffle(x: Image, share: float, rng: np.random.Generator) -> Image:
    """Swap pairs of a square's pixels."""
    side = round(0.5 * min(x.shape))
    top = rng.integers(x.shape[0] - side + 1)
    left = rng.integers(x.shape[1] - side + 1)
    order = rng.permutation(side * side)
    half = side * side // 2
    pairs = math.ceil(share * half)
    one = order[:pairs]
    other = order[half : half + pairs]
    square = x[top : top + side, left : left + side].ravel()
    square[one], square[other] = square[other], square[one]
    out = x.copy()
    out[top : top + side, left : left + side] = square.reshape(side, side)
    return out


def scratches(x: Image, length: float, rng: np.random.Generator) -> Image:
    """Draw two pieces of parabolas."""
    h, w = x.shape
    rows = np.arange(h, dtype=F)[:, None] + F(0.5)
    columns = np.arange(w, dtype=F) + F(0.5)
    cover = F(0)
    for u, v, direction, bend in rng.random((2, 4)):
        below = rows - F(h * u)
        right = columns - F(w * v)
        angle = np.pi * direction
        sin = F(math.sin(angle))
        cos = F(math.cos(angle))
        along = sin * below + cos * right
        curvature = F(2 * (bend - 0.5) / (min(h, w) / 2))
        slope = curvature * along
        steepness = np.sqrt(1 + 4 * slope * slope)
        away = (cos * below - sin * right - slope * along) / steepness
        end = np.clip(F(length / 2 + 0.5) - np.abs(along), 0, 1)
        line = np.clip(1 - np.abs(away), 0, 1)
        cover = np.maximum(cover, line * end)
    return x + cover * (1 - x)


def stripes(x: Image, lines: float, rng: np.random.Generator) -> Image:
    """Whiten rows or columns."""
    out = x.copy()
    lines = int(lines)
    if rng.random() < 0.5:
        out[rng.permutation(x.shape[0])[:lines]] = 1
    else:
        out[:, rng.permutation(x.shape[1])[:lines]] = 1
    return out

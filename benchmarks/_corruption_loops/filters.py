"""Corruptions that filter: blurs, and rounding of the cosine transform."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

F = np.float32
Image = NDArray[np.float32]


def gaussian_blur(x: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Blur by SciPy's filter."""
    return ndimage.gaussian_filter(x, sigma * (1 + rng.random()) / 2, truncate=2.6)


def motion_blur(x: Image, length: float, rng: np.random.Generator) -> Image:
    """Sum shifted copies along a line."""
    h, w = x.shape
    reach = int(length / 2)
    angle = np.pi * rng.random()
    sigma = length / 6 * (1 + rng.random()) / 2
    step = np.array([math.sin(angle), math.cos(angle)])
    step /= np.abs(step).max()
    number = np.arange(1, reach + 1)
    weights = _line_weights(number * math.hypot(*step) / sigma)
    padded = np.pad(x, reach, mode="symmetric")
    out = F(1 - 2 * weights.sum()) * x
    for k in number[weights > 0]:
        dy, dx = np.rint(k * step).astype(int)
        top = reach + dy
        left = reach + dx
        one = padded[top : top + h, left : left + w]
        top = reach - dy
        left = reach - dx
        other = padded[top : top + h, left : left + w]
        out += F(weights[k - 1]) * (one + other)
    return np.clip(out, 0, 1)


def _line_weights(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of both ends' copies at distances in sigmas: 0 beyond three."""
    floor = math.exp(-4.5)
    weights = np.maximum(np.exp(-0.5 * distance**2) - floor, 0)
    return weights / (2 * weights.sum() + 1 - floor)


def quantisation(x: Image, share: float, rng: np.random.Generator) -> Image:
    """Round the cosine transform of some blocks."""
    h, w = x.shape
    down, i, rows = _transform(h, int(rng.integers(8)))
    across, j, columns = _transform(w, int(rng.integers(8)))
    size = F(0.2) * (1 + i[:, None] + j)
    rounded = np.rint(down @ x @ across.T / size) * size
    new = np.clip(down.T @ rounded @ across, 0, 1)
    shape = (rows[-1] + 1, columns[-1] + 1)
    hit = np.zeros(shape[0] * shape[1], bool)
    hit[rng.permutation(hit.size)[: math.ceil(share * hit.size)]] = True
    inside = hit.reshape(shape)[rows[:, None], columns]
    return np.where(inside, new, x)


@lru_cache
def _transform(length: int, grid: int) -> tuple[Image, Image, NDArray[np.int64]]:
    """Return the transform of blocks of 8, each coefficient's frequency, each place's block."""
    matrix = np.zeros((length, length), F)
    frequency = np.zeros(length, F)
    block = (np.arange(length) + grid) // 8
    for number in range(block[-1] + 1):
        inside = np.flatnonzero(block == number)
        size = len(inside)
        matrix[np.ix_(inside, inside)] = scipy.fft.dct(np.eye(size), axis=0, norm="ortho")
        frequency[inside] = np.arange(size) * (8 / size)
    return matrix, frequency, block

"""Corruptions that fill the highest pixels of a random field: blobs and Perlin noise."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

F = np.float32
Image = NDArray[np.float32]


def blobs(x: Image, area: float, rng: np.random.Generator) -> Image:
    """Erase the highest pixels of smoothed noise."""
    h, w = x.shape
    noise = rng.random((h, w), F) - F(0.5)
    field = _gaussian(h, 2.0) @ noise @ _gaussian(w, 2.0).T
    return np.where(_highest(field, area), F(0), x)


@lru_cache
def _gaussian(length: int, sigma: float) -> Image:
    """Return the matrix of a Gaussian filter whose output has the same variance everywhere."""
    place = np.arange(length)
    distance = np.subtract.outer(place, place)
    kernel = np.exp(-0.5 * (distance / sigma) ** 2)
    norm = np.linalg.norm(kernel, axis=1, keepdims=True)
    return (kernel / norm).astype(F)


def perlin(x: Image, area: float, rng: np.random.Generator) -> Image:
    """Fill the highest pixels of Perlin noise with more of it."""
    field = _noise(x.shape, rng)
    texture = _noise(x.shape, rng)
    filling = np.clip(F(0.9) * texture + F(0.5), 0, 1)
    return np.where(_highest(field, area), filling, x)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Image:
    """Return Perlin noise of the gradients' angles."""
    fade_y, lean_y = _lattice(shape[0], 2 ** int(rng.integers(1, 4)))
    fade_x, lean_x = _lattice(shape[1], 2 ** int(rng.integers(1, 4)))
    angle = F(2 * np.pi) * rng.random((fade_y.shape[1], fade_x.shape[1]), F)
    downwards = lean_y @ np.sin(angle) @ fade_x.T
    across = fade_y @ np.cos(angle) @ lean_x.T
    return downwards + across


@lru_cache
def _lattice(length: int, cells: int) -> tuple[Image, Image]:
    """Return the weight of each lattice point for each pixel, and that times the distance."""
    place = (np.arange(length) + 0.31) / length * cells
    distance = place[:, None] - np.arange(cells + 2)
    near = np.clip(1 - np.abs(distance), 0, 1)
    fade = near**3 * (near * (6 * near - 15) + 10)
    return fade.astype(F), (fade * distance).astype(F)


def _highest(field: Image, area: float) -> NDArray[np.bool_]:
    """Return which pixels are the highest of a field, ``area`` of all."""
    place = field.size - math.ceil(area * field.size)
    lowest = np.partition(field.ravel(), place)[place]
    return field >= lowest

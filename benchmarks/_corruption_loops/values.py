"""Corruptions that change each pixel's value: noise, dropout, brightness, contrast, shading."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F = np.float32
Image = NDArray[np.float32]


def brightness(x: Image, shift: float, rng: np.random.Generator) -> Image:
    """Add an amount of either sign."""
    u, side = rng.random(2)
    amount = F(shift * (1 + u) / 2)
    if side >= 0.5:
        amount = -amount
    return np.clip(x + amount, 0, 1)


def contrast(x: Image, amount: float, rng: np.random.Generator) -> Image:
    """Scale the distance from the mean."""
    u, side = rng.random(2)
    amount *= (1 + u) / 2
    factor = F(1 - amount) if side < 0.5 else F(1 / (1 - amount))
    mean = x.mean()
    return np.clip(mean + factor * (x - mean), 0, 1)


def gaussian_noise(x: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Add noise."""
    noise = rng.standard_normal(x.shape, F)
    return np.clip(x + F(sigma) * noise, 0, 1)


def speckle_noise(x: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Multiply by noise."""
    noise = rng.standard_normal(x.shape, F)
    return np.clip(x + x * F(sigma) * noise, 0, 1)


def pixel_dropout(x: Image, probability: float, rng: np.random.Generator) -> Image:
    """Blacken pixels."""
    return x * (rng.random(x.shape, F) >= F(probability))


def salt_and_pepper(x: Image, probability: float, rng: np.random.Generator) -> Image:
    """Overwrite pixels by 0 or 1."""
    draws = rng.random(x.shape, F)
    out = np.where(draws < F(probability), F(0), x)
    out[draws < F(probability / 2)] = 1
    return out


def ghosting(x: Image, opacity: float, rng: np.random.Generator) -> Image:
    """Screen the mirror image over the image."""
    mirrors = (x[:, ::-1], x[::-1], x[::-1, ::-1])
    mirror = mirrors[rng.integers(3)]
    weight = F(opacity * (1 + rng.random()) / 2)
    return x + (1 - x) * (weight * mirror)


def shading(x: Image, loss: float, rng: np.random.Generator) -> Image:
    """Multiply by a ramp."""
    h, w = x.shape
    turn, u = rng.random(2)
    down = math.sin(2 * np.pi * turn)
    across = math.cos(2 * np.pi * turn)
    reach = h * abs(down) + w * abs(across)
    most = loss * (1 + u) / 2
    rows = np.arange(h, dtype=F)[:, None] - F((h - 1) / 2)
    columns = np.arange(w, dtype=F) - F((w - 1) / 2)
    fall_down = F(most * down / reach) * rows
    fall_across = F(most * across / reach) * columns
    return x * (F(1 - most / 2) - fall_down - fall_across)

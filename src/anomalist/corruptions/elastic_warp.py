"""Warps a disc of the image elastically; pixels outside the disc do not change.

Strength: ``radius`` in pixels = severity x a third of the shorter side (at least 1.5 pixels). Each
image draws the disc's centre, a pixel where the largest disc fits into the image. It also draws 4 x
4 displacement vectors on a grid over the largest disc; each component is uniform within ``reach``
of the largest radius. The displacement of a pixel is interpolated smoothly between these vectors
and does not depend on the severity. The warped image fades in from the disc's edge inwards.

Source: elastic deformations, Simard et al., ICDAR 2003, which deform the whole image.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import pick, replace_around

__all__ = ["ElasticWarp"]

_GRID = 4  # vectors along each side of the grid
_FADE = 0.3  # width of the soft edge, as a fraction of the largest radius


class ElasticWarp(Corruption):
    """Warp a disc of ``radius`` pixels."""

    physical: ClassVar[str] = "radius"

    radius: float | None = Field(None, ge=0, description="radius of the disc in pixels")
    reach: float = Field(
        0.6,
        gt=0,
        le=1,
        description="largest displacement along each axis, as a fraction of the largest radius",
    )

    def most(self, shape: tuple[int, int]) -> float:
        """Return a third of the shorter side, at least 1.5 pixels."""
        return round(max(min(shape) / 3, 1.5), 9)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Warp one disc of each image."""
        shape = images.shape[2:]
        most = self.most((shape[0], shape[1]))
        draws = uniform(seed, "elastic_warp", index, 2 + 2 * _GRID**2)
        border = np.array([min(int(most), (length - 1) // 2) for length in shape])
        middle = border + pick(draws[:, :2], np.array(shape) - 2 * border)
        offset = np.arange(-int(strength), int(strength) + 1, dtype=np.float32)
        weights = _interpolation(offset / np.float32(most))
        vectors = np.float32(2 * self.reach * most) * (
            draws[:, 2:].reshape(-1, 2, _GRID, _GRID) - np.float32(0.5)
        )
        move: NDArray[np.float32] = weights @ vectors @ weights.T
        place = middle.astype(np.float32)[:, :, None] + offset
        y = move[:, 0] + place[:, 0, :, None]
        x = move[:, 1] + place[:, 1, None, :]
        away = np.sqrt(np.square(offset)[:, None] + np.square(offset))
        cover = np.clip((np.float32(strength) - away) / np.float32(_FADE * most), 0, 1)
        return replace_around(images, middle, cover[None], y, x)


def _interpolation(place: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights ``[k, 4]`` of grid points at places in [-1, 1]: cubic B-splines."""
    position = np.clip((place + 1) * np.float32((_GRID - 1) / 2), 0, _GRID - 1)
    near = np.clip(1 - np.abs(position[:, None] - np.arange(_GRID, dtype=np.float32)), 0, 1)
    weights: NDArray[np.float32] = near * near * (3 - 2 * near)
    return weights

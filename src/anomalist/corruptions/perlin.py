"""Fills irregular regions of Perlin noise with a texture: stains, foreign matter.

Each image has a field of Perlin noise with 2, 4 or 8 cells along each axis. The number of cells and
the offset of the first one are drawn for each axis. The ceil(area x H x W) pixels where the noise
is highest are filled, so a larger area contains each smaller one.

Strength: ``area`` = severity, the fraction of the image's pixels that are filled. Where the fill
equals the original value, such as black on black, nothing changes.

Source: DRAEM, Zavrtanik et al., ICCV 2021, whose textures are photographs; noise as in Perlin,
SIGGRAPH 1985, with the fade function of Perlin, SIGGRAPH 2002.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import pick

__all__ = ["Perlin"]

_CELLS = (2, 4, 8)
# Lattice points along an axis; the lattice may begin up to a cell before the image.
_POINTS = _CELLS[-1] + 2
# Offsets of the lattice from the image, so that no pixel is always nearest to a lattice point.
_PHASES = 16
_SPREAD = 0.9  # scales noise, which is seldom beyond +-0.6, to a texture around 0.5


class Perlin(Corruption):
    """Overwrite regions of Perlin noise that cover the fraction ``area`` of the image."""

    physical: ClassVar[str] = "area"

    area: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of the image's pixels that are filled",
    )
    fill: Literal["texture", "noise", "black", "white"] = Field(
        "texture",
        description="content of the regions: a texture of Perlin noise, white noise, black or "
        "white",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Fill the regions of each image."""
        n, _, h, w = images.shape
        field = _noise((h, w), seed, "perlin/shape", index)
        place = h * w - math.ceil(round(strength * h * w, 9))
        lowest = np.partition(field.reshape(n, -1), place, axis=1)[:, place]
        hit = field >= lowest[:, None, None]
        return np.where(hit[:, None], self._filling(images.shape, seed, index), images)

    def _filling(
        self,
        shape: tuple[int, ...],
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32] | np.float32:
        _, _, h, w = shape
        if self.fill == "texture":
            field = _noise((h, w), seed, "perlin/texture", index)[:, None]
            texture: NDArray[np.float32] = np.clip(
                np.float32(_SPREAD) * field + np.float32(0.5), 0, 1
            )
            return texture
        if self.fill == "noise":
            return uniform(seed, "perlin/noise", index, math.prod(shape[1:])).reshape(shape)
        return np.float32(self.fill == "white")


def _noise(
    shape: tuple[int, int],
    seed: int,
    purpose: str,
    index: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return one field of Perlin noise for each image: float32 ``[n, H, W]``, about 0."""
    draws = uniform(seed, purpose, index, 2 + _POINTS**2)
    angle = np.float32(2 * np.pi) * draws[:, 2:].reshape(-1, _POINTS, _POINTS)
    which = pick(draws[:, :2], len(_CELLS) * _PHASES)
    (fade_y, lean_y), (fade_x, lean_x) = _weights(shape[0]), _weights(shape[1])
    fade_y = fade_y[which[:, 0]]
    lean_y = lean_y[which[:, 0]]
    fade_x = fade_x[which[:, 1]]
    lean_x = lean_x[which[:, 1]]
    rows = np.concatenate([lean_y @ np.sin(angle), fade_y @ np.cos(angle)], axis=2)
    field: NDArray[np.float32] = rows @ np.concatenate([fade_x, lean_x], axis=2).transpose(0, 2, 1)
    return field


@lru_cache(maxsize=32)
def _weights(length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the fade of lattice points along an axis, and fade times distance.

    Both are float32 ``[48, length, points]``. The noise is the sum over points of the fade times
    the dot product of gradient and distance. The fade of a point is the product of the fades along
    both axes.
    """
    position = (np.arange(length) + 0.5) / length
    # No pixel falls on a lattice point, where all noise is 0.
    begin = (np.arange(_PHASES) + 0.31) / _PHASES
    place = np.stack([position * cells + first for cells in _CELLS for first in begin])
    distance = place[:, :, None] - np.arange(_POINTS)
    near = np.clip(1 - np.abs(distance), 0, 1)
    fade = near**3 * (near * (6 * near - 15) + 10)
    return fade.astype(np.float32), (fade * distance).astype(np.float32)

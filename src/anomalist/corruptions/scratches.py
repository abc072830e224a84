"""Draws thin curved lines over the image: scratches, hairs, fibres.

Strength: ``length`` in pixels = severity x the shorter side. Each image draws ``count`` scratches,
each with a random centre, direction and curvature. A scratch is a piece of a parabola, ``width``
pixels wide, that grows from its centre to both sides. The opacity of a pixel is 1/2 + half the
width minus its distance from the curve, clipped to [0, 1]; with hard edges it is 0 or 1. A longer
scratch covers all pixels of a shorter one.

Source: the zigzag lines of MNIST-C, Mu & Gilmer, 2019; here curved and at random positions.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import soften

__all__ = ["Scratches"]

_BEND = (
    1.0  # largest rise of a curve at the end of a full-length scratch, relative to half its length
)


class Scratches(Corruption):
    """Draw ``count`` curves of ``length`` pixels each."""

    physical: ClassVar[str] = "length"

    length: float | None = Field(
        None, ge=0, description="length of each scratch in pixels, along its chord"
    )
    count: int = Field(
        2,
        ge=1,
        le=100,
        description="number of scratches per image",
    )
    width: float = Field(1.0, gt=0, description="width in pixels")
    edges: Literal["soft", "hard"] = Field(
        "soft", description="with anti-aliasing (soft) or without (hard)"
    )
    value: Literal["white", "black"] = Field("white", description="colour of the scratches")

    def most(self, shape: tuple[int, int]) -> float:
        """Return the shorter side."""
        return min(shape)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Draw the scratches of each image."""
        h, w = images.shape[2:]
        draws = uniform(seed, "scratches", index, 4 * self.count).reshape(-1, self.count, 4)
        cover = np.zeros((len(images), 1, h, w), np.float32)
        for number in range(self.count):
            np.maximum(cover, self._cover((h, w), strength, draws[:, number])[:, None], out=cover)
        return soften(images, cover, np.float32(self.value == "white"))

    def _cover(
        self,
        shape: tuple[int, int],
        length: float,
        draws: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the opacity of one scratch at each pixel: float32 ``[n, H, W]`` in [0, 1]."""
        h, w = shape
        y = np.arange(h, dtype=np.float32) + np.float32(0.5) - np.float32(h) * draws[:, :1]
        x = np.arange(w, dtype=np.float32) + np.float32(0.5) - np.float32(w) * draws[:, 1:2]
        angle = np.float32(np.pi) * draws[:, 2:3]
        cos = np.cos(angle)
        sin = np.sin(angle)
        bend = (
            np.float32(2 * _BEND)
            * (draws[:, 3] - np.float32(0.5))
            / np.float32(max(min(shape), 2) / 2)
        )[:, None]
        along = (sin * y)[:, :, None] + (cos * x)[:, None, :]
        away = (cos * y)[:, :, None] - (sin * x)[:, None, :]
        slope = bend[:, :, None] * along
        away -= slope * along
        slope *= 2
        away /= np.sqrt(1 + slope * slope)  # the distance from the curve, to first order
        half = np.float32(self.width / 2)
        cover: NDArray[np.float32] = np.clip(
            half + np.float32(0.5) - np.abs(away, out=away), 0, 1, out=away
        )
        np.abs(along, out=along)
        cover *= np.clip(np.float32(length / 2 + 0.5) - along, 0, 1, out=along)
        return cover if self.edges == "soft" else (cover >= 0.5).astype(np.float32)

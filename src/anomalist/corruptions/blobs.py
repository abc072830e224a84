"""Fills irregular regions of smoothed noise: stains, gaps, scratches.

Each image has a field of white noise smoothed by a Gaussian of standard deviation ``scale`` pixels
(two fields for scratches). The ``ceil(area x H x W)`` pixels where the field is highest are filled,
as in DRAEM (Zavrtanik et al., ICCV 2021), which uses Perlin noise. The regions never have a
straight edge, and a larger area contains each smaller one.

With ``shape="blot"`` the region is mostly connected, because the field decreases with the distance
from a random centre. In half of the images the centre is uniform over all pixels; in the other half
its probability is proportional to the pixel value, so that bright structures are covered more often
than by chance. ``fill="paste"`` takes content from elsewhere in the image, as CutPaste does (Li et
al., CVPR 2021).

Strength: ``area`` = severity, the fraction of the image's pixels that are filled. Where the fill
equals the original value, such as black on black, nothing changes.

Source: regions as in DRAEM, Zavrtanik et al., ICCV 2021; pasted content as in CutPaste, Li et al.,
CVPR 2021.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["Blobs"]

_Fill = Literal["black", "white", "grey", "noise", "paste"]
_FILLS: tuple[_Fill, ...] = get_args(_Fill)
_THIN = 8.0  # approximate ratio of length to width of a scratch
_FALL = (
    1.5  # decrease of a blot's field per ``scale`` pixels: a rough edge, but seldom several pieces
)
# Fraction of pasted copies that are inverted, so that a copy differs even in a one-pixel image.
_NEGATIVE = 0.25


class Blobs(Corruption):
    """Overwrite irregular regions that cover the fraction ``area`` of the image."""

    physical: ClassVar[str] = "area"

    area: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of the image's pixels that are filled",
    )
    scale: float = Field(
        2.0, gt=0, description="sigma of the noise's smoothing in pixels; larger is coarser"
    )
    shape: Literal["spots", "blot", "scratches"] = Field(
        "spots", description="several round regions, one region, or long thin curved regions"
    )
    fill: Literal["black", "white", "grey", "noise", "paste", "mixed"] = Field(
        "black",
        description="content of the regions: black, white, one grey per image, noise, content from "
        "elsewhere in the image (paste), or one of these drawn for each image (mixed)",
    )
    opacity: float = Field(
        1.0,
        gt=0,
        le=1,
        description="lowest opacity of the fill; drawn for each image, log-uniform up to 1",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Fill the regions of each image."""
        hit = self._region(images, strength, seed, index)[:, None]
        out = images * ~hit  # two products and a sum are faster than np.where, and as exact
        out += self._filling(images, seed, index) * hit
        return out

    def _region(
        self,
        images: NDArray[np.float32],
        area: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return the filled pixels: bool ``[n, H, W]``, the same number in each image."""
        h, w = images.shape[2:]
        field = _smooth((h, w), self.scale, seed, "blobs/shape", index)
        # Scratches follow the zero line of a second field where the first one is high.
        if self.shape == "scratches":
            field -= np.float32(_THIN) * np.abs(
                _smooth((h, w), self.scale, seed, "blobs/line", index)
            )
        elif self.shape == "blot":
            field -= np.float32(_FALL / self.scale) * _distance(images, seed, index)
        place = h * w - math.ceil(round(area * h * w, 9))
        lowest = np.partition(field.reshape(-1, h * w), place, axis=1)[:, place]
        return field >= lowest[:, None, None]

    def _filling(
        self,
        images: NDArray[np.float32],
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return the content of the regions: float32 like ``images``."""
        if self.fill == "mixed":
            chosen = (uniform(seed, "blobs/fill", index, 1)[:, 0] * np.float32(len(_FILLS))).astype(
                np.int64
            )
            filling = np.empty(images.shape, np.float32)
            for number, fill in enumerate(_FILLS):
                rows = np.flatnonzero(chosen == number)
                filling[rows] = _fill(fill, images[rows], seed, index[rows])
        else:
            filling = _fill(self.fill, images, seed, index)
        if self.opacity == 1:
            return filling
        opacity = (
            np.float32(self.opacity) ** uniform(seed, "blobs/opacity", index, 1)[:, :, None, None]
        )
        return np.clip(images + opacity * (filling - images), 0, 1)


def _smooth(
    shape: tuple[int, int],
    scale: float,
    seed: int,
    purpose: str,
    index: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return white noise smoothed by a Gaussian, with mean 0 and variance 1 at every pixel."""
    h, w = shape
    noise = uniform(seed, purpose, index, h * w).reshape(-1, h, w)
    noise -= np.float32(0.5)
    noise *= np.float32(math.sqrt(12))
    smooth: NDArray[np.float32] = (
        _gaussian(h, scale) @ noise @ np.ascontiguousarray(_gaussian(w, scale).T)
    )
    return smooth


def _distance(
    images: NDArray[np.float32],
    seed: int,
    index: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return each pixel's distance from the centre of the blot, float32 ``[n, H, W]``."""
    n, _, h, w = images.shape
    draws = uniform(seed, "blobs/centre", index, 2)
    weight = images.mean(axis=1, dtype=np.float64).reshape(n, -1)
    weight[(draws[:, 0] < 0.5) | (weight.sum(axis=1) == 0)] = 1
    held = np.cumsum(weight, axis=1)
    place = np.minimum((held <= draws[:, 1:] * held[:, -1:]).sum(axis=1), h * w - 1)
    y, x = (axis.astype(np.float32)[:, None, None] for axis in divmod(place, w))
    away: NDArray[np.float32] = np.hypot(
        np.arange(h, dtype=np.float32)[:, None] - y, np.arange(w, dtype=np.float32) - x
    )
    return away


@lru_cache(maxsize=64)
def _gaussian(length: int, scale: float) -> NDArray[np.float32]:
    """Return the matrix that smooths along an axis; rows of norm 1 keep the variance at 1."""
    away = np.subtract.outer(np.arange(length), np.arange(length)) / scale
    kernel: NDArray[np.float64] = np.exp(-0.5 * away**2)
    kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
    return kernel.astype(np.float32)


def _fill(
    fill: _Fill,
    images: NDArray[np.float32],
    seed: int,
    index: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the image that the regions show: float32 like ``images``."""
    if fill == "paste":
        return _elsewhere(images, seed, index)
    if fill == "noise":
        return uniform(seed, "blobs/noise", index, math.prod(images.shape[1:])).reshape(
            images.shape
        )
    if fill == "grey":
        return np.broadcast_to(
            uniform(seed, "blobs/grey", index, 1)[:, :, None, None], images.shape
        )
    return np.full_like(images, fill == "white")


def _elsewhere(
    images: NDArray[np.float32],
    seed: int,
    index: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return each image shifted cyclically and flipped at random along each axis."""
    draws = uniform(seed, "blobs/paste", index, 5)
    rows, columns = (
        _walk(draws[:, 2 * axis : 2 * axis + 2], length)
        for axis, length in enumerate(images.shape[2:])
    )
    copy = images[np.arange(len(images))[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    copy = copy.transpose(0, 3, 1, 2)
    return np.where((draws[:, 4] < _NEGATIVE)[:, None, None, None], 1 - copy, copy)


def _walk(draws: NDArray[np.float32], length: int) -> NDArray[np.int64]:
    """Return the source position of each position along an axis, for each image."""
    step = 1 + (draws[:, :1].astype(np.float64) * max(length - 1, 1)).astype(np.int64)
    way = np.where(draws[:, 1:] < 0.5, 1, -1)
    return (way * np.arange(length) + step) % length

"""Erases one connected piece of a stroke: a broken line, missing ink.

The stroke is the set of pixels that exceed the image's darkest value by more than ``level`` times
its value range (in the mean of the channels). Each image draws one pixel of the stroke. All stroke
pixels within ``radius`` steps of it take the darkest value of each channel; a step leads along the
stroke to any of the eight neighbours.

Strength: ``radius`` in steps = ceil(severity x half the shorter side). More steps reach every pixel
that fewer steps reach.

Source: geodesic dilation, Lantuejoul & Maisonneuve, Pattern Recognition 1984; fractures of
Morpho-MNIST, Castro et al., JMLR 2019.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import pick

__all__ = ["MissingStroke"]


class MissingStroke(Corruption):
    """Erase the stroke within ``radius`` steps of a random stroke pixel."""

    physical: ClassVar[str] = "radius"

    radius: int | None = Field(
        None, ge=0, description="length of the erased piece in each direction, in pixels"
    )
    level: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="threshold of the stroke, as a fraction of the image's value range",
    )

    def most(self, shape: tuple[int, int]) -> int:
        """Return half the shorter side."""
        return max(min(shape) // 2, 1)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Erase one piece of each image's stroke."""
        grey = images[:, 0] if images.shape[1] == 1 else images.mean(axis=1)
        low = grey.min(axis=(1, 2), keepdims=True)
        high = grey.max(axis=(1, 2), keepdims=True)
        stroke = grey > low + np.float32(self.level) * (high - low)
        reached = _one_of(stroke, uniform(seed, "missing_stroke", index, 1)[:, 0])
        for _ in range(int(strength)):
            reached = _neighbours(reached)
            reached &= stroke
        return np.where(reached[:, None], images.min(axis=(2, 3), keepdims=True), images)


def _one_of(marked: NDArray[np.bool_], draw: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark one random pixel among the marked pixels ``[n, H, W]`` of each image, if any."""
    until = np.cumsum(marked.sum(axis=2), axis=1)  # marked pixels up to each row's end
    number = pick(draw, until[:, -1])
    row = (until <= number[:, None]).sum(axis=1) % marked.shape[1]
    image = np.arange(len(marked))
    line = marked[image, row]
    before = until[image, row] - line.sum(axis=1)
    column = (np.cumsum(line, axis=1) <= (number - before)[:, None]).sum(axis=1) % marked.shape[2]
    one = np.zeros_like(marked)
    one[image, row, column] = marked[image, row, column]
    return one


def _neighbours(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the marked pixels and their eight neighbours."""
    wide = marked.copy()
    wide[:, :, 1:] |= marked[:, :, :-1]
    wide[:, :, :-1] |= marked[:, :, 1:]
    grown = wide.copy()
    grown[:, 1:] |= wide[:, :-1]
    grown[:, :-1] |= wide[:, 1:]
    return grown

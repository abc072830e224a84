"""One connected piece of a stroke is erased: a broken line, ink that did not take.

A stroke is what is brighter than the image's darkest value by more than ``level`` of its range (in
the mean of the channels). Each image draws one of these pixels. All pixels that can be reached from
it in ``radius`` steps over such pixels, to any of the eight neighbours, take each channel's darkest
value.

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
    """Erase the bright pixels within ``radius`` steps of one of them."""

    physical: ClassVar[str] = "radius"

    radius: int | None = Field(None, ge=0, description="steps along the stroke, to each side")
    level: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="where a stroke begins, as a share of the image's range",
    )

    def most(self, shape: tuple[int, int]) -> int:
        """Half the shorter side."""
        return max(min(shape) // 2, 1)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Erase each image's own piece."""
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
    """Mark a random one of each image's marked pixels ``[n, H, W]``, if there are any."""
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
    """Mark what is marked and its eight neighbours."""
    wide = marked.copy()
    wide[:, :, 1:] |= marked[:, :, :-1]
    wide[:, :, :-1] |= marked[:, :, 1:]
    grown = wide.copy()
    grown[:, 1:] |= wide[:, :-1]
    grown[:, :-1] |= wide[:, 1:]
    return grown

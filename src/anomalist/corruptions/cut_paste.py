"""Copies a square patch of the image to another place: a plausible part in the wrong position.

As in CutPaste, the patch comes from the same image, so the result for an image does not depend on
the other images.

Strength: ``side`` = ceil(severity x half the shorter side). Each image draws the displacement of
the patch, between a quarter and a half of the image along at least one axis. It then draws the
position, uniform over all positions where the patch and its copy lie within the image. A larger
patch contains each smaller one.

Source: CutPaste, Li et al., CVPR 2021, whose patches are rectangles of any shape.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import cut, pick, put

__all__ = ["CutPaste"]


class CutPaste(Corruption):
    """Copy one ``side`` x ``side`` square to another place."""

    physical: ClassVar[str] = "side"

    side: int | None = Field(None, ge=0, description="side of the square in pixels")

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
        """Copy one square of each image."""
        shape = (images.shape[2], images.shape[3])
        side = int(strength)
        steps = _steps(shape)
        if len(steps) == 0:  # an image of one pixel has no other place
            return images
        draws = uniform(seed, "cut_paste", index, 3)
        step = steps[pick(draws[:, 0], len(steps))]
        # Within it, the patch and its copy both lie in the image.
        room = np.array(shape) - np.abs(step)
        corner = np.maximum(0, -step) + pick(draws[:, 1:], room - side + 1)
        source = corner + step
        patches = cut(images, source[:, 0], source[:, 1], (side, side))
        return put(images, corner[:, 0], corner[:, 1], patches)


@lru_cache(maxsize=16)
def _steps(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return all steps (down, across) from a copy to its source: ``[n, 2]``."""
    down, across = (np.arange(-(length // 2), length // 2 + 1) for length in shape)
    steps = np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1).reshape(-1, 2)
    return steps[(4 * np.abs(steps) >= shape).any(axis=1)]

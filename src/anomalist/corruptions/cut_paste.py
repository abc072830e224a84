"""A square patch of the image is pasted elsewhere in it: a wrong part that looks right by itself.

As in CutPaste, the patch comes from the same image, so the result for an image depends only on its
number.

Strength: ``side`` = ceil(severity x half the shorter side). Each image draws how far the patch
moves, between a quarter and a half of the image along one axis or both, then its place u, v in [0,
1), uniform where both the patch and its copy lie within the image. A larger patch contains each
smaller one.

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
        """Half the shorter side."""
        return max(min(shape) // 2, 1)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Copy each image's own square."""
        shape = (images.shape[2], images.shape[3])
        side = int(strength)
        steps = _steps(shape)
        if len(steps) == 0:  # an image of one pixel has no elsewhere
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

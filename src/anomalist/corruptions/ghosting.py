"""Superimposes the image's mirror image: a double exposure, a reflection in glass.

Strength: ``opacity`` = severity. Each image has two draws: the mirror axis (left-right, top-bottom
or both), and u in [0, 1). With a = opacity (1 + u) / 2 and the mirrored image m, x becomes 1 - (1 -
x)(1 - a m), which stays in [0, 1].

Source: reflections as additive layers, Levin & Weiss, TPAMI 2007; here the reflection is of the
image itself.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import pick

__all__ = ["Ghosting"]


class Ghosting(Corruption):
    """Superimpose the mirror image with an opacity of up to ``opacity``."""

    physical: ClassVar[str] = "opacity"

    opacity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest opacity of the mirror image",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Superimpose the mirror image of each image."""
        draws = uniform(seed, "ghosting", index, 2)
        mirror = pick(draws[:, 0], 3)
        light = np.empty_like(images)
        for kind, mirrored in enumerate(
            (images[:, :, :, ::-1], images[:, :, ::-1], images[:, :, ::-1, ::-1])
        ):
            light[mirror == kind] = mirrored[mirror == kind]
        light *= (np.float32(strength) * (1 + draws[:, 1]) / 2)[:, None, None, None]
        light *= 1 - images
        light += images
        return np.minimum(light, 1, out=light)

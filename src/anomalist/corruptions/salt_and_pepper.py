"""Pixels turn white or black, each kind half of the time: impulse noise, broken transmission.

Strength: ``probability`` = severity. A pixel has one uniform draw u and is hit if u < probability;
the last of the draw's 24 bits chooses white or black. A pixel that is hit at one strength is
therefore the same at every higher one. All channels of a pixel change together.

Source: impulse noise in Gonzalez & Woods, "Digital image processing".
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["SaltAndPepper"]


class SaltAndPepper(Corruption):
    """Set a pixel to 0 or 1 with probability ``probability``."""

    physical: ClassVar[str] = "probability"

    probability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="chance that a pixel goes white or black",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Overwrite the pixels whose draw lies under the probability."""
        n, _, h, w = images.shape
        draws = uniform(seed, "salt_and_pepper", index, h * w).reshape(n, 1, h, w)
        hit = draws < np.float32(strength)
        white = (draws * np.float32(2**24)).astype(np.int32)
        white &= hit  # the last bit, where it is hit
        changed = images * ~hit
        return np.maximum(changed, white, out=changed, casting="unsafe")

"""Sets random pixels to white or black: impulse noise, transmission errors.

Strength: ``probability`` = severity. Each pixel has one uniform draw u in [0, 1) and changes if u <
probability. The last of the draw's 24 bits chooses white or black with equal probability. A pixel
that changes at one strength has the same value at every higher one. All channels of a pixel change
together.

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
        description="probability that a pixel becomes white or black",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Overwrite the pixels whose draw is below the probability."""
        n, _, h, w = images.shape
        draws = uniform(seed, "salt_and_pepper", index, h * w).reshape(n, 1, h, w)
        hit = draws < np.float32(strength)
        white = (draws * np.float32(2**24)).astype(np.int32)
        white &= hit  # the last bit of the pixels that change
        changed = images * ~hit
        return np.maximum(changed, white, out=changed, casting="unsafe")

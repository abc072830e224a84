"""Sets random pixels to black: dead sensor elements.

Strength: ``probability`` = severity. Each pixel has one uniform draw u in [0, 1) and becomes black
if u < probability, so pixels that are black at one strength are black at every higher one. All
channels of a pixel change together.

Source: masking noise of denoising autoencoders, Vincent et al., ICML 2008.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption

__all__ = ["PixelDropout"]


class PixelDropout(Corruption):
    """Set a pixel to 0 with probability ``probability``."""

    physical: ClassVar[str] = "probability"

    probability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="probability that a pixel becomes black",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Set the pixels whose draw is below the probability to 0."""
        n, _, h, w = images.shape
        kept = uniform(seed, "pixel_dropout", index, h * w).reshape(n, 1, h, w) >= np.float32(
            strength
        )
        return images * kept

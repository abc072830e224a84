"""Pixels go black, each with the same probability: dead sensor elements.

Strength: ``probability`` = severity. A pixel has one uniform draw u and is dropped if u <
probability, so pixels that are dropped at one strength stay dropped at every higher one. All
channels of a pixel are dropped together.

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
        description="chance that a pixel goes black",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Drop the pixels whose draw lies under the probability."""
        n, _, h, w = images.shape
        kept = uniform(seed, "pixel_dropout", index, h * w).reshape(n, 1, h, w) >= np.float32(
            strength
        )
        return images * kept

"""Multiplies by Gaussian noise: the speckle of ultrasound, radar and laser images.

Strength: ``sigma`` = severity. Each value (pixel and channel) has one standard normal draw z and
becomes clip(x + sigma x z), so black stays black and every change grows with sigma.

Source: speckle noise of ImageNet-C, Hendrycks & Dietterich, ICLR 2019.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import normal
from anomalist.corruptions._base import Corruption

__all__ = ["SpeckleNoise"]


class SpeckleNoise(Corruption):
    """Multiply every value by a normal draw of mean 1 and standard deviation ``sigma``."""

    physical: ClassVar[str] = "sigma"

    sigma: float | None = Field(
        None,
        ge=0,
        le=1,
        description="standard deviation, relative to the pixel value",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Add the product of value and scaled draw, and clip."""
        noise = normal(seed, "speckle_noise", index, images[0].size).reshape(images.shape)
        noise *= images
        noise *= np.float32(strength)
        noise += images
        return np.clip(noise, 0, 1, out=noise)

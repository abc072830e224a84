"""Adds Gaussian noise and clips to [0, 1]: a noisy sensor.

Strength: ``sigma`` = severity, in units of the full value range. Each value (pixel and channel) has
one standard normal draw z and becomes clip(x + sigma z), so every change grows with sigma.

Source: Gaussian noise of ImageNet-C, Hendrycks & Dietterich, ICLR 2019.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import normal
from anomalist.corruptions._base import Corruption

__all__ = ["GaussianNoise"]


class GaussianNoise(Corruption):
    """Add noise of standard deviation ``sigma`` to every value."""

    physical: ClassVar[str] = "sigma"

    sigma: float | None = Field(
        None,
        ge=0,
        le=1,
        description="standard deviation, as a fraction of the value range",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Add the scaled draws and clip."""
        noise = normal(seed, "gaussian_noise", index, images[0].size).reshape(images.shape)
        noise *= np.float32(strength)
        noise += images
        return np.clip(noise, 0, 1, out=noise)

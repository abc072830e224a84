"""Latent: how sparse the training images lie around an image's code, by the local outlier factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalist.models.lof import Lof

__all__ = ["LatentDensity"]


@dataclass(frozen=True)
class LatentDensity:
    """LOF with 20 neighbours (Breunig et al., SIGMOD 2000) of codes among the codes of training images.

    Codes are scaled into [0, 1], all numbers alike, and given to the detector ``lof`` as images of one row. The range
    is three times as wide as that of the training codes; what lies beyond counts as lying at its edge.
    """

    low: float
    width: float
    lof: Lof

    @classmethod
    def fit(cls, codes: NDArray[np.float32]) -> Self:
        """Return the density of codes, float32 ``[N, K]``."""
        low, high = float(codes.min()), float(codes.max())
        reach = high - low or 1.0
        density = cls(low - reach, 3 * reach, Lof())
        density.lof.fit(density._as_images(codes))
        return density

    def score(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local outlier factors, float32 ``[N]``: about 1 where it is as dense as around the neighbours."""
        return self.lof.score(self._as_images(codes)).image

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays."""
        return {"range": np.array([self.low, self.width]), **self.lof._arrays()}

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]], width: int) -> Self:
        """Return what ``arrays`` returned, for codes of ``width`` numbers."""
        low, reach = arrays["range"].tolist()
        density = cls(low, reach, Lof())
        density.lof._shape = (1, 1, width)
        density.lof._restore(arrays)
        return density

    def _as_images(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = (codes.astype(np.float64) - self.low) / self.width
        images: NDArray[np.float32] = np.clip(scaled, 0, 1).astype(np.float32)[:, None, None, :]
        return images

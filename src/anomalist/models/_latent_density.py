"""The local outlier factor of codes or restorations of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalist.models._nested import detector_arrays, take_detector
from anomalist.models.lof import Lof

__all__ = ["LatentDensity", "by_directions", "log"]

_PREFIX = "density."
_RANGE = "density.range"
_SMALLEST = 1e-12  # smallest argument of a logarithm


@dataclass(frozen=True)
class LatentDensity:
    """LOF with 20 neighbours (Breunig et al., SIGMOD 2000) of codes among the training codes.

    Codes are scaled to [0, 1] by one common factor and passed to the detector ``lof`` as images of
    one row. The range is three times as wide as that of the training codes; values beyond it are
    clipped.

    Attributes:
        low: the lower end of the range.
        width: the width of the range.
        lof: the detector, fitted on the training codes.
    """

    low: float
    width: float
    lof: Lof

    @classmethod
    def fit(cls, codes: NDArray[np.float32]) -> Self:
        """Return the density fitted on training codes, float32 ``[N, K]``."""
        low = float(codes.min())
        high = float(codes.max())
        reach = high - low or 1.0
        density = cls(low - reach, 3 * reach, Lof())
        density.lof.fit(density._as_images(codes))
        return density

    def score(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local outlier factors, float32 ``[N]``: about 1 for typical codes."""
        return self.lof.score(self._as_images(codes)).image

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays whose names begin with ``density.``."""
        return {_RANGE: np.array([self.low, self.width]), **detector_arrays(_PREFIX, self.lof)}

    @classmethod
    def take(cls, arrays: dict[str, NDArray[Any]], width: int) -> Self:
        """Restore from the arrays of :meth:`arrays`, and remove them; codes have size ``width``."""
        low, reach = arrays.pop(_RANGE).tolist()
        return cls(low, reach, take_detector(_PREFIX, arrays, Lof(), (1, 1, width)))

    def _as_images(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = np.clip((codes.astype(np.float64) - self.low) / self.width, 0, 1)
        images: NDArray[np.float32] = scaled.astype(np.float32)[:, None, None, :]
        return images


def by_directions() -> Lof:
    """Return LOF on gradient directions, its best setting for digits, for images or residuals."""
    return Lof(directions=8, blur=2.0)


def log(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logarithms, because errors and local outlier factors have long upper tails."""
    logarithms: NDArray[np.float64] = np.log(np.maximum(values.astype(np.float64), _SMALLEST))
    return logarithms

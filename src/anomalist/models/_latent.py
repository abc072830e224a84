"""Latent: how sparse the training images lie around an image, by the local outlier factor of what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalist.models.lof import Lof

__all__ = ["ImageDensity", "LatentDensity", "log", "nest", "take"]

_PREFIX = "density."
_SPLIT: dict[str, Any] = {"directions": 8, "blur": 2.0}


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
        """Return all of it as arrays, whose names begin with ``density.``."""
        arrays = {"range": np.array([self.low, self.width]), **self.lof._arrays()}
        return nest(_PREFIX, arrays)

    @classmethod
    def take(cls, arrays: dict[str, NDArray[Any]], width: int) -> Self:
        """Take what :meth:`arrays` returned out of ``arrays`` and return it, for codes of ``width`` numbers."""
        own = take(_PREFIX, arrays)
        low, reach = own["range"].tolist()
        density = cls(low, reach, Lof())
        density.lof._shape = (1, 1, width)
        density.lof._restore(own)
        return density

    def _as_images(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = (codes.astype(np.float64) - self.low) / self.width
        images: NDArray[np.float32] = np.clip(scaled, 0, 1).astype(np.float32)[:, None, None, :]
        return images


@dataclass(frozen=True)
class ImageDensity:
    """LOF of what is made of an image, as large as it, split by the gradient's direction: as ``lof`` sees digits best.

    Images are float32 ``[N, C, H, W]`` in [0, 1].
    """

    lof: Lof

    @classmethod
    def fit(cls, images: NDArray[np.float32]) -> Self:
        """Return the density of images."""
        return cls(Lof(**_SPLIT).fit(images))

    def score(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the local outlier factors, float32 ``[N]``."""
        return self.lof.score(images).image

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays, whose names begin with ``density.``."""
        return nest(_PREFIX, self.lof._arrays())

    @classmethod
    def take(cls, arrays: dict[str, NDArray[Any]], shape: tuple[int, int, int]) -> Self:
        """Take what :meth:`arrays` returned out of ``arrays`` and return it, for images of a shape (C, H, W)."""
        density = cls(Lof(**_SPLIT))
        density.lof._shape = shape
        density.lof._restore(take(_PREFIX, arrays))
        return density


def log(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return logarithms: errors and local outlier factors have a long upper tail."""
    logarithms: NDArray[np.float64] = np.log(np.maximum(values.astype(np.float64), 1e-12))
    return logarithms


def nest(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return arrays of a part under names that begin with ``prefix``."""
    return {prefix + name: value for name, value in arrays.items()}


def take(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Take out of ``arrays`` what :func:`nest` put in, and return it."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in [*arrays] if name.startswith(prefix)}

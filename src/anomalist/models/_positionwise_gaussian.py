"""A normal distribution of feature vectors at each position of a grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["PositionwiseGaussian", "regularise"]

Array = NDArray[np.float32]

_AT_ONCE = 16  # images per product; constant, because the last bits of a product depend on its size
_POSITIONS = 256  # positions whose covariances are processed at once
_MIN_VARIANCE = 1e-6  # smallest mean variance that the regularisation is relative to


@dataclass(frozen=True)
class PositionwiseGaussian:
    """Means and whitening matrices at each of P positions.

    Attributes:
        mean: float32 ``[P, K]``, m_p.
        whitening: float32 ``[P, K, K]``, W_p with S_p^-1 = W_p' W_p.
    """

    mean: Array
    whitening: Array

    @classmethod
    def fit(cls, parts: Iterable[Array], regularisation: float) -> Self:
        """Return the distributions of vectors at P = h w positions.

        Args:
            parts: the vectors of batches of images, float32 ``[n, K, h, w]``.
            regularisation: added to each variance, in units of the mean variance; it keeps the
                covariances of few images or constant vectors invertible.
        """
        n = 0
        total = np.zeros(1)
        # Sums of products in blocks of positions, so that each block can be freed after use.
        products: list[NDArray[np.float64]] = []
        for part in parts:
            vectors = part.reshape(*part.shape[:2], -1).transpose(2, 0, 1).astype(np.float64)
            n += len(part)
            total = total + vectors.sum(axis=1)
            blocks = [vectors[rows] for rows in _blocks(len(vectors))]
            if not products:
                k = vectors.shape[2]
                products = [np.zeros((len(block), k, k)) for block in blocks]
            for sums, block in zip(products, blocks, strict=True):
                sums += block.swapaxes(1, 2) @ block
        mean = total / n
        _to_covariances(products, mean, n)
        return cls(mean.astype(np.float32), _whitening(products, mean.shape, regularisation))

    def distances(self, vectors: Array) -> Array:
        """Return the Mahalanobis distances of vectors.

        Args:
            vectors: float32 ``[N, K, h, w]``.

        Returns:
            float32 ``[N, h, w]``.
        """
        n, k, height, width = vectors.shape
        centred = vectors.reshape(n, k, -1).transpose(2, 1, 0) - self.mean[:, :, None]
        distances = np.empty((n, height * width), np.float32)
        block = np.zeros((height * width, k, _AT_ONCE), np.float32)
        for first in range(0, n, _AT_ONCE):
            count = min(_AT_ONCE, n - first)
            block[:, :, :count] = centred[:, :, first : first + count]
            white = self.whitening @ block
            lengths = np.sqrt(np.square(white, dtype=np.float64).sum(axis=1))
            distances[first : first + count] = lengths[:, :count].T
        return distances.reshape(n, height, width)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return mean and whitening by name."""
        return {"mean": self.mean, "whitening": self.whitening}


def regularise(covariance: NDArray[np.float64], share: float) -> None:
    """Add ``share`` of the mean variance to each variance of ``[..., K, K]``, in place."""
    own = np.arange(covariance.shape[-1])
    covariance[..., own, own] += _added(float(covariance[..., own, own].mean()), share)


def _to_covariances(
    products: list[NDArray[np.float64]],
    mean: NDArray[np.float64],
    n: int,
) -> None:
    """Convert sums of products to covariances, in place."""
    for rows, block in zip(_blocks(len(mean)), products, strict=True):
        own = mean[rows]
        block -= n * own[:, :, None] * own[:, None, :]
        block /= max(n - 1, 1)


def _whitening(
    covariances: list[NDArray[np.float64]],
    shape: tuple[int, ...],
    regularisation: float,
) -> Array:
    """Return the inverses of Cholesky factors, float32 ``[P, K, K]``; empties ``covariances``."""
    positions, k = shape
    variance = 0.0
    for block in covariances:
        variance += float(np.trace(block, axis1=1, axis2=2).sum())
    added = _added(variance / (positions * k), regularisation)
    own = np.arange(k)
    whitening = np.empty((positions, k, k), np.float32)
    for rows in _blocks(positions):
        block = covariances.pop(0)
        block[:, own, own] += added
        whitening[rows] = np.linalg.inv(np.linalg.cholesky(block))
    return whitening


def _blocks(count: int) -> list[slice]:
    return [slice(first, first + _POSITIONS) for first in range(0, count, _POSITIONS)]


def _added(mean_variance: float, share: float) -> float:
    """Return the term added to each variance: ``share`` of the mean variance, always above 0."""
    return share * max(mean_variance, _MIN_VARIANCE)

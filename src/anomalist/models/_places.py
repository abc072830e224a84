"""Places: a normal distribution of vectors at each place of a grid, and how far a vector is from what is usual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Places", "regularise"]

Array = NDArray[np.float32]

_AT_ONCE = 16  # images in a product: always as many, since its last bits depend on its size
_PLACES = 256  # whose covariances are worked on at once
_TINY = 1e-6  # least mean variance


@dataclass(frozen=True)
class Places:
    """Mean m_p, ``[P, K]``, and W_p, ``[P, K, K]``, with S_p^-1 = W_p' W_p, of each of P places."""

    mean: Array
    whitening: Array

    @classmethod
    def fit(cls, parts: Iterable[Array], regularisation: float) -> Self:
        """Return the distributions of vectors, float32 ``[n, K, h, w]`` at a time, P = h w.

        Args:
            parts: the vectors of some images, until all have been given.
            regularisation: what is added to each variance, in mean variances, so that few images
                and constant vectors do no harm.
        """
        n, total = 0, np.zeros(1)
        products: list[
            NDArray[np.float64]
        ] = []  # of some places each: one block after the other is done with
        for part in parts:
            wide = part.reshape(*part.shape[:2], -1).transpose(2, 0, 1).astype(np.float64)
            n += len(part)
            total = total + wide.sum(axis=1)
            blocks = [wide[first : first + _PLACES] for first in range(0, len(wide), _PLACES)]
            if not products:
                products = [np.zeros((len(block), *[wide.shape[2]] * 2)) for block in blocks]
            for sums, block in zip(products, blocks, strict=True):
                sums += block.swapaxes(1, 2) @ block
        mean = total / n
        variance = 0.0
        for first, block in zip(range(0, len(mean), _PLACES), products, strict=True):
            own = mean[first : first + _PLACES]
            block -= n * own[:, :, None] * own[:, None, :]
            block /= max(n - 1, 1)
            variance += float(np.trace(block, axis1=1, axis2=2).sum())
        added = _added(variance / mean.size, regularisation)
        diagonal = np.arange(mean.shape[1])
        whitening = np.empty((len(mean), *[mean.shape[1]] * 2), np.float32)
        for first in range(0, len(mean), _PLACES):
            block = products.pop(0)
            block[:, diagonal, diagonal] += added
            whitening[first : first + _PLACES] = np.linalg.inv(np.linalg.cholesky(block))
        return cls(mean.astype(np.float32), whitening)

    def distances(self, found: Array) -> Array:
        """Return the Mahalanobis distances, float32 ``[N, h, w]``, of vectors, float32 ``[N, K, h, w]``."""
        n, k, h, w = found.shape
        vectors = found.reshape(n, k, h * w).transpose(2, 1, 0) - self.mean[:, :, None]
        result = np.empty((n, h * w), np.float32)
        block = np.zeros((h * w, k, _AT_ONCE), np.float32)
        for first in range(0, n, _AT_ONCE):
            count = min(_AT_ONCE, n - first)
            block[:, :, :count] = vectors[:, :, first : first + count]
            white = self.whitening @ block
            lengths = np.sqrt(np.square(white, dtype=np.float64).sum(axis=1))
            result[first : first + count] = lengths[:, :count].T
        return result.reshape(n, h, w)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return both by name."""
        return {"mean": self.mean, "whitening": self.whitening}


def regularise(covariance: NDArray[np.float64], share: float) -> None:
    """Add a share of the mean variance to each variance of matrices ``[..., K, K]``, in place."""
    own = np.arange(covariance.shape[-1])
    covariance[..., own, own] += _added(float(covariance[..., own, own].mean()), share)


def _added(mean_variance: float, share: float) -> float:
    """Return what is added to each variance: a share of the mean one, and never nothing."""
    return share * max(mean_variance, _TINY)

"""KDE: scores an image by its negative log density under the training images.

Parzen's estimate with a Gaussian kernel ("On estimation of a probability density function and
mode", Annals of Mathematical Statistics 1962). For training vectors x_1 … x_n of D values and the
bandwidth h, in nats::

    score(x) = -log( 1/n sum_i exp(-|x - x_i|^2 / 2h^2) / (2 pi h^2)^(D/2) )

``rule="leave_one_out"`` chooses the bandwidth that maximises the leave-one-out likelihood of the
training images (Habbema, Hermans & van den Broek, COMPSTAT 1974). It solves the following equation
by fixed-point iteration; w_ij is the relative weight of kernel j at x_i::

    h^2 = mean over i of sum_j w_ij |x_i - x_j|^2 / D

(Leiva-Murillo & Artes-Rodriguez, "Algorithms for maximum-likelihood bandwidth selection in kernel
density estimators", Pattern Recognition Letters 2012). ``rule="scott"`` sets h = s n^(-1/(D + 4)),
where s is the root mean square of the values' standard deviations (Scott, "Multivariate density
estimation", 1992). This bandwidth is far too wide for large D.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.models._preprocessing import batches
from anomalist.models._vectors import VectorDetector, squared_distances, training_vectors

__all__ = ["Kde"]

_NARROWEST = 1e-3  # for equal training images the optimum would be 0
_JUDGED = 1_000  # evenly spaced training images that the likelihood is computed on


class Kde(VectorDetector):
    """Score by the negative log density."""

    rule: Literal["leave_one_out", "scott"] = Field(
        "leave_one_out", description="rule that chooses the bandwidth"
    )
    bandwidth: float | None = Field(
        None,
        ge=_NARROWEST,
        description="bandwidth of the kernel in units of pixel values; by default chosen by `rule`",
    )

    _table: NDArray[np.float32] | None = PrivateAttr(None)
    _width: float = PrivateAttr(0.0)

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        self._table = vectors
        n, size = vectors.shape
        spread = math.sqrt(float(vectors.var(axis=0, dtype=np.float64).mean()))
        width = max(spread * n ** (-1 / (size + 4)), _NARROWEST)
        if self.bandwidth is None and self.rule == "leave_one_out" and n > 1:
            width = _leave_one_out(vectors, width)
        self._width = self.bandwidth or width

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self._table is not None
        n, size = self._table.shape
        exponent = squared_distances(vectors, self._table)
        exponent /= -2 * self._width**2
        top = exponent.max(axis=1)
        exponent -= top[:, None]
        total = np.exp(exponent, out=exponent).sum(axis=1)
        density: NDArray[np.float64] = (
            np.log(total) + top - size / 2 * math.log(2 * math.pi * self._width**2)
        )
        return math.log(n) - density

    def _learnt(self) -> dict[str, NDArray[Any]]:
        assert self._table is not None
        return {"table": self._table, "width": np.array([self._width])}

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        self._table = training_vectors(arrays, width)
        self._width = arrays["width"].item()


def _leave_one_out(vectors: NDArray[np.float32], width: float) -> float:
    """Return the bandwidth of highest leave-one-out likelihood, starting from ``width``."""
    n, size = vectors.shape
    judged = np.unique(np.linspace(0, n - 1, min(n, _JUDGED)).astype(np.int64))
    for _ in range(100):
        total = 0.0
        for rows in batches(len(judged)):
            chosen = judged[rows]
            squared = squared_distances(vectors[chosen], vectors)
            squared[np.arange(len(chosen)), chosen] = np.inf  # itself left out
            closest = squared.min(axis=1, keepdims=True)
            share = np.exp((closest - squared) / (2 * width**2))
            squared[np.arange(len(chosen)), chosen] = 0
            total += float(((share * squared).sum(axis=1) / share.sum(axis=1)).sum())
        before = width
        width = max(math.sqrt(total / len(judged) / size), _NARROWEST)
        if abs(width - before) < 1e-4 * before:
            break
    return width

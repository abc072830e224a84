"""One-class SVM: an image is anomalous outside the smallest region of most training images.

Schoelkopf, Platt, Shawe-Taylor, Smola & Williamson, "Estimating the support of a high-dimensional
distribution", Neural Computation 2001, with a Gaussian kernel. scikit-learn's solver (libsvm)
returns the support vectors s_i, their weights a_i and the offset rho. The score is above 0 outside
the region::

    score(x) = rho - sum_i a_i exp(-gamma |x - s_i|^2)

The fit time grows with the square of the number of training images; ``samples`` limits it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from sklearn.svm import OneClassSVM

from anomalist.models._vectors import VectorDetector, squared_distances, training_vectors

__all__ = ["Ocsvm"]


class Ocsvm(VectorDetector):
    """Score an image by how far it lies outside the learnt region."""

    nu: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="upper bound of the fraction of training images outside the region",
    )
    gamma: float | None = Field(
        None,
        gt=0,
        description="kernel coefficient; by default 1 / (vector size x variance of the values)",
    )

    _table: NDArray[np.float32] | None = PrivateAttr(None)
    _weights: NDArray[np.float64] | None = PrivateAttr(None)
    _constants: tuple[float, float] = PrivateAttr((0.0, 0.0))  # gamma, rho

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        variance = float(vectors.var(dtype=np.float64))
        gamma = self.gamma or 1 / (vectors.shape[1] * (variance or 1.0))
        machine = OneClassSVM(
            kernel="rbf",
            gamma=gamma,
            nu=self.nu,
            cache_size=1_000,
        )
        # It does not change the result, but without it scikit-learn uses NumPy's global generator.
        machine.random_state = 0
        machine.fit(vectors)
        self._table = vectors[machine.support_]
        self._weights = machine.dual_coef_[0].astype(np.float64)
        self._constants = gamma, -float(machine.intercept_[0])

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self._table is not None
        assert self._weights is not None
        gamma, rho = self._constants
        kernel = squared_distances(vectors, self._table)
        kernel *= -gamma
        np.exp(kernel, out=kernel)
        kernel *= self._weights
        inside: NDArray[np.float64] = kernel.sum(axis=1)
        return rho - inside

    def _learnt(self) -> dict[str, NDArray[Any]]:
        assert self._table is not None
        assert self._weights is not None
        return {
            "table": self._table,
            "weights": self._weights,
            "constants": np.array(self._constants),
        }

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        self._table = training_vectors(arrays, width)
        self._weights = arrays["weights"]
        gamma, rho = arrays["constants"].tolist()
        self._constants = gamma, rho
        if self._weights.shape != (len(self._table),):
            raise ValueError("weights must have one value per support vector")

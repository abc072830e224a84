"""kNN: scores an image by its distance to the nearest training images.

The score is the mean of the Euclidean distances to the k nearest training images (Angiulli &
Pizzuti, "Fast outlier detection in high dimensional spaces", PKDD 2002), or the distance to the
k-th of them (Ramaswamy, Rastogi & Shim, "Efficient algorithms for mining outliers from large data
sets", SIGMOD 2000). If a training image itself is scored, it counts as its own nearest neighbour.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.models._export.vectors import ExportedKnn
from anomalist.models._vectors import VectorDetector, nearest, training_vectors

__all__ = ["Knn"]


class Knn(VectorDetector):
    """Score by the distance to the nearest training images."""

    no_export: ClassVar[str] = ""

    k: int = Field(5, ge=1, description="number of nearest training images; all if there are fewer")
    distance: Literal["mean", "kth"] = Field(
        "mean", description="the mean of their distances, or the distance to the k-th"
    )

    _table: NDArray[np.float32] | None = PrivateAttr(None)

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        self._table = vectors

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self._table is not None
        distances, _ = nearest(vectors, self._table, min(self.k, len(self._table)))
        return distances.mean(axis=1) if self.distance == "mean" else distances[:, -1]

    def _unexportable(self) -> str:
        if self.components is not None:
            return "components have no torch module"
        return super()._unexportable()

    def _export_module(self) -> ExportedKnn:
        assert self._table is not None
        k = min(self.k, len(self._table))
        return ExportedKnn(self._table, k, self.distance, self._blur_module())

    def _learnt(self) -> dict[str, NDArray[Any]]:
        assert self._table is not None
        return {"table": self._table}

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        self._table = training_vectors(arrays, width)

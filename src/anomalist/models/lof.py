"""LOF: an image is anomalous if training images are sparser around it than around its neighbours.

Local outlier factor (Breunig, Kriegel, Ng & Sander, "LOF: identifying density-based local
outliers", SIGMOD 2000) of a new image x among the training images. Let N(x) be its k nearest
training images and kd(o) the distance of o from its own k-th neighbour::

    reach(x, o) = max(d(x, o), kd(o))
    lrd(x) = 1 / mean of reach(x, o) over o in N(x)        local reachability density
    LOF(x) = mean of lrd(o) over o in N(x) / lrd(x)

The score is about 1 among training images and higher for anomalies. Copies of a training image
count once (the k-distinct-distance of section 3 of the paper): with k copies the reach would be 0,
the density infinite, and the scores of their neighbours about 1e10. For the same reason every reach
is at least a tenth of the median reach, which limits the effect of near-copies. If all training
images are equal, the score is the distance from them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.core.console import track
from anomalist.models._preprocessing import batches
from anomalist.models._vectors import VectorDetector, nearest, training_vectors

__all__ = ["Lof"]

_LEAST_REACH = 0.1  # relative to the median reach


class Lof(VectorDetector):
    """Score by the local outlier factor."""

    version: ClassVar[int] = 2

    k: int = Field(20, ge=1, description="number of nearest training images in a neighbourhood")

    _table: NDArray[np.float32] | None = PrivateAttr(None)
    # [N], distance of each to its k-th neighbour.
    _reach: NDArray[np.float64] | None = PrivateAttr(None)
    # [N], local reachability density of each.
    _density: NDArray[np.float64] | None = PrivateAttr(None)

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        vectors = _distinct(vectors)
        n = len(vectors)
        count = min(self.k, n - 1)
        distances = np.zeros((n, max(count, 1)))
        index = np.zeros((n, max(count, 1)), np.int64)
        if count:  # a single image has no neighbour but itself
            for rows in track(batches(n), "lof: neighbours"):
                distances[rows], index[rows] = nearest(
                    vectors[rows], vectors, count, first=rows.start
                )
        reach = distances[:, -1]
        self._table = vectors
        self._reach = np.maximum(reach, _LEAST_REACH * np.median(reach))
        self._density = _density(distances, self._reach[index]) if count else np.ones(1)

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self._table is not None
        assert self._reach is not None
        assert self._density is not None
        count = max(1, min(self.k, len(self._table) - 1))
        distances, index = nearest(vectors, self._table, count)
        factor: NDArray[np.float64] = self._density[index].mean(axis=1) / _density(
            distances, self._reach[index]
        )
        return factor

    def _learnt(self) -> dict[str, NDArray[Any]]:
        assert self._table is not None
        assert self._reach is not None
        assert self._density is not None
        return {"table": self._table, "reach": self._reach, "density": self._density}

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        self._table = training_vectors(arrays, width)
        self._reach = arrays["reach"]
        self._density = arrays["density"]
        if not self._reach.shape == self._density.shape == (len(self._table),):
            raise ValueError("reach and density must have one value per training image")


def _distinct(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distinct vectors in order; the same array if there are no copies."""
    first: dict[bytes, int] = {}
    for place, vector in enumerate(vectors):
        first.setdefault(vector.tobytes(), place)
    return vectors if len(first) == len(vectors) else vectors[list(first.values())]


def _density(distances: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return local reachability densities ``[n]`` from distances and reach, both ``[n, k]``."""
    density: NDArray[np.float64] = 1 / (np.maximum(distances, reach).mean(axis=1) + 1e-10)
    return density

"""Shallow: what the detectors without a network share: images become vectors, and products of vectors are exact.

A shallow detector sees an image as the vector of its pixels, perhaps deskewed, split by the
gradient's direction, blurred (see ``preparation``), and projected on principal components. Vectors
are rounded so that float64 holds every product and partial sum of two of them exactly. Hence
distances do not depend on the batch, the thread count, the library or the order of summation, and
twins are exactly 0 apart.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.console import track
from anomalist.detector import Detector, Scores
from anomalist.preparation import batches, prepare, snap, snap_bits
from anomalist.randomness import generator

__all__ = ["Basis", "Shallow", "nearest", "squared_distances", "table"]

_BLOCK = 4096  # vectors widened to float64 at once


class Shallow(Detector):
    """Fit and measure vectors; a subclass defines ``_learn``, ``_measure``, ``_learnt`` and ``_recall``."""

    deterministic: ClassVar[bool] = True

    blur: float = Field(
        0.0, ge=0, description="sigma of a Gaussian blur in pixels, after deskewing and directions"
    )
    deskew: bool = Field(
        False, description="shear each image so that its bright parts stand upright"
    )
    directions: int | None = Field(
        None,
        ge=3,
        description="split the gradient into so many directions, each blurred and sampled; by "
        "default pixels",
    )
    components: int | None = Field(
        None, ge=1, description="principal components kept; by default the pixels themselves"
    )
    samples: int | None = Field(
        None, ge=1, description="most training images kept, drawn by seed; by default all"
    )

    _basis: Basis | None = PrivateAttr(None)

    def pixels(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return prepared images as vectors, float32 ``[N, D]`` in [0, 1]; D = C H W unless split by direction."""
        return prepare(images, self.blur, self.deskew, self.directions)

    def vectors(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is fitted and measured, float32 ``[N, D]``."""
        pixels = self.pixels(images)
        return pixels if self._basis is None else self._basis.project(pixels)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        if self.samples is not None and self.samples < len(images):
            chosen = generator(self.seed, "samples").permutation(len(images))[: self.samples]
            images = images[np.sort(chosen)]
        vectors = self.pixels(images)
        self._basis = self._reduction(vectors)
        self._learn(vectors if self._basis is None else self._basis.project(vectors))

    def _score(self, images: NDArray[np.float32]) -> Scores:
        every = track(batches(len(images)), f"scoring with {self.name}")
        parts = [self._measure(self.vectors(images[rows])) for rows in every]
        return Scores(np.concatenate(parts).astype(np.float32), None)

    def _reduction(self, pixels: NDArray[np.float32]) -> Basis | None:
        return None if self.components is None else Basis.fit(pixels, self.components)

    @abstractmethod
    def _learn(self, vectors: NDArray[np.float32]) -> None:
        """Learn from float32 ``[N, D]``."""

    @abstractmethod
    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores ``[n]`` of at most 256 vectors ``[n, D]``, each one's from itself alone."""

    @abstractmethod
    def _learnt(self) -> dict[str, NDArray[Any]]:
        """Return what ``_learn`` learnt."""

    @abstractmethod
    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        """Take back what ``_learnt`` returned; vectors have ``width`` columns.

        Raises:
            ValueError: arrays of another shape.
            KeyError: an array is missing.
        """

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._shape is not None
        basis = {} if self._basis is None else {"mean": self._basis.mean, "axes": self._basis.axes}
        return {"size": np.array([math.prod(self._shape)]), **basis, **self._learnt()}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        assert self._shape is not None
        size = math.prod(self._shape)
        if arrays["size"].item() != size:
            raise ValueError(f"arrays for images of {arrays['size'].item()} values, not {size}")
        self._basis = Basis(arrays["mean"], arrays["axes"]) if "axes" in arrays else None
        width = self.pixels(np.zeros((1, *self._shape), np.float32)).shape[1]
        self._recall(arrays, width if self._basis is None else self._basis.axes.shape[1])


@dataclass(frozen=True)
class Basis:
    """Principal components: the directions in which training vectors vary most (Pearson, 1901; Hotelling, 1933).

    Attributes:
        mean: float32 ``[D]``, the training vectors' mean.
        axes: float32 ``[D, q]``, orthonormal columns (to rounding), by falling variance.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], count: int | None, variance: float = 1.0) -> Self:
        """Return the first components of ``vectors``.

        Time and memory grow as the cube and the square of min(N, D).

        Args:
            vectors: float32 ``[N, D]`` in [0, 1].
            count: components kept, fewer if N or D is less; None: as many as hold a share of
                ``variance``.
            variance: the share, in (0, 1].
        """
        n, size = vectors.shape
        mean = snap(vectors.mean(axis=0, dtype=np.float64), size)
        centred = vectors.astype(np.float64) - mean
        values, axes = np.linalg.eigh(centred.T @ centred if size <= n else centred @ centred.T)
        values, axes = np.maximum(values[::-1], 0), axes[:, ::-1]
        if count is None:
            held = np.cumsum(values)
            count = int(np.searchsorted(held, variance * held[-1])) + 1
        values, axes = values[:count], axes[:, :count]
        if size > n:  # from eigenvectors of the N x N products to those of the D x D
            axes = centred.T @ axes / np.sqrt(np.maximum(values, 1e-12))
        axes = np.where(
            values > 1e-12 * max(values[0], 1.0), axes, 0
        )  # a direction without variance is none
        scale = 2.0 ** (51 - snap_bits(size) - math.ceil(math.log2(size) / 2))
        return cls(mean, (np.rint(axes * scale) / scale).astype(np.float32))

    def project(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the components ``[N, q]`` of vectors ``[N, D]``, rounded as vectors are."""
        size = len(self.mean)
        axes = self.axes.astype(np.float64)
        out = np.empty((len(vectors), axes.shape[1]), np.float32)
        for rows in batches(len(vectors)):
            out[rows] = snap((vectors[rows] - self.mean.astype(np.float64)) @ axes, size)
        return out

    def restore(self, components: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the vectors ``[N, D]`` that have these components ``[N, q]`` and nothing else."""
        restored: NDArray[np.float64] = (
            components.astype(np.float64) @ self.axes.T.astype(np.float64) + self.mean
        )
        return restored


def squared_distances(rows: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the exact squared Euclidean distances ``[m, n]`` of snapped vectors ``[m, D]`` and ``[n, D]``."""
    wide = rows.astype(np.float64)
    norms = np.einsum("ij,ij->i", wide, wide)[:, None]
    wide *= -2
    out = np.empty((len(rows), len(table)))
    for first in range(0, len(table), _BLOCK):
        block = table[first : first + _BLOCK].astype(np.float64)
        part = out[:, first : first + _BLOCK]
        np.matmul(wide, block.T, out=part)
        part += norms
        part += np.einsum("ij,ij->i", block, block)
    return out


def nearest(
    rows: NDArray[np.float32], table: NDArray[np.float32], count: int, first: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the nearest vectors of a table.

    Args:
        rows: float32 ``[m, D]``, snapped.
        table: float32 ``[n, D]``, snapped.
        count: how many, at most n.
        first: where ``rows`` lie in ``table``, if they do: none is its own neighbour then.

    Returns:
        Euclidean distances, rising, and rows of the table, both ``[m, count]``.
    """
    squared = squared_distances(rows, table)
    if first is not None:
        own = np.arange(len(rows))
        squared[own, first + own] = np.inf
    index = np.argpartition(squared, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(squared, index, axis=1)
    order = np.argsort(found, axis=1, kind="stable")
    return np.sqrt(np.take_along_axis(found, order, axis=1)), np.take_along_axis(
        index, order, axis=1
    )


def table(arrays: dict[str, NDArray[Any]], width: int) -> NDArray[np.float32]:
    """Return the kept training vectors, ``arrays["table"]``.

    Raises:
        ValueError: they are not float32 ``[n, width]``, n at least 1.
    """
    kept = arrays["table"]
    if kept.ndim != 2 or kept.shape[1] != width or len(kept) == 0 or kept.dtype != np.float32:
        raise ValueError(
            f"training vectors must be float32 [n, {width}], got {kept.dtype} {list(kept.shape)}"
        )
    return kept

"""The base class of detectors without a network; products of vectors are exact.

Such a detector represents an image by the vector of its pixels, optionally deskewed, split by
gradient direction and blurred (see ``_preprocessing``), and projected on principal components.
Vectors are rounded so that float64 holds every product and partial sum of two vectors exactly.
Distances therefore do not depend on the batch, the thread count, the library or the order of
summation, and the distance between identical images is exactly 0.
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

from anomalist.core.console import track
from anomalist.core.randomness import generator
from anomalist.models._base import Detector, Scores
from anomalist.models._export.operations import Separable, gaussian_matrix
from anomalist.models._preprocessing import batches, grid_bits, prepare, round_to_grid

__all__ = [
    "PrincipalComponents",
    "VectorDetector",
    "nearest",
    "squared_distances",
    "training_vectors",
]

Array = NDArray[np.float32]
Wide = NDArray[np.float64]

_BLOCK = 4096  # vectors converted to float64 at once
_NO_VARIANCE = 1e-12
_OWN_ARRAYS = {"size", "mean", "axes"}  # names of saved arrays that are reserved


class VectorDetector(Detector):
    """Fit and score images as vectors.

    A subclass defines ``_learn``, ``_measure``, ``_learnt`` and ``_recall``. The names ``size``,
    ``mean`` and ``axes`` of saved arrays are reserved for this class.
    """

    deterministic: ClassVar[bool] = True
    no_export: ClassVar[str] = "its scores are computed by NumPy and scikit-learn, not by torch"

    blur: float = Field(
        0.0, ge=0, description="sigma in pixels of a Gaussian blur after deskew and directions"
    )
    deskew: bool = Field(False, description="whether to shear each image to remove its slant")
    directions: int | None = Field(
        None,
        ge=3,
        description="number of gradient directions used as features instead of pixels; by default "
        "pixels",
    )
    components: int | None = Field(
        None, ge=1, description="principal components kept; by default no projection"
    )
    samples: int | None = Field(
        None,
        ge=1,
        description="limit of training images, drawn by the seed; by default all",
    )

    _components: PrincipalComponents | None = PrivateAttr(None)

    @abstractmethod
    def _learn(self, vectors: Array) -> None:
        """Learn from float32 ``[N, D]``."""

    @abstractmethod
    def _measure(self, vectors: Array) -> Wide:
        """Return the independent scores ``[n]`` of at most 256 vectors ``[n, D]``."""

    @abstractmethod
    def _learnt(self) -> dict[str, NDArray[Any]]:
        """Return the learnt arrays by name, except ``size``, ``mean`` and ``axes``."""

    @abstractmethod
    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        """Restore the state from the arrays of ``_learnt``; vectors have ``width`` columns.

        Raises:
            ValueError: an array has a wrong shape.
            KeyError: an array is missing.
        """

    def pixels(self, images: Array) -> Array:
        """Return prepared images as vectors, float32 ``[N, D]`` in [0, 1]."""
        return prepare(images, self.blur, self.deskew, self.directions)

    def vectors(self, images: Array) -> Array:
        """Return the vectors that are fitted and scored, float32 ``[N, D]``."""
        pixels = self.pixels(images)
        return pixels if self._components is None else self._components.project(pixels)

    def _fit(self, images: Array, checkpoint: Path | None) -> None:
        if self.samples is not None and self.samples < len(images):
            order = generator(self.seed, "samples").permutation(len(images))
            images = images[np.sort(order[: self.samples])]
        vectors = self.pixels(images)
        self._components = self._reduction(vectors)
        if self._components is not None:
            vectors = self._components.project(vectors)
        self._learn(vectors)

    def _score(self, images: Array) -> Scores:
        progress = track(batches(len(images)), f"scoring with {self.name}")
        parts = [self._measure(self.vectors(images[rows])) for rows in progress]
        return Scores(np.concatenate(parts).astype(np.float32), None)

    def _reduction(self, pixels: Array) -> PrincipalComponents | None:
        if self.components is None:
            return None
        return PrincipalComponents.fit(pixels, self.components)

    def _unexportable(self) -> str:
        if self.no_export:
            return self.no_export
        if self.deskew or self.directions is not None:
            return "deskew and directions have no torch module"
        return ""

    def _blur_module(self) -> Separable | None:
        """Return the blur of the option ``blur``, or None without one."""
        if not self.blur:
            return None
        assert self._shape is not None
        rows, columns = (
            gaussian_matrix(side, self.blur, mode="reflect") for side in self._shape[1:]
        )
        return Separable(rows, columns)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._shape is not None
        learnt = self._learnt()
        taken = sorted(_OWN_ARRAYS & set(learnt))
        if taken:
            raise TypeError(f"{self.name}: VectorDetector reserves the names {', '.join(taken)}")
        arrays = {"size": np.array([math.prod(self._shape)]), **learnt}
        if self._components is not None:
            arrays |= {"mean": self._components.mean, "axes": self._components.axes}
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        assert self._shape is not None
        size = math.prod(self._shape)
        if arrays["size"].item() != size:
            raise ValueError(f"arrays for images of {arrays['size'].item()} values, not {size}")
        self._components = None
        width = self.pixels(np.zeros((1, *self._shape), np.float32)).shape[1]
        if "axes" in arrays:
            self._components = PrincipalComponents(arrays["mean"], arrays["axes"])
            width = arrays["axes"].shape[1]
        self._recall(arrays, width)


@dataclass(frozen=True)
class PrincipalComponents:
    """The directions in which training vectors vary most (Pearson, 1901; Hotelling, 1933).

    Attributes:
        mean: float32 ``[D]``, the training vectors' mean.
        axes: float32 ``[D, q]``, orthonormal columns (up to rounding), by decreasing variance.
    """

    mean: Array
    axes: Array

    @classmethod
    def fit(
        cls,
        vectors: Array,
        count: int | None,
        variance: float = 1.0,
    ) -> Self:
        """Return the first components of ``vectors``.

        Time and memory grow with the cube and the square of min(N, D).

        Args:
            vectors: float32 ``[N, D]`` in [0, 1].
            count: number of components, at most min(N, D); None: chosen by ``variance``.
            variance: fraction of the variance that the components explain, in (0, 1].
        """
        n, size = vectors.shape
        mean = round_to_grid(vectors.mean(axis=0, dtype=np.float64), size)
        centred = vectors.astype(np.float64) - mean
        products = centred.T @ centred if size <= n else centred @ centred.T
        values, axes = np.linalg.eigh(products)
        values = np.maximum(values[::-1], 0)
        axes = axes[:, ::-1]
        if count is None:
            cumulative = np.cumsum(values)
            count = int(np.searchsorted(cumulative, variance * cumulative[-1])) + 1
        values = values[:count]
        axes = axes[:, :count]
        if size > n:  # from eigenvectors of the N x N products to those of the D x D
            axes = centred.T @ axes / np.sqrt(np.maximum(values, _NO_VARIANCE))
        has_variance = values > _NO_VARIANCE * max(values[0], 1.0)
        axes = np.where(has_variance, axes, 0)
        scale = 2.0 ** (51 - grid_bits(size) - math.ceil(math.log2(size) / 2))
        return cls(mean, (np.rint(axes * scale) / scale).astype(np.float32))

    def project(self, vectors: Array) -> Array:
        """Return the components ``[N, q]`` of vectors ``[N, D]``, rounded like vectors."""
        size = len(self.mean)
        mean = self.mean.astype(np.float64)
        axes = self.axes.astype(np.float64)
        projected = np.empty((len(vectors), axes.shape[1]), np.float32)
        for rows in batches(len(vectors)):
            projected[rows] = round_to_grid((vectors[rows] - mean) @ axes, size)
        return projected

    def restore(self, components: Array) -> Wide:
        """Return the vectors ``[N, D]`` with these components ``[N, q]``."""
        axes = self.axes.T.astype(np.float64)
        restored: Wide = components.astype(np.float64) @ axes + self.mean
        return restored


def squared_distances(rows: Array, table: Array) -> Wide:
    """Return exact squared Euclidean distances.

    Args:
        rows: float32 ``[m, D]``, on the grid.
        table: float32 ``[n, D]``, on the grid.

    Returns:
        float64 ``[m, n]``.
    """
    wide = rows.astype(np.float64)
    norms = np.einsum("ij,ij->i", wide, wide)[:, None]
    wide *= -2
    squared = np.empty((len(rows), len(table)))
    for first in range(0, len(table), _BLOCK):
        columns = slice(first, first + _BLOCK)
        block = table[columns].astype(np.float64)
        part = squared[:, columns]
        np.matmul(wide, block.T, out=part)
        part += norms
        part += np.einsum("ij,ij->i", block, block)
    return squared


def nearest(
    rows: Array,
    table: Array,
    count: int,
    first: int | None = None,
) -> tuple[Wide, NDArray[np.int64]]:
    """Return the nearest vectors of a table.

    Args:
        rows: float32 ``[m, D]``, on the grid.
        table: float32 ``[n, D]``, on the grid.
        count: number of neighbours, at most n.
        first: position of ``rows`` in ``table`` if they are part of it; a row is then not its own
            neighbour.

    Returns:
        Euclidean distances, ascending, and indices of rows of the table, both ``[m, count]``.
    """
    squared = squared_distances(rows, table)
    if first is not None:
        own = np.arange(len(rows))
        squared[own, first + own] = np.inf
    index = np.argpartition(squared, count - 1, axis=1)[:, :count]
    chosen = np.take_along_axis(squared, index, axis=1)
    order = np.argsort(chosen, axis=1, kind="stable")
    distances = np.sqrt(np.take_along_axis(chosen, order, axis=1))
    return distances, np.take_along_axis(index, order, axis=1)


def training_vectors(arrays: dict[str, NDArray[Any]], width: int) -> Array:
    """Return the kept training vectors, ``arrays["table"]``.

    Raises:
        ValueError: they are not float32 ``[n, width]`` with n at least 1.
    """
    kept = arrays["table"]
    shape_fits = kept.ndim == 2 and kept.shape[1] == width and len(kept) > 0
    if not shape_fits or kept.dtype != np.float32:
        got = f"{kept.dtype} {list(kept.shape)}"
        raise ValueError(f"training vectors must be float32 [n, {width}], got {got}")
    return kept

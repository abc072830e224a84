"""Patch memory: a patch is anomalous as its ImageNet features lie far from all that normal images' patches have.

PatchCore (Roth, Pemula, Zepeda, Schoelkopf, Brox & Gehler, "Towards total recall in industrial
anomaly detection", CVPR 2022). The memory M is a coreset of the training images' locally aware
patch features (see ``_features``): greedily the patch that lies farthest from those taken so far
(k-centre; Sener & Savarese, ICLR 2018), by distances after a random projection (Johnson &
Lindenstrauss, 1984). With m(p) the nearest of M to patch p,

    s(p) = |p - m(p)|;    p* = argmax s(p);    score = (1 - exp s(p*) / sum over m in N of exp |p* -
    m|) s(p*),

N the ``neighbours`` in M that lie nearest to m(p*), which is one of them (eq. 7): a patch far from
a patch that is itself rare counts for more. The map is s, brought to the image's size and blurred;
both in units of the features.

That is the paper: ``unit=False, regularisation=0, aggregation=reweighted, neighbours=9``. By
default features x are whitened first: with m and C the mean and the covariance of the training
images' patches, v the mean variance and r the ``regularisation``, they become (C + r v I)^-1/2 (x -
m). And the score is one of density, as of LOF (Breunig et al., SIGMOD 2000): the mean of the
highest hundredth of a map not of s, but of

    s(p) / max(d(m(p)), 0.1 mean of all d),

d(m) the mean distance of m from its ``neighbours`` in M: to be far from memory says less where
memory is sparse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from sklearn.neighbors import NearestNeighbors

from anomalist import heatmaps
from anomalist.console import track
from anomalist.detector import Detector, Scores
from anomalist.models._backbone import NEEDS, Backbone, Normalisation, Weights
from anomalist.models._features import Extractor, Stride, pixel_maps, rows, whitener
from anomalist.randomness import generator

__all__ = ["PatchMemory", "coreset", "reweighting"]

Array = NDArray[np.float32]

_SPARE = 4  # patches embedded for each that is a candidate, where there are so many
_LEAST_SPACING, _TINY = (
    0.1,
    1e-6,
)  # in means, and in units of the features if patches are all the same
_ROWS = 256  # patches whose distances from the memory are computed at once


class PatchMemory(Detector):
    """Keep a coreset of normal patches; score by how far patches are from it, for how far it is from itself there."""

    version: ClassVar[int] = 6
    map_quantity: ClassVar[str] = "distance from memory"
    needs: ClassVar[dict[str, str]] = NEEDS

    backbone: Backbone = "efficientnet_lite0"
    weights: Weights = ""
    normalisation: Normalisation = "inception"
    layers: tuple[Stride, ...] = Field(
        (8, 16), min_length=1, description="strides of the features that are joined"
    )
    side: int | None = Field(
        None,
        ge=32,
        le=2048,
        description="shorter side that images are brought to; by default small ones alone, to 112",
    )
    unit: bool = Field(
        True, description="whether the features of each stride are brought to unit length"
    )
    memory: int = Field(10_000, ge=1, description="patches that are kept")
    candidates: int = Field(
        200_000, ge=1, description="patches, drawn by seed, that the kept ones are chosen from"
    )
    projected: int = Field(32, ge=1, description="dimensions in which they are chosen")
    aggregation: Literal["density", "reweighted", heatmaps.Aggregation] = Field(
        "density",
        description="how an image gets its score: of its map, by density, or by its farthest "
        "patch, weighed",
    )
    neighbours: int = Field(
        40, ge=2, description="patches around the nearest in memory that those two look at"
    )
    blur: float = Field(
        4.0, ge=0, description="sigma of the map's Gaussian, in pixels of an image of 224"
    )
    regularisation: float = Field(
        0.1,
        ge=0,
        description="what is added to variances before features are whitened, in mean variances; "
        "0: as is",
    )

    _extractor: Extractor | None = PrivateAttr(None)
    _learnt: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._extractor = Extractor.of(self, self.unit)
        patches = self._drawn(images)
        centre, whitening = (
            np.zeros(patches.shape[1], np.float32),
            np.eye(patches.shape[1], dtype=np.float32),
        )
        if self.regularisation:
            centre, whitening = whitener(patches, self.regularisation)
        patches = _whitened(patches, centre, whitening)
        memory = patches[coreset(patches, self.memory, self.projected, self.seed)]
        spacing = _spacing(memory, self.neighbours)
        self._learnt = {
            "centre": centre,
            "whitening": whitening,
            "memory": memory,
            "spacing": spacing,
        }

    def _drawn(self, images: NDArray[np.float32]) -> Array:
        """Return ``candidates`` patches, or all if there are fewer, float32 ``[n, D]``.

        No more images are embedded than hold a few times as many.
        """
        assert self._extractor is not None
        each = self._extractor.apply(images[:1], self)[0, 0].size
        enough = -(-_SPARE * self.candidates // each)
        images = images[np.sort(generator(self.seed, "images").permutation(len(images))[:enough])]
        chosen = np.sort(
            generator(self.seed, "patches").permutation(len(images) * each)[: self.candidates]
        )
        kept = []
        start = 0
        for found in self._extractor.in_parts(images, self):
            patches = rows(found)
            lo, hi = np.searchsorted(chosen, [start, start + len(patches)])
            kept.append(patches[chosen[lo:hi] - start])
            start += len(patches)
        return np.concatenate(kept)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._extractor is not None
        centre, whitening, memory, spacing = (
            self._learnt[name] for name in ("centre", "whitening", "memory", "spacing")
        )
        nearest_of = _Nearest(memory)
        scores, grids, relative = [], [], []
        for part in self._extractor.in_parts(images, self):
            for found in part:
                patches = _whitened(
                    rows(found[None]), centre, whitening
                )  # of one image, for a product's last bits
                nearest = nearest_of(patches)
                far = _norm(patches - memory[nearest])
                grids.append(far.reshape(found.shape[1:]))
                relative.append((far / spacing[nearest]).reshape(found.shape[1:]))
                if self.aggregation == "reweighted":
                    worst = int(far.argmax())
                    weight = reweighting(
                        patches[worst], int(nearest[worst]), memory, self.neighbours
                    )
                    scores.append(weight * far[worst])
        maps = pixel_maps(np.stack(grids), images.shape[2:], self.blur)
        if self.aggregation == "reweighted":
            return Scores(np.array(scores, np.float32), maps)
        if self.aggregation == "density":
            ratios = pixel_maps(np.stack(relative), images.shape[2:], self.blur)
            return Scores(heatmaps.aggregate(ratios, "top_1_percent"), maps)
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._extractor is not None
        return {**self._extractor.arrays(self._shape), **self._learnt}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._extractor = Extractor.restore(arrays, self, self._shape, self.unit)
        self._learnt = arrays


def coreset(patches: Array, count: int, projected: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers of ``count`` patches, or of all, each the farthest from those before it.

    Args:
        patches: float32 ``[n, D]``.
        count: how many.
        projected: dimensions of the random projection by which distances are taken; none if D is no
            more.
        seed: of the projection and of the first patch.
    """
    n, size = patches.shape
    random = generator(seed, "coreset")
    points = patches
    if projected < size:
        points = patches @ (random.standard_normal((size, projected)) / np.sqrt(projected)).astype(
            np.float32
        )
    squares = (points * points).sum(axis=1)
    chosen = [int(random.integers(n))]
    nearest = np.full(n, np.inf, np.float32)
    for _ in track(range(min(count, n) - 1), "choosing patches"):
        last = chosen[-1]
        np.minimum(nearest, squares - 2 * (points @ points[last]) + squares[last], out=nearest)
        nearest[last] = -np.inf
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def reweighting(patch: Array, nearest: int, memory: Array, neighbours: int) -> float:
    """Return the weight in [0, 1] of a patch's distance from the nearest in memory, eq. 7.

    Args:
        patch: float32 ``[D]``.
        nearest: the number of the nearest.
        memory: float32 ``[M, D]``.
        neighbours: how many make it, 2 at least; a memory of one patch makes 1.
    """
    if len(memory) == 1:
        return 1.0
    around = np.argsort(_norm(memory - memory[nearest]), kind="stable")[:neighbours]
    away = _norm(patch - memory[around]).astype(np.float64)
    return 1 - 1 / float(np.exp(away - float(_norm(patch - memory[nearest]))).sum())


def _spacing(memory: Array, neighbours: int) -> Array:
    """Return the mean distance of each patch in memory from its ``neighbours`` there, at least 0.1 of the mean of all.

    Without neighbours, in a memory of one patch, it is 1.
    """
    if len(memory) == 1:
        return np.ones(1, np.float32)
    found = NearestNeighbors(n_neighbors=min(neighbours, len(memory) - 1), algorithm="brute").fit(
        memory
    )
    spacing = found.kneighbors()[0].mean(axis=1)
    least = max(_LEAST_SPACING * float(spacing.mean()), _TINY)
    floored: Array = np.maximum(spacing, least).astype(np.float32)
    return floored


class _Nearest:
    """Find the nearest in memory, float32 ``[M, D]``."""

    def __init__(self, memory: Array) -> None:
        self._memory = torch.from_numpy(memory)
        self._squares = (self._memory * self._memory).sum(1)
        self._room = torch.empty(
            _ROWS, len(memory)
        )  # kept: to get it anew takes longer than the product

    def __call__(self, patches: Array) -> NDArray[np.int64]:
        """Return the number of each patch's nearest, int64 ``[n]``, of patches float32 ``[n, D]``."""
        found = []
        for first in range(0, len(patches), _ROWS):
            part = torch.from_numpy(patches[first : first + _ROWS])
            away = torch.addmm(
                self._squares, part, self._memory.T, alpha=-2, out=self._room[: len(part)]
            )
            found.append(away.numpy().argmin(axis=1))
        return np.concatenate(found)


def _whitened(patches: Array, centre: Array, whitening: Array) -> Array:
    """Return (x - m) W; torch's product, as NumPy's has threads of its own, which hinder torch's for a while."""
    white: Array = (
        torch.from_numpy((patches - centre).astype(np.float32)) @ torch.from_numpy(whitening)
    ).numpy()
    return white


def _norm(vectors: Array) -> Array:
    lengths: Array = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=-1)).astype(np.float32)
    return lengths

"""Patch memory: a patch is anomalous as its ImageNet features lie far from those of normal patches.

PatchCore (Roth, Pemula, Zepeda, Schoelkopf, Brox & Gehler, "Towards total recall in industrial
anomaly detection", CVPR 2022). The memory bank M is a coreset of the training images' locally aware
patch features (see ``_pretrained``): greedily the patch that lies farthest from those taken so far
(k-centre; Sener & Savarese, ICLR 2018), by distances after a random projection (Johnson &
Lindenstrauss, 1984). With m(p) the nearest of M to patch p,

    s(p) = |p - m(p)|;    p* = argmax s(p);
    score = (1 - exp s(p*) / sum over m in N of exp |p* - m|) s(p*),

N the ``neighbours`` in M that lie nearest to m(p*), which is one of them (eq. 7): a patch far from
a patch that is itself rare counts for more. The map is s, brought to the image's size and blurred;
both in units of the features.

That is the paper: ``l2_normalise=False, regularisation=0, aggregation=reweighted, neighbours=9``.
By default features x are whitened first: with m and C the mean and the covariance of the training
images' patches, v the mean variance and r the ``regularisation``, they become
(C + r v I)^-1/2 (x - m). And the score is one of density, as of LOF (Breunig et al., SIGMOD 2000):
the mean of the highest hundredth of a map not of s, but of

    s(p) / max(d(m(p)), 0.1 mean of all d),

d(m) the mean distance of m from its ``neighbours`` in M, the local spacing of the bank: a large
distance means less where the bank is sparse.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from sklearn.neighbors import NearestNeighbors

from anomalist import heatmaps
from anomalist.core.console import track
from anomalist.core.randomness import generator
from anomalist.models._base import Scores
from anomalist.models._pretrained import (
    Extractor,
    PretrainedDetector,
    as_rows,
    pixel_maps,
    whitener,
)

__all__ = ["PatchMemory", "coreset", "reweighting"]

Array = NDArray[np.float32]

_SPARE = 4  # patches embedded for each that is a candidate, where there are so many
_MIN_SPACING = 0.1  # in mean spacings
_TINY = 1e-6  # spacing, in units of the features, if patches are all the same
_ROWS = 256  # patches whose distances from the bank are computed at once
_LEARNT = ("centre", "whitening", "memory", "spacing")


class PatchMemory(PretrainedDetector):
    """Score a patch by its distance to the memory bank, relative to the bank's local spacing."""

    version: ClassVar[int] = 6
    map_quantity: ClassVar[str] = "distance from memory"
    old_names: ClassVar[Mapping[str, str]] = {"l2_normalise": "unit"}

    l2_normalise: bool = Field(
        True, description="whether the features of each stride are brought to unit length"
    )
    memory: int = Field(10_000, ge=1, description="patches that are kept")
    candidates: int = Field(
        200_000, ge=1, description="patches, drawn by seed, that the kept ones are chosen from"
    )
    projected: int = Field(32, ge=1, description="dimensions in which they are chosen")
    aggregation: Literal["density", "reweighted", heatmaps.Aggregation] = Field(
        "density",
        description="how an image gets its score: from its map, relative to the spacing of the "
        "bank, or from its farthest patch, weighted",
    )
    neighbours: int = Field(
        40, ge=2, description="neighbours of the nearest patch that `density` and `reweighted` use"
    )
    regularisation: float = Field(
        0.1,
        ge=0,
        description="what is added to variances before features are whitened, in mean variances; "
        "0: not whitened",
    )

    _learnt: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._extractor = Extractor.of(self, self.l2_normalise)
        patches = self._draw_patches(images)
        size = patches.shape[1]
        centre = np.zeros(size, np.float32)
        whitening = np.eye(size, dtype=np.float32)
        if self.regularisation:
            centre, whitening = whitener(patches, self.regularisation)
        patches = _whitened(patches, centre, whitening)
        memory = patches[coreset(patches, self.memory, self.projected, self.seed)]
        self._learnt = {
            "centre": centre,
            "whitening": whitening,
            "memory": memory,
            "spacing": _spacing(memory, self.neighbours),
        }

    def _draw_patches(self, images: NDArray[np.float32]) -> Array:
        """Return ``candidates`` patches, or all if there are fewer, float32 ``[n, D]``.

        No more images are embedded than hold a few times as many.
        """
        assert self._extractor is not None
        per_image = self._extractor.apply(images[:1], self)[0, 0].size
        enough = -(-_SPARE * self.candidates // per_image)
        order = generator(self.seed, "images").permutation(len(images))
        images = images[np.sort(order[:enough])]
        order = generator(self.seed, "patches").permutation(len(images) * per_image)
        chosen = np.sort(order[: self.candidates])
        kept = []
        start = 0
        for features in self._extractor.in_parts(images, self):
            patches = as_rows(features)
            end = start + len(patches)
            first, last = np.searchsorted(chosen, [start, end])
            kept.append(patches[chosen[first:last] - start])
            start = end
        return np.concatenate(kept)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._extractor is not None
        memory = self._learnt["memory"]
        spacing = self._learnt["spacing"]
        nearest_of = _Nearest(memory)
        scores = []
        distances = []
        relative = []
        for part in self._extractor.in_parts(images, self):
            for features in part:
                # Of one image at a time, for the last bits of a product.
                patches = self._whiten(as_rows(features[None]))
                nearest = nearest_of(patches)
                distance = _norm(patches - memory[nearest])
                distances.append(distance.reshape(features.shape[1:]))
                relative.append((distance / spacing[nearest]).reshape(features.shape[1:]))
                if self.aggregation == "reweighted":
                    worst = int(distance.argmax())
                    weight = reweighting(
                        patches[worst], int(nearest[worst]), memory, self.neighbours
                    )
                    scores.append(weight * distance[worst])
        maps = pixel_maps(np.stack(distances), images.shape[2:], self.blur)
        if self.aggregation == "reweighted":
            return Scores(np.array(scores, np.float32), maps)
        if self.aggregation == "density":
            ratios = pixel_maps(np.stack(relative), images.shape[2:], self.blur)
            return Scores(heatmaps.aggregate(ratios, "top_1_percent"), maps)
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)

    def _whiten(self, patches: Array) -> Array:
        return _whitened(patches, self._learnt["centre"], self._learnt["whitening"])

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._extractor is not None
        return {**self._extractor.arrays(self._shape), **self._learnt}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._extractor = Extractor.restore(arrays, self, self._shape, self.l2_normalise)
        self._learnt = {name: arrays[name] for name in _LEARNT}


def coreset(
    patches: Array,
    count: int,
    projected: int,
    seed: int,
) -> NDArray[np.int64]:
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
        projection = random.standard_normal((size, projected)) / np.sqrt(projected)
        points = patches @ projection.astype(np.float32)
    squares = (points * points).sum(axis=1)
    chosen = [int(random.integers(n))]
    nearest = np.full(n, np.inf, np.float32)
    for _ in track(range(min(count, n) - 1), "choosing patches"):
        last = chosen[-1]
        squared = squares - 2 * (points @ points[last]) + squares[last]
        np.minimum(nearest, squared, out=nearest)
        nearest[last] = -np.inf
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def reweighting(
    patch: Array,
    nearest: int,
    memory: Array,
    neighbours: int,
) -> float:
    """Return the weight in [0, 1] of a patch's distance from the nearest in the bank, eq. 7.

    Args:
        patch: float32 ``[D]``.
        nearest: the number of the nearest.
        memory: float32 ``[M, D]``.
        neighbours: how many are looked at, 2 at least; a bank of one patch makes 1.
    """
    if len(memory) == 1:
        return 1.0
    around = np.argsort(_norm(memory - memory[nearest]), kind="stable")[:neighbours]
    distances = _norm(patch - memory[around]).astype(np.float64)
    own = float(_norm(patch - memory[nearest]))
    return 1 - 1 / float(np.exp(distances - own).sum())


def _spacing(memory: Array, neighbours: int) -> Array:
    """Return the mean distance of each patch in the bank from its ``neighbours`` there.

    At least 0.1 of the mean of all. In a bank of one patch, without neighbours, it is 1.
    """
    if len(memory) == 1:
        return np.ones(1, np.float32)
    count = min(neighbours, len(memory) - 1)
    neighbourhood = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(memory)
    distances, _ = neighbourhood.kneighbors()
    spacing = distances.mean(axis=1)
    smallest = max(_MIN_SPACING * float(spacing.mean()), _TINY)
    limited: Array = np.maximum(spacing, smallest).astype(np.float32)
    return limited


class _Nearest:
    """Find the nearest in the memory bank, float32 ``[M, D]``."""

    def __init__(self, memory: Array) -> None:
        self._memory = torch.from_numpy(memory)
        self._squares = (self._memory * self._memory).sum(1)
        # Kept: to allocate it anew takes longer than the product.
        self._room = torch.empty(_ROWS, len(memory))

    def __call__(self, patches: Array) -> NDArray[np.int64]:
        """Return the number of each patch's nearest, int64 ``[n]``, of float32 ``[n, D]``."""
        nearest = []
        for first in range(0, len(patches), _ROWS):
            part = torch.from_numpy(patches[first : first + _ROWS])
            room = self._room[: len(part)]
            squared = torch.addmm(self._squares, part, self._memory.T, alpha=-2, out=room)
            nearest.append(squared.numpy().argmin(axis=1))
        return np.concatenate(nearest)


def _whitened(patches: Array, centre: Array, whitening: Array) -> Array:
    """Return (x - m) W.

    By torch's product, since NumPy's has threads of its own, which hinder torch's for a while.
    """
    centred = torch.from_numpy((patches - centre).astype(np.float32))
    white: Array = (centred @ torch.from_numpy(whitening)).numpy()
    return white


def _norm(vectors: Array) -> Array:
    squared = np.square(vectors, dtype=np.float64).sum(axis=-1)
    lengths: Array = np.sqrt(squared).astype(np.float32)
    return lengths

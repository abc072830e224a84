"""Patch memory: scores a patch by the distance of its ImageNet features to those of normal patches.

PatchCore (Roth, Pemula, Zepeda, Schoelkopf, Brox & Gehler, "Towards total recall in industrial
anomaly detection", CVPR 2022). The memory bank M is a coreset of the training images' locally aware
patch features (see ``_pretrained``). Greedy k-centre selection (Sener & Savarese, ICLR 2018)
repeatedly adds the patch that is farthest from the bank; distances are computed after a random
projection (Johnson & Lindenstrauss, 1984). Let m(p) be the nearest neighbour of patch p in M, and N
the ``neighbours`` nearest neighbours of m(p*) in M, including m(p*)::

    s(p) = |p - m(p)|
    p* = argmax s(p)
    score = (1 - exp s(p*) / sum over m in N of exp |p* - m|) s(p*)

The weight (eq. 7) raises the score of a patch whose nearest neighbour is itself rare. The map is s,
resized to the image and blurred. Score and map are in units of the features.

This is the method of the paper: ``l2_normalise=False, regularisation=0, aggregation=reweighted,
neighbours=9``. The defaults differ in two points. First, features x are whitened: with the mean m
and covariance C of the training images' patches, the mean variance v and the ``regularisation`` r,
they become (C + r v I)^-1/2 (x - m). Second, the score is a relative density, as in LOF (Breunig et
al., SIGMOD 2000): it is the mean of the highest hundredth of a second map, of the values::

    s(p) / max(d(m(p)), 0.1 mean of all d)

where d(m) is the mean distance of m to its ``neighbours`` nearest neighbours in M, the local
spacing of the bank. A large distance therefore counts less where the bank is sparse.
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
from anomalist.models._export.patches import ExportedMemory
from anomalist.models._pretrained import (
    Extractor,
    PretrainedDetector,
    as_rows,
    pixel_maps,
    whitener,
)

__all__ = ["PatchMemory", "coreset", "reweighting"]

Array = NDArray[np.float32]

_SPARE = 4  # patches embedded per candidate, if there are enough
_MIN_SPACING = 0.1  # relative to the mean spacing
_TINY = 1e-6  # smallest spacing, in units of the features, if all patches are equal
_ROWS = 256  # patches whose distances from the bank are computed at once
_LEARNT = ("centre", "whitening", "memory", "spacing")


class PatchMemory(PretrainedDetector):
    """Score a patch by its distance to the memory bank, relative to the bank's local spacing."""

    version: ClassVar[int] = 6
    map_quantity: ClassVar[str] = "distance from memory"
    old_names: ClassVar[Mapping[str, str]] = {"l2_normalise": "unit"}

    l2_normalise: bool = Field(
        True, description="whether the features of each stride are normalised to unit length"
    )
    memory: int = Field(10_000, ge=1, description="number of patches in the memory bank")
    candidates: int = Field(
        200_000, ge=1, description="number of random patches that the bank is chosen from"
    )
    projected: int = Field(32, ge=1, description="dimensions of the projection for this choice")
    aggregation: Literal["density", "reweighted", heatmaps.Aggregation] = Field(
        "density",
        description="the image score: distances relative to the spacing of the bank (density); "
        "the weighted distance of the farthest patch (reweighted); or an aggregate of the map",
    )
    neighbours: int = Field(
        40, ge=2, description="neighbours in the bank that `density` and `reweighted` use"
    )
    regularisation: float = Field(
        0.1,
        ge=0,
        description="added to all variances before whitening, in units of the mean variance; 0: no "
        "whitening",
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

        Only as many images are embedded as contain a few times this number of patches.
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
                # One image at a time, because the last bits of a product depend on its size.
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

    def _unexportable(self) -> str:
        return "aggregation=reweighted has no torch module" if self._is_reweighted else ""

    @property
    def _is_reweighted(self) -> bool:
        return self.aggregation == "reweighted"

    def _export_module(self) -> ExportedMemory:
        assert self._extractor is not None
        assert self.aggregation != "reweighted"
        network = self._extractor.network
        how = None if self.aggregation == "density" else self.aggregation
        return ExportedMemory(network, self._learnt, self._enlarge(self._grid_of(network)), how)

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
    """Return the indices of patches chosen by greedy k-centre selection.

    Args:
        patches: float32 ``[n, D]``.
        count: how many patches to choose; all if there are fewer.
        projected: dimensions of the random projection for distances; no projection if D is not
            larger.
        seed: seed of the projection and of the first patch.
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
    """Return the weight in [0, 1] of a patch's distance to the memory bank, eq. 7.

    Args:
        patch: float32 ``[D]``.
        nearest: index of the nearest neighbour in the bank.
        memory: float32 ``[M, D]``.
        neighbours: number of neighbours, at least 2. In a bank of one patch the weight is 1.
    """
    if len(memory) == 1:
        return 1.0
    around = np.argsort(_norm(memory - memory[nearest]), kind="stable")[:neighbours]
    distances = _norm(patch - memory[around]).astype(np.float64)
    own = float(_norm(patch - memory[nearest]))
    return 1 - 1 / float(np.exp(distances - own).sum())


def _spacing(memory: Array, neighbours: int) -> Array:
    """Return the mean distance of each patch in the bank to its nearest neighbours there.

    It is at least 0.1 of the mean over all patches. In a bank of one patch it is 1.
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
    """Nearest-neighbour search in the memory bank, float32 ``[M, D]``."""

    def __init__(self, memory: Array) -> None:
        self._memory = torch.from_numpy(memory)
        self._squares = (self._memory * self._memory).sum(1)
        # Kept, because allocating it takes longer than the product.
        self._room = torch.empty(_ROWS, len(memory))

    def __call__(self, patches: Array) -> NDArray[np.int64]:
        """Return the index of the nearest neighbour of each patch ``[n, D]``, int64 ``[n]``."""
        nearest = []
        for first in range(0, len(patches), _ROWS):
            part = torch.from_numpy(patches[first : first + _ROWS])
            room = self._room[: len(part)]
            squared = torch.addmm(self._squares, part, self._memory.T, alpha=-2, out=room)
            nearest.append(squared.numpy().argmin(axis=1))
        return np.concatenate(nearest)


def _whitened(patches: Array, centre: Array, whitening: Array) -> Array:
    """Return (x - m) W.

    It uses torch, because the threads of a NumPy product slow down those of torch for a while.
    """
    centred = torch.from_numpy((patches - centre).astype(np.float32))
    white: Array = (centred @ torch.from_numpy(whitening)).numpy()
    return white


def _norm(vectors: Array) -> Array:
    squared = np.square(vectors, dtype=np.float64).sum(axis=-1)
    lengths: Array = np.sqrt(squared).astype(np.float32)
    return lengths

"""Detectors on pretrained features as torch modules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anomalist.heatmaps import Aggregation
from anomalist.models._export.operations import Separable, aggregate, tensor

__all__ = ["Distances", "ExportedGaussians", "ExportedMemory"]


class Distances(nn.Module):
    """Mahalanobis distances of vectors ``[n, K, h, w]`` at each of P positions."""

    mean: Tensor
    whitening: Tensor

    def __init__(self, mean: NDArray[np.float32], whitening: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", tensor(mean))
        self.register_buffer("whitening", tensor(whitening))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the distances ``[n, h, w]``."""
        height, width = vectors.shape[2:]
        centred = vectors.flatten(2).permute(2, 1, 0) - self.mean[:, :, None]
        white = self.whitening @ centred
        return white.square().sum(1).sqrt().T.reshape(-1, height, width)


class ExportedGaussians(nn.Module):
    """Features, their distances, and the highest value of the map: padim and student_teacher."""

    def __init__(
        self,
        features: nn.Module,
        distances: Distances,
        enlarge: Separable,
        chosen: Sequence[int] | None = None,
    ) -> None:
        """Use fitted parts.

        Args:
            features: map images to vectors ``[n, D, h, w]``.
            distances: of the vectors.
            enlarge: maps the grid to the size of the image.
            chosen: the features that are used; None: all.
        """
        super().__init__()
        self.features = features
        self.distances = distances
        self.enlarge = enlarge
        self.chosen = None if chosen is None else torch.tensor(list(chosen))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        vectors = self.features(images)
        if self.chosen is not None:
            vectors = vectors.index_select(1, self.chosen)
        maps = self.enlarge(self.distances(vectors))
        return maps.flatten(1).amax(1), maps


class ExportedMemory(nn.Module):
    """Distances of patches to a memory bank: patch_memory."""

    centre: Tensor
    whitening: Tensor
    memory: Tensor
    spacing: Tensor
    squares: Tensor

    def __init__(
        self,
        features: nn.Module,
        learnt: dict[str, NDArray[np.float32]],
        enlarge: Separable,
        how: Aggregation | None,
    ) -> None:
        """Use fitted parts.

        Args:
            features: map images to vectors ``[n, D, h, w]``.
            learnt: centre, whitening, memory and spacing.
            enlarge: maps the grid to the size of the image.
            how: aggregate of the map; None: of the distances relative to the local spacing.
        """
        super().__init__()
        self.features = features
        for name, values in learnt.items():
            self.register_buffer(name, tensor(values))
        self.register_buffer("squares", self.memory.square().sum(1))
        self.enlarge = enlarge
        self.how = how

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        features = self.features(images)
        height, width = features.shape[2:]
        patches = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        patches = (patches - self.centre) @ self.whitening
        nearest = (self.squares - 2 * patches @ self.memory.T).argmin(1)
        distance = (patches - self.memory[nearest]).square().sum(1).sqrt()
        maps = self.enlarge(distance.reshape(-1, height, width))
        if self.how is not None:
            return aggregate(maps, self.how), maps
        relative = (distance / self.spacing[nearest]).reshape(-1, height, width)
        return aggregate(self.enlarge(relative), "top_1_percent"), maps

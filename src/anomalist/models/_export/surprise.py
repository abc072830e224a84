"""Inpainting as a torch module; see ``_surprise`` for the same in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anomalist.models._export.operations import Separable, aggregate, box_sums, tensor
from anomalist.models._surprise import (
    HARDNESS,
    LEAST,
    LEAST_SPREAD,
    LEAST_WEIGHT,
    LINE,
    SQUARES,
)

__all__ = ["ExportedInpainting"]


class ExportedInpainting(nn.Module):
    """The surprise of pixels under predicted distributions."""

    edges: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        network: nn.Module,
        learnt: dict[str, NDArray[np.float32]],
        around: Separable,
        by_features: bool,
    ) -> None:
        """Use fitted parts.

        Args:
            network: gives logits ``[n, scales, C, bins, H, W]``.
            learnt: edges of the bins, and mean and spread of features of normal images.
            around: the blur of the excess.
            by_features: whether the score is that of the features, else the mean of the map.
        """
        super().__init__()
        self.network = network
        self.register_buffer("edges", tensor(learnt["bin_edges"]))
        self.register_buffer("mean", tensor(learnt["feature_mean"]))
        spread = np.maximum(learnt["feature_spread"], LEAST_SPREAD)
        self.register_buffer("spread", tensor(spread))
        self.around = around
        self.by_features = by_features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores ``[n]`` and maps ``[n, H, W]``."""
        log = self.network(images).log_softmax(3)
        chance = log.exp()
        below = 2 * chance.cumsum(3) - chance
        above = 2 * chance.sum(3, keepdim=True) - below
        tail = torch.minimum(below, above).clamp(float(LEAST), 1.0).log()
        bins = (images[:, :, None] > self.edges[:, None, None]).sum(2)
        index = bins[:, None, :, None].expand(-1, log.shape[1], -1, -1, -1, -1)
        seen_log = -log.gather(3, index).sum((2, 3))
        seen_tail = -tail.gather(3, index).sum((2, 3))
        expected_log = -(chance * log).sum((2, 3))
        expected_tail = -(chance * tail).sum((2, 3))
        excess = seen_tail - expected_tail
        weight = self.around(excess.mean(1)).clamp_min(float(LEAST_WEIGHT))
        maps = seen_tail.mean(1) * weight
        if not self.by_features:
            return maps.mean((1, 2)), maps
        features = _features(seen_log - expected_log, excess, seen_tail)
        standardised = (features - self.mean) / self.spread
        return (HARDNESS * standardised).logsumexp(1) / HARDNESS, maps


def _features(log_excess: Tensor, excess: Tensor, tail: Tensor) -> Tensor:
    """Return the features ``[n, scales x 7]`` of maps ``[n, scales, H, W]``."""
    scales = tail.shape[1]
    highest = aggregate(tail.flatten(0, 1), "top_1_percent").reshape(-1, scales)
    squares = [box_sums(excess, side, side).amax((2, 3)) for side in SQUARES]
    lines = [box_sums(excess, *sides).amax((2, 3)) for sides in ((1, LINE), (LINE, 1))]
    means = [log_excess.mean((2, 3)), excess.mean((2, 3)), highest]
    return torch.cat([*means, *squares, torch.maximum(*lines)], 1)

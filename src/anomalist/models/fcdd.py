"""FCDD: a fully convolutional one-class network whose output is the anomaly map.

FCDD (Liznerski, Ruff, Vandermeulen, Franks, Kloft & Mueller, "Explainable deep one-class
classification", ICLR 2021) learns from image labels only. The network maps an image to a small
grid F of numbers, each with a limited receptive field. With the pseudo-Huber loss (eq. 3)::

    A = sqrt(F^2 + 1) - 1
    a = mean of A over the grid
    loss = mean over images of (1 - y) a - y log(1 - exp(-a))
    score = a

normal images (y = 0) are pulled to 0 and anomalies (y = 1) are pushed away. Anomalies are synthetic
(see ``synthetic``), known ones if the training images contain some, or both. The network learns
that an image contains an anomaly, but not where.

The map is A, enlarged to the image's size and smoothed by a Gaussian whose width is proportional to
the receptive field (similar to algorithm 1 of the paper, but without its grid artefacts). It has no
unit and is at least 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from anomalist.models._base import Scores
from anomalist.models._export.operations import Separable
from anomalist.models._export.segmentation import ExportedFcdd
from anomalist.models._exposed import AnomalyExposedDetector
from anomalist.models._networks.layers import initialise
from anomalist.models._trained import predict_batched
from anomalist.training import seeded

__all__ = ["Fcdd", "receptive_field", "spread_planes"]

_SMALLEST = 1e-6  # lower bound of a for anomalies, so that the loss is finite


class Fcdd(AnomalyExposedDetector):
    """Pull a grid of numbers to 0 for normal images; score by the mean, locate by the grid."""

    version: ClassVar[int] = 2
    any_size: ClassVar[bool] = True
    old_names: ClassVar[Mapping[str, str]] = {
        **AnomalyExposedDetector.old_names,
        "downsamplings": "halvings",
    }

    downsamplings: int = Field(
        2,
        ge=0,
        le=5,
        description="number of downsamplings by 2 between the image and the output grid",
    )
    width: int = Field(
        32, ge=1, description="channels after the first convolution; doubled at each downsampling"
    )
    spread: float = Field(
        0.25,
        gt=0,
        description="sigma of the map's Gaussian, relative to the side of the receptive field",
    )

    _network: nn.Sequential | None = PrivateAttr(None)

    def _build(self) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels = self.fitted_shape[0]
        width = self.width
        with seeded(self.seed, "weights"):
            for level in range(self.downsamplings + 1):
                layers += [
                    nn.Conv2d(channels, width, _kernel(level), padding="same"),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                if level < self.downsamplings:
                    layers.append(nn.MaxPool2d(2, ceil_mode=True))
                channels = width
                width = 2 * width
            return nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)).apply(initialise)

    def _objective(self, output: Tensor, truth: Tensor) -> Tensor:
        distance = _pseudo_huber(output).mean((1, 2, 3))
        anomalous = -torch.log(-torch.expm1(-distance.clamp_min(_SMALLEST)))
        return torch.where(truth > 0, anomalous, distance).mean()

    def _unexportable(self) -> str:
        return ""

    def _export_module(self) -> ExportedFcdd:
        assert self._network is not None
        matrices = [self._enlarging(side) for side in self.fitted_shape[1:]]
        return ExportedFcdd(self._network, Separable(*matrices))

    def _enlarging(self, side: int) -> NDArray[np.float32]:
        """Return the matrix ``[side, grid]`` of :func:`spread_planes` along one side."""
        grid = -(-side // 2**self.downsamplings)
        planes = np.eye(grid, dtype=np.float32)[:, :, None]
        sigma = self.spread * receptive_field(self.downsamplings)
        return spread_planes(planes, (side, 1), self.downsamplings, sigma)[:, :, 0].T

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        planes = predict_batched(self, self._network, images)[:, 0].astype(np.float64)
        planes = np.sqrt(planes**2 + 1) - 1
        score = planes.reshape(len(planes), -1).mean(axis=1).astype(np.float32)
        sigma = self.spread * receptive_field(self.downsamplings)
        maps = spread_planes(planes.astype(np.float32), images.shape[2:], self.downsamplings, sigma)
        return Scores(score, maps)


def receptive_field(downsamplings: int) -> int:
    """Return the side of the receptive field in pixels."""
    side = 1
    step = 1
    for level in range(downsamplings + 1):
        side += (_kernel(level) - 1) * step
        if level < downsamplings:
            side += step
            step *= 2
    return side


def spread_planes(
    planes: NDArray[np.float32],
    size: tuple[int, ...],
    downsamplings: int,
    sigma: float,
) -> NDArray[np.float32]:
    """Return grids ``[N, h, w]`` as maps ``[N, *size]``, upsampled and smoothed by a Gaussian.

    Each number stands for ``2^downsamplings`` pixels per side. A constant grid becomes the same
    constant map.
    """
    step = 2**downsamplings
    full = planes.repeat(step, axis=1).repeat(step, axis=2)[:, : size[0], : size[1]]
    maps: NDArray[np.float32] = gaussian_filter(full, (0, sigma, sigma), mode="nearest")
    return maps


def _kernel(level: int) -> int:
    return 5 if level == 0 else 3


def _pseudo_huber(plane: Tensor) -> Tensor:
    return (plane.square() + 1).sqrt() - 1

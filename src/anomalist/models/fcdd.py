"""FCDD: a fully convolutional one-class network whose output is the map.

It learns from image labels.

FCDD (Liznerski, Ruff, Vandermeulen, Franks, Kloft & Mueller, "Explainable deep one-class
classification", ICLR 2021). The network maps an image to a small plane F of numbers, each of which
sees its own part of the image, and with

    A = sqrt(F^2 + 1) - 1,    a = mean of A over the plane,
    loss = mean over images of (1 - y) a - y log(1 - exp(-a));    score = a

(pseudo-Huber loss; eq. 3) normal images are drawn to 0 and anomalies (y = 1) pushed away. Anomalies
are synthetic (see ``synthetic``), known ones if training has some, or both. The network learns
that an image holds an anomaly, but never where. The map is A, each of its numbers spread by a
Gaussian as wide as the part of the image that it has seen (algorithm 1, whose grid of points would
show), without unit, at least 0.
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
from anomalist.models._exposed import AnomalyExposedDetector
from anomalist.models._networks.layers import initialise
from anomalist.models._trained import predict_batched
from anomalist.training import seeded

__all__ = ["Fcdd", "receptive_field", "spread_planes"]

_SMALLEST = 1e-6  # of an anomaly's a, so that its loss is finite


class Fcdd(AnomalyExposedDetector):
    """Draw a plane of numbers to 0 for normal images; its mean is the score, the plane the map."""

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
        description="how often the sides are halved on the way to the plane",
    )
    width: int = Field(
        32, ge=1, description="channels of the first convolution; doubled at each halving"
    )
    spread: float = Field(
        0.25,
        gt=0,
        description="sigma of the Gaussian in the map, in sides of what a number of the plane sees",
    )

    _network: nn.Sequential | None = PrivateAttr(None)

    def _build(self) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels = self.image_shape[0]
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

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        planes = predict_batched(self, self._network, images)[:, 0].astype(np.float64)
        planes = np.sqrt(planes**2 + 1) - 1
        score = planes.reshape(len(planes), -1).mean(axis=1).astype(np.float32)
        sigma = self.spread * receptive_field(self.downsamplings)
        maps = spread_planes(planes.astype(np.float32), images.shape[2:], self.downsamplings, sigma)
        return Scores(score, maps)


def receptive_field(downsamplings: int) -> int:
    """Return the side, in pixels, of the part of an image that a number of the plane sees."""
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
    """Return planes ``[N, h, w]`` as maps ``[N, *size]``, each number spread by a Gaussian.

    A number stands for ``2^downsamplings`` pixels a side; a constant plane becomes the same
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

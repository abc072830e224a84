"""FCDD: a fully convolutional one-class network whose output is the map; it learns from image labels alone.

FCDD (Liznerski, Ruff, Vandermeulen, Franks, Kloft & Mueller, "Explainable deep one-class
classification", ICLR 2021). The network maps an image to a small plane F of numbers, each of which
sees its own part of the image, and with

    A = sqrt(F^2 + 1) - 1,    a = mean of A over the plane,
    loss = mean over images of (1 - y) a - y log(1 - exp(-a));    score = a

(pseudo-Huber loss; eq. 3) normal images are drawn to 0 and anomalies (y = 1) pushed away. Anomalies
are made ones (see ``synthetic``), known ones where training has some, or both. That one is
somewhere in the image is all that it is told: no mask is ever seen. The map is A, each of its
numbers spread by a Gaussian as wide as the part of the image that it has seen (algorithm 1, whose
grid of points would show), without unit, at least 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from anomalist.detector import Detector, Scores
from anomalist.models._auxiliary import DEFECTS, Defect, names, train_against
from anomalist.models._gradient import answers, check_shape, initialise, load_weights, weights
from anomalist.training import seeded

__all__ = ["Fcdd", "spread"]

_LEAST = 1e-6  # of an anomaly's a: its loss is finite


class Fcdd(Detector):
    """Draw a plane of numbers to 0 for normal images; score by its mean, and show it as the map."""

    version: ClassVar[int] = 2
    usual_batch: ClassVar[int] = 64

    defects: tuple[Defect, ...] = Field(
        DEFECTS, min_length=1, description="corruptions that anomalies are made with"
    )
    made: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of made anomalies beside known ones; where none is known, all are made",
    )
    halvings: int = Field(
        2, ge=0, le=5, description="how often the sides are halved on the way to the plane"
    )
    width: int = Field(
        32, ge=1, description="channels of the first convolution; doubled at each halving"
    )
    spread: float = Field(
        0.25,
        gt=0,
        description="sigma of the Gaussian in the map, in sides of what a number of the plane sees",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the normal images; by default as many as make about 1,500 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="normal images a training step, and as many anomalies; by default 64, fewer of "
        "large images",
    )
    learning_rate: float = Field(1e-3, gt=0, description="peak of the one-cycle schedule")

    _network: nn.Sequential | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch; empty before ``fit``."""
        return list(self._history)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The names of the corruptions that anomalies are made with."""
        return names(self.defects) if self.made else ()

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._fit_labelled(images, np.zeros(len(images), np.int8), checkpoint)

    def _fit_labelled(
        self, images: NDArray[np.float32], labels: NDArray[np.integer[Any]], checkpoint: Path | None
    ) -> None:
        network = self._build()

        def objective(planes: Tensor, truth: Tensor) -> Tensor:
            away = _huber(planes).mean((1, 2, 3))
            anomalous = -torch.log(-torch.expm1(-away.clamp_min(_LEAST)))
            return torch.where(truth > 0, anomalous, away).mean()

        self._history = train_against(self, network, objective, images, labels, checkpoint)
        self._network = network

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        planes = answers(self, self._network, images)[:, 0].astype(np.float64)
        planes = np.sqrt(planes**2 + 1) - 1
        score = planes.reshape(len(planes), -1).mean(axis=1).astype(np.float32)
        seen = receptive_field(self.halvings)
        return Scores(
            score,
            spread(planes.astype(np.float32), images.shape[2:], self.halvings, self.spread * seen),
        )

    def _build(self) -> nn.Sequential:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            layers: list[nn.Module] = []
            channels, width = self._shape[0], self.width
            for level in range(self.halvings + 1):
                layers += [
                    nn.Conv2d(channels, width, _kernel(level), padding="same"),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                if level < self.halvings:
                    layers.append(nn.MaxPool2d(2, ceil_mode=True))
                channels, width = width, 2 * width
            return nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)).apply(initialise)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            **weights(self._network),
            "history": np.array(self._history),
            "shape": np.array(self._shape),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        check_shape(arrays, self._shape)
        self._network = load_weights(self._build(), arrays)


def receptive_field(halvings: int) -> int:
    """Return the side, in pixels, of the part of an image that a number of the plane has seen."""
    side, step = 1, 1
    for level in range(halvings + 1):
        side += (_kernel(level) - 1) * step
        if level < halvings:
            side, step = side + step, 2 * step
    return side


def spread(
    planes: NDArray[np.float32], size: tuple[int, ...], halvings: int, sigma: float
) -> NDArray[np.float32]:
    """Return planes ``[N, h, w]`` as maps ``[N, *size]``, each number spread by a Gaussian around what it stands for.

    A number stands for ``2^halvings`` pixels a side; a constant plane becomes the same constant
    map.
    """
    step = 2**halvings
    full = planes.repeat(step, axis=1).repeat(step, axis=2)[:, : size[0], : size[1]]
    maps: NDArray[np.float32] = gaussian_filter(full, (0, sigma, sigma), mode="nearest")
    return maps


def _kernel(level: int) -> int:
    return 5 if level == 0 else 3


def _huber(plane: Tensor) -> Tensor:
    return (plane.square() + 1).sqrt() - 1

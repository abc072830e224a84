"""Student-teacher: a network learns to imitate a frozen one on normal images; an anomaly is where it fails.

Reverse distillation (Deng & Li, "Anomaly detection via reverse distillation from one-class
embedding", CVPR 2022; after Bergmann, Fauser, Sattlegger & Steger, "Uninformed students", CVPR
2020). The teacher is EfficientNet-Lite as ImageNet left it; t(p) are its locally aware features of
unit length at patch p (see ``_features``), whitened as for ``patch_memory``. The student never sees
the image: it has to restore them from a narrow code of themselves, of a sixteenth of the patches.
In training a share of them is hidden from it, so that it learns what belongs where nothing normal
is to be seen. With s(p) what it answers, e(p) = t(p) - s(p), m_p and S_p their mean and covariance
in training,

    loss = mean over p of |e(p)|^2;    map = sqrt((e(p) - m_p)' S_p^-1 (e(p) - m_p)),

brought to the image's size and blurred; the score is its maximum. One network looks at the image,
at a modest size, and the student is small: it is made to be fast, in training too, where the
teacher's features are computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.models._backbone import NEEDS, Backbone, Normalisation, Weights
from anomalist.models._features import Extractor, Stride, pixel_maps, rows, whitener
from anomalist.models._gradient import (
    TrainingPrecision,
    answers,
    load_weights,
    train_as_set,
    weights,
)
from anomalist.models._parts import nest, take
from anomalist.models._places import Places
from anomalist.models._unet import padded
from anomalist.randomness import generator
from anomalist.training import passes, seeded

__all__ = ["StudentTeacher"]

_STUDENT, _PLACES = "student.", "places."  # prefixes of the arrays
_IMAGES = 64  # scored at once
_STEPS = 1_500  # the default length of a training
_CELL = 4  # patches in the side of what is hidden at once
_HALVED = 2  # how often the student halves the grid
_LEAST = 0.01  # added to each variance of its errors, in mean variances
_REGULARISATION = 0.1  # see ``whitener``


class StudentTeacher(Detector):
    """Restore frozen features of normal images from a narrow code; score by where that fails."""

    version: ClassVar[int] = 4
    usual_batch: ClassVar[int] = 16
    map_quantity: ClassVar[str] = "Mahalanobis distance"
    needs: ClassVar[dict[str, str]] = NEEDS

    backbone: Backbone = "efficientnet_lite0"
    weights: Weights = ""
    normalisation: Normalisation = "inception"
    layers: tuple[Stride, ...] = Field(
        (8, 16), min_length=1, description="strides of the features that are imitated"
    )
    side: int | None = Field(
        192,
        ge=32,
        le=2048,
        description="shorter side that images are brought to; None: small ones alone, to 112",
    )
    images: int = Field(
        2_000, ge=1, description="training images, drawn by seed, whose features are imitated"
    )
    width: int = Field(128, ge=1, description="channels of the student")
    bottleneck: int = Field(64, ge=1, description="numbers of the code at each sixteenth patch")
    hidden: float = Field(
        0.3, ge=0, lt=1, description="share of patches that the student does not see in training"
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default as many as make about 1,500 steps",
    )
    batch_size: int = Field(16, ge=1, description="images a training step")
    learning_rate: float = Field(2e-3, gt=0, description="peak of the one-cycle schedule")
    training_precision: TrainingPrecision = "bfloat16"
    blur: float = Field(
        4.0, ge=0, description="sigma of the map's Gaussian, in pixels of an image of 224"
    )

    _teacher: Extractor | None = PrivateAttr(None)
    _apart: _Apart | None = PrivateAttr(None)
    _places: Places | None = PrivateAttr(None)  # of errors
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch; empty before ``fit``."""
        return list(self._history)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._teacher = Extractor.of(self, unit=True)
        chosen = np.sort(generator(self.seed, "images").permutation(len(images))[: self.images])
        found = self._teacher.apply(images[chosen], self)
        self._apart = apart = self._build(found.shape[1:])
        apart.white.centre, apart.white.whitening = map(
            torch.from_numpy, whitener(rows(found), _REGULARISATION)
        )
        features = answers(self, apart.white, found)
        student = apart.student

        def loss(batch: Tensor) -> Tensor:
            sides = batch.shape[2:]
            seen = torch.rand(len(batch), 1, *(-(-side // _CELL) for side in sides)) >= self.hidden
            seen = interpolate(seen.to(batch), scale_factor=_CELL)[:, :, : sides[0], : sides[1]]
            value: Tensor = (student(batch * seen).float() - batch).square().mean()
            return value

        epochs = self.epochs or passes(len(features), self.batch_size, _STEPS)
        self._history = train_as_set(self, student, loss, features, checkpoint, epochs=epochs)
        parts = (found[first : first + _IMAGES] for first in range(0, len(found), _IMAGES))
        self._places = Places.fit((answers(self, apart, part) for part in parts), _LEAST)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._places is not None
        grids = np.concatenate([self._places.distances(errors) for errors in self._errors(images)])
        maps = pixel_maps(grids, images.shape[2:], self.blur)
        return Scores(heatmaps.aggregate(maps, "max"), maps)

    def _errors(self, images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield t - s of some images, float32 ``[n, D, h, w]``."""
        assert self._teacher is not None
        assert self._apart is not None
        both = nn.Sequential(self._teacher.network, self._apart)
        yield from self._teacher.in_parts(images, self, both)

    def _build(self, shape: Sequence[int]) -> _Apart:
        with seeded(self.seed, "weights"):  # they are drawn
            return _Apart(shape, self.width, self.bottleneck)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._teacher is not None
        assert self._places is not None
        student = nest(_STUDENT, weights(self._apart))
        places = nest(_PLACES, self._places.arrays())
        return {
            **self._teacher.arrays(self._shape),
            **student,
            **places,
            "history": np.array(self._history),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        own = take(_STUDENT, arrays)
        self._apart = load_weights(self._build(own["student.mean"].shape[1:]), own)
        self._places = Places(**take(_PLACES, arrays))
        self._teacher = Extractor.restore(arrays, self, self._shape, unit=True)


class _Apart(nn.Module):
    """What student and teacher are apart at each patch, of the teacher's features ``[n, D, h, w]``; like them."""

    def __init__(self, shape: Sequence[int], width: int, bottleneck: int) -> None:
        super().__init__()
        self.white = _White(shape[0])
        self.student = _Student(shape, width, bottleneck)

    def forward(self, found: Tensor) -> Tensor:
        """Return t - s, whitened."""
        features = self.white(found)
        error: Tensor = features - self.student(features)
        return error


class _White(nn.Module):
    """Features ``[n, D, h, w]`` less the mean, times a matrix."""

    centre: Tensor
    whitening: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("whitening", torch.eye(size))

    def forward(self, found: Tensor) -> Tensor:
        """Return whitened features."""
        return conv2d(found - self.centre[:, None, None], self.whitening[:, :, None, None])


class _Student(nn.Module):
    """Whitened features ``[n, D, h, w]`` to a code on a grid of a fourth of the sides, and back.

    What is the same in all images at a place need not go through the code: it is added at the end.
    """

    def __init__(self, shape: Sequence[int], width: int, bottleneck: int) -> None:
        super().__init__()
        size = shape[0]
        self.there = nn.Sequential(
            nn.Conv2d(size, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, bottleneck, 1),
        )
        self.back = nn.Sequential(
            nn.Conv2d(bottleneck, width, 3, 1, 1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width, 4 * size, 1),
            nn.PixelShuffle(2),
        )
        self.mean = nn.Parameter(torch.zeros(1, *shape))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster

    def forward(self, features: Tensor) -> Tensor:
        """Return features like those given, of what is normal there."""
        h, w = features.shape[2:]
        answer: Tensor = self.back(self.there(padded(features, _HALVED)))[:, :, :h, :w] + self.mean
        return answer

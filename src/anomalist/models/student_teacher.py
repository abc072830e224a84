"""Student-teacher: a network imitates a frozen one on normal images, and fails on anomalies.

Reverse distillation (Deng & Li, "Anomaly detection via reverse distillation from one-class
embedding", CVPR 2022; after Bergmann, Fauser, Sattlegger & Steger, "Uninformed students", CVPR
2020). The teacher is EfficientNet-Lite, trained on ImageNet. Its features t(p) are the locally
aware, unit-length features at patch p (see ``_pretrained``), whitened as in ``patch_memory``.

The student does not see the image. It reconstructs the teacher's features from a narrow code of
them, on a grid with a sixteenth of the patches. In training, a fraction of the patches is hidden
from it, so that it learns to predict normal features where none are visible. Let s(p) be its
output, e(p) = t(p) - s(p), and m_p and S_p the mean and covariance of e(p) over the training
images::

    loss = mean over p of |e(p)|^2
    map = sqrt((e(p) - m_p)' S_p^-1 (e(p) - m_p))

The map is resized to the image and blurred; the score is its maximum. Scoring is fast because only
one network sees the image, at a moderate size, and the student is small. Training is fast because
the teacher's features are computed once.
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
from anomalist.core.randomness import generator
from anomalist.models._base import Scores
from anomalist.models._export.patches import Distances, ExportedGaussians
from anomalist.models._nested import nest, take
from anomalist.models._networks.layers import pad_to_multiple
from anomalist.models._positionwise_gaussian import PositionwiseGaussian
from anomalist.models._pretrained import (
    Extractor,
    PretrainedDetector,
    Stride,
    as_rows,
    pixel_maps,
    whitener,
)
from anomalist.models._trained import (
    LearningRate,
    TrainedDetector,
    TrainingPrecision,
    load_weights,
    predict_batched,
    weights,
)
from anomalist.training import seeded

__all__ = ["StudentTeacher"]

_STUDENT = "student."  # prefixes of the arrays
_GAUSSIAN = "places."
_IMAGES = 64  # images scored at once
_CELL = 4  # side of a hidden cell, in patches
_HALVINGS = 2  # number of downsamplings by 2 in the student
_ERROR_REGULARISATION = 0.01  # added to each variance of the errors, in units of the mean variance
_REGULARISATION = 0.1  # see ``whitener``


class StudentTeacher(PretrainedDetector, TrainedDetector):
    """Reconstruct frozen features from a narrow code; score by the reconstruction error."""

    version: ClassVar[int] = 4
    usual_batch: ClassVar[int] = 16
    usual_steps: ClassVar[int] = 1_500
    precision_field: ClassVar[str] = "training_precision"
    map_quantity: ClassVar[str] = "Mahalanobis distance"

    layers: tuple[Stride, ...] = Field(
        (8, 16), min_length=1, description="strides of the teacher's features"
    )
    side: int | None = Field(
        192,
        ge=32,
        le=2048,
        description="shorter side after resizing; None: images below 112 are enlarged to 112",
    )
    images: int = Field(
        2_000, ge=1, description="number of training images used, drawn by the seed"
    )
    width: int = Field(128, ge=1, description="channels of the student")
    bottleneck: int = Field(64, ge=1, description="channels of the code")
    hidden: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="fraction of the patches hidden from the student in training",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="number of epochs; by default enough for about 1,500 steps",
    )
    batch_size: int = Field(16, ge=1, description="images per training step")
    learning_rate: LearningRate = 2e-3
    training_precision: TrainingPrecision = "bfloat16"

    _network: _Difference | None = PrivateAttr(None)
    _gaussian: PositionwiseGaussian | None = PrivateAttr(None)  # of errors
    _grid: tuple[int, ...] = PrivateAttr(())  # D, h, w of the teacher's features

    def _build(self) -> _Difference:
        with seeded(self.seed, "weights"):
            return _Difference(self._grid, self.width, self.bottleneck)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._extractor = Extractor.of(self, l2_normalise=True)
        order = generator(self.seed, "images").permutation(len(images))
        chosen = np.sort(order[: self.images])
        features = self._extractor.apply(images[chosen], self)
        self._grid = features.shape[1:]
        network = self._build()
        centre, whitening = whitener(as_rows(features), _REGULARISATION)
        network.white.centre = torch.from_numpy(centre)
        network.white.whitening = torch.from_numpy(whitening)
        whitened = predict_batched(self, network.white, features)

        def loss(batch: Tensor) -> Tensor:
            restored = network.student(batch * self._visible(batch)).float()
            error: Tensor = (restored - batch).square().mean()
            return error

        self._history = self._train(network.student, loss, whitened, checkpoint)
        self._network = network
        starts = range(0, len(features), _IMAGES)
        parts = (predict_batched(self, network, features[i : i + _IMAGES]) for i in starts)
        self._gaussian = PositionwiseGaussian.fit(parts, _ERROR_REGULARISATION)

    def _visible(self, batch: Tensor) -> Tensor:
        """Return 1 for visible patches and 0 for hidden ones."""
        height, width = batch.shape[2:]
        cells = -(-height // _CELL), -(-width // _CELL)
        seen = torch.rand(len(batch), 1, *cells) >= self.hidden
        return interpolate(seen.to(batch), scale_factor=_CELL)[:, :, :height, :width]

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._gaussian is not None
        grids = [self._gaussian.distances(errors) for errors in self._errors(images)]
        maps = pixel_maps(np.concatenate(grids), images.shape[2:], self.blur)
        return Scores(heatmaps.aggregate(maps, "max"), maps)

    def _errors(self, images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield t - s for batches of images, float32 ``[n, D, h, w]``."""
        assert self._extractor is not None
        assert self._network is not None
        both = nn.Sequential(self._extractor.network, self._network)
        yield from self._extractor.in_parts(images, self, both)

    def _export_module(self) -> ExportedGaussians:
        assert self._extractor is not None
        assert self._network is not None
        assert self._gaussian is not None
        return ExportedGaussians(
            nn.Sequential(self._extractor.network, self._network),
            Distances(self._gaussian.mean, self._gaussian.whitening),
            self._enlarge(self._grid_of(self._extractor.network)),
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._extractor is not None
        assert self._gaussian is not None
        return {
            **self._extractor.arrays(self._shape),
            **nest(_STUDENT, weights(self._network)),
            **nest(_GAUSSIAN, self._gaussian.arrays()),
            "history": np.array(self._history),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        own = take(_STUDENT, arrays)
        self._grid = own["student.mean"].shape[1:]
        self._network = load_weights(self._build(), own)
        self._gaussian = PositionwiseGaussian(**take(_GAUSSIAN, arrays))
        self._extractor = Extractor.restore(arrays, self, self._shape, l2_normalise=True)


class _Difference(nn.Module):
    """Map the teacher's features ``[n, D, h, w]`` to the student's errors, both whitened."""

    def __init__(
        self,
        shape: Sequence[int],
        width: int,
        bottleneck: int,
    ) -> None:
        super().__init__()
        self.white = _White(shape[0])
        self.student = _Student(shape, width, bottleneck)

    def forward(self, features: Tensor) -> Tensor:
        """Return t - s."""
        whitened = self.white(features)
        error: Tensor = whitened - self.student(whitened)
        return error


class _White(nn.Module):
    """Whiten features ``[n, D, h, w]``: subtract the mean and multiply by a matrix."""

    centre: Tensor
    whitening: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("whitening", torch.eye(size))

    def forward(self, features: Tensor) -> Tensor:
        """Return whitened features."""
        return conv2d(features - self.centre[:, None, None], self.whitening[:, :, None, None])


class _Student(nn.Module):
    """Encode whitened features ``[n, D, h, w]`` on a grid of a quarter of the sides, and decode.

    A learnt mean per position is added at the end, so that the code need not represent it.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int,
        bottleneck: int,
    ) -> None:
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
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, features: Tensor) -> Tensor:
        """Return the reconstructed features, like ``features``."""
        height, width = features.shape[2:]
        restored = self.back(self.there(pad_to_multiple(features, _HALVINGS)))
        output: Tensor = restored[:, :, :height, :width] + self.mean
        return output

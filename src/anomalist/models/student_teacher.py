"""Student-teacher: a network imitates a frozen one on normal images, and fails on anomalies.

Reverse distillation (Deng & Li, "Anomaly detection via reverse distillation from one-class
embedding", CVPR 2022; after Bergmann, Fauser, Sattlegger & Steger, "Uninformed students", CVPR
2020). The teacher is EfficientNet-Lite as trained on ImageNet; t(p) are its locally aware features
of unit length at patch p (see ``_pretrained``), whitened as for ``patch_memory``. The student never
sees the image: it has to restore them from a narrow code of themselves, of a sixteenth of the
patches. In training a share of them is hidden from it, so that it learns what belongs where nothing
normal can be seen. With s(p) its output, e(p) = t(p) - s(p), m_p and S_p their mean and covariance
in training,

    loss = mean over p of |e(p)|^2;    map = sqrt((e(p) - m_p)' S_p^-1 (e(p) - m_p)),

brought to the image's size and blurred; the score is its maximum. One network looks at the image,
at a modest size, and the student is small, so scoring is fast; training is too, since the teacher's
features are computed once.
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
_IMAGES = 64  # scored at once
_CELL = 4  # patches in the side of what is hidden at once
_HALVINGS = 2  # of the grid, by the student
_ERROR_REGULARISATION = 0.01  # added to each variance of its errors, in mean variances
_REGULARISATION = 0.1  # see ``whitener``


class StudentTeacher(PretrainedDetector, TrainedDetector):
    """Restore frozen features of normal images from a narrow code; score by where that fails."""

    version: ClassVar[int] = 4
    usual_batch: ClassVar[int] = 16
    usual_steps: ClassVar[int] = 1_500
    precision_field: ClassVar[str] = "training_precision"
    map_quantity: ClassVar[str] = "Mahalanobis distance"

    layers: tuple[Stride, ...] = Field(
        (8, 16), min_length=1, description="strides of the features that are imitated"
    )
    side: int | None = Field(
        192,
        ge=32,
        le=2048,
        description="shorter side that images are brought to; None: only small ones, to 112",
    )
    images: int = Field(
        2_000, ge=1, description="training images, drawn by seed, whose features are imitated"
    )
    width: int = Field(128, ge=1, description="channels of the student")
    bottleneck: int = Field(64, ge=1, description="numbers of the code at each sixteenth patch")
    hidden: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="share of patches that the student does not see in training",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default enough for about 1,500 steps",
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
        """Return 1 where the student sees a patch and 0 in the cells that are hidden from it."""
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
        """Yield t - s of some images, float32 ``[n, D, h, w]``."""
        assert self._extractor is not None
        assert self._network is not None
        both = nn.Sequential(self._extractor.network, self._network)
        yield from self._extractor.in_parts(images, self, both)

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
    """The teacher's features ``[n, D, h, w]`` to their difference from the student's, whitened."""

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
    """Features ``[n, D, h, w]`` less the mean, times a matrix."""

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
    """Whitened features ``[n, D, h, w]`` to a code on a grid of a fourth of the sides, and back.

    What is the same in all images at a position need not go through the code: it is added at the
    end.
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
        """Return the features that are normal there, like those given."""
        height, width = features.shape[2:]
        restored = self.back(self.there(pad_to_multiple(features, _HALVINGS)))
        output: Tensor = restored[:, :, :height, :width] + self.mean
        return output

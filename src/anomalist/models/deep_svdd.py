"""Deep SVDD: a network maps normal images close to one point; an image is as anomalous as its code lies far away.

Stage one trains an autoencoder; the centre c is the mean of its codes. Stage two goes on with its
encoder f, which has no biases, and minimises

    mean |f(x) - c|^2 + weight_decay / 2 sum |W|^2;    score = |f(x) - c|^2

(Ruff et al., "Deep one-class classification", ICML 2018: the one-class objective). c stays where it
is. The score is in squared units of the code space; there is no map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist.detector import Detector, Scores
from anomalist.models._gradient import TrainingPrecision
from anomalist.models._hypersphere import Hypersphere, train_sphere

__all__ = ["DeepSvdd"]


class DeepSvdd(Detector):
    """Draw normal images' codes together; score by the distance from their centre."""

    version: ClassVar[int] = 3
    usual_batch: ClassVar[int] = 128

    bottleneck: int = Field(32, ge=1, description="numbers in a code")
    width: int = Field(
        16, ge=1, description="channels of the first convolution; doubled at each halving"
    )
    pretraining: int | None = Field(
        None,
        ge=1,
        description="passes of the autoencoder's training; by default as many as make about 750 "
        "steps",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes of the second stage; by default as many as make about 750 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images a training step; by default 128, fewer of images above 64 x 64",
    )
    learning_rate: float = Field(
        1e-3, gt=0, description="peak of the one-cycle schedule, in both stages"
    )
    weight_decay: float = Field(
        1e-6, ge=0, description="weight of half the squared weights in both losses"
    )
    training_precision: TrainingPrecision = "bfloat16"

    _sphere: Hypersphere | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch of both stages, one after the other; empty before ``fit``."""
        return list(self._history)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._sphere, self._history = train_sphere(images, self, checkpoint)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._sphere is not None
        return Scores(self._sphere.distances(images, self), None)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._sphere is not None
        return {**self._sphere.arrays(), "history": np.array(self._history)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        assert self._shape is not None
        self._history = arrays.pop("history").tolist()
        self._sphere = Hypersphere.restore(arrays, self._shape, self)

"""Deep SAD: Deep SVDD that also learns from a few known anomalies, which it pushes away from the centre.

With the encoder f and the centre c of Deep SVDD (see ``deep_svdd``), n unlabelled images x and m labelled ones x' with
y = -1 for a known anomaly and +1 for a known normal image, stage two minimises

    (sum |f(x) - c|^2 + eta sum (|f(x') - c|^2)^y) / (n + m) + weight_decay / 2 sum |W|^2;    score = |f(x) - c|^2

(Ruff et al., "Deep semi-supervised anomaly detection", ICLR 2020, eq. 7). Unlabelled images are taken to be mostly
normal. Without labels it is Deep SVDD. The score is in squared units of the code space; there is no map.
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

__all__ = ["DeepSad"]


class DeepSad(Detector):
    """Draw normal images' codes together and push known anomalies' away; score by the distance from the centre."""

    version: ClassVar[int] = 2

    bottleneck: int = Field(32, ge=1, description="numbers in a code")
    width: int = Field(16, ge=1, description="channels of the first convolution; doubled at each halving")
    eta: float = Field(1.0, gt=0, description="weight of a labelled image, in unlabelled ones")
    pretraining: int | None = Field(
        None, ge=1, description="passes of the autoencoder's training; by default as many as make about 750 steps"
    )
    epochs: int | None = Field(
        None, ge=1, description="passes of the second stage; by default as many as make about 750 steps"
    )
    batch_size: int = Field(128, ge=1, description="images a training step")
    learning_rate: float = Field(1e-3, gt=0, description="peak of the one-cycle schedule, in both stages")
    weight_decay: float = Field(1e-6, ge=0, description="weight of half the squared weights in both losses")
    training_precision: TrainingPrecision = "bfloat16"

    _sphere: Hypersphere | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch of both stages, one after the other; empty before ``fit``."""
        return list(self._history)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._sphere, self._history = train_sphere(images, self, checkpoint)

    def _fit_labelled(
        self, images: NDArray[np.float32], labels: NDArray[np.integer[Any]], checkpoint: Path | None
    ) -> None:
        self._sphere, self._history = train_sphere(images, self, checkpoint, labels, self.eta)

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

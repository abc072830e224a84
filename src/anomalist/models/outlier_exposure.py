"""Outlier exposure: a network learns to tell normal images from auxiliary anomalies; its answer is the score.

With q(x) the network's probability that x is anomalous it minimises the cross-entropy of normal
images (0) and as many
anomalies (1): made ones (see ``synthetic``: irregular blots and scratches), known ones where
    training has some, or both

    loss = mean of -log(1 - q(x)) over normal + mean of -log q(x) over anomalies;    score = log
    q(x) / (1 - q(x))

(Hendrycks, Mazeika & Dietterich, "Deep anomaly detection with outlier exposure", ICLR 2019; against
one class: Ruff, Vandermeulen, Franks, Mueller & Kloft, "Rethinking assumptions in deep anomaly
detection", 2020). What the auxiliary anomalies do not resemble may go unseen. The score is in nats;
there is no map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import nn

from anomalist.detector import Detector, Scores
from anomalist.models._auxiliary import DEFECTS, Defect, Scorer, names, train_against
from anomalist.models._gradient import answers, load_weights, weights
from anomalist.training import seeded

__all__ = ["OutlierExposure"]


class OutlierExposure(Detector):
    """Tell normal images from auxiliary anomalies; score by the answer."""

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
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each halving"
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

    _network: Scorer | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch, in nats; empty before ``fit``."""
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
        objective = nn.functional.binary_cross_entropy_with_logits
        self._history = train_against(self, network, objective, images, labels, checkpoint)
        self._network = network

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        return Scores(answers(self, self._network, images), None)

    def _build(self) -> Scorer:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            return Scorer(self._shape, self.width)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**weights(self._network), "history": np.array(self._history)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        self._network = load_weights(self._build(), arrays)

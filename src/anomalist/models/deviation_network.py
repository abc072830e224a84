"""Deviation network: few known anomalies are pushed far above the scores of normal images, in standard deviations.

DevNet (Pang, Shen & van den Hengel, "Deep anomaly detection with deviation networks", KDD 2019). A
network gives an image a number phi(x); reference numbers r_1, ..., r_5000 are drawn from N(0, 1) at
each step, and with

    dev(x) = (phi(x) - mean r) / std r,    y = 1 for anomalies,
    loss = mean of (1 - y) |dev(x)| + y max(0, margin - dev(x));    score = phi(x)

normal images score near 0 and anomalies at ``margin`` or above. Each batch holds as many anomalies
as normal images, drawn again and again from the few known ones. Where none is known they are made
(see ``synthetic``). The score is in standard deviations; there is no map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor

from anomalist.detector import Detector, Scores
from anomalist.models._auxiliary import DEFECTS, Defect, Scorer, names, train_against
from anomalist.models._gradient import answers, load_weights, weights
from anomalist.training import seeded

__all__ = ["DeviationNetwork"]

_REFERENCES = 5_000  # numbers drawn a step, as in the paper


class DeviationNetwork(Detector):
    """Push anomalies above normal images by a margin; score by the number that the network gives."""

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
    margin: float = Field(
        5.0, gt=0, description="standard deviations that anomalies are pushed above normal images"
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
        """The mean loss of each epoch, in standard deviations; empty before ``fit``."""
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

        def objective(answers: Tensor, truth: Tensor) -> Tensor:
            reference = torch.randn(_REFERENCES)
            deviation = (answers - reference.mean().item()) / reference.std().item()
            return torch.where(
                truth > 0, (self.margin - deviation).clamp_min(0), deviation.abs()
            ).mean()

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

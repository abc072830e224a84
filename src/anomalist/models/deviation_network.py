"""Deviation network: pushes known or synthetic anomalies far above the scores of normal images.

DevNet (Pang, Shen & van den Hengel, "Deep anomaly detection with deviation networks", KDD 2019). A
network maps an image to a number phi(x). Each step draws reference numbers r_1, ..., r_5000 from
N(0, 1) and minimises the loss, where y is 1 for anomalies and 0 for normal images::

    dev(x) = (phi(x) - mean r) / std r
    loss = mean of (1 - y) |dev(x)| + y max(0, margin - dev(x))
    score = phi(x)

Normal images then score near 0 and anomalies at ``margin`` or above. Each batch contains as many
anomalies as normal images; known anomalies are drawn with replacement. If no anomaly is known, all
are synthetic (see ``synthetic``). The score is in standard deviations; there is no map.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor

from anomalist.models._base import Scores
from anomalist.models._exposed import AnomalyExposedDetector, ScoringNetwork
from anomalist.models._trained import predict_batched

__all__ = ["DeviationNetwork"]

_REFERENCES = 5_000  # numbers drawn per step, as in the paper


class DeviationNetwork(AnomalyExposedDetector):
    """Push anomalies above normal images by a margin; the network's output is the score."""

    version: ClassVar[int] = 2

    margin: float = Field(
        5.0, gt=0, description="lowest target score of anomalies, in standard deviations"
    )
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each downsampling"
    )

    _network: ScoringNetwork | None = PrivateAttr(None)

    def _build(self) -> ScoringNetwork:
        return ScoringNetwork.drawn(self.fitted_shape, self.width, self.seed)

    def _objective(self, output: Tensor, truth: Tensor) -> Tensor:
        reference = torch.randn(_REFERENCES)
        deviation = (output - reference.mean().item()) / reference.std().item()
        anomalous = (self.margin - deviation).clamp_min(0)
        return torch.where(truth > 0, anomalous, deviation.abs()).mean()

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        return Scores(predict_batched(self, self._network, images), None)

"""Deviation network: known or synthetic anomalies are pushed far above the scores of normal images.

DevNet (Pang, Shen & van den Hengel, "Deep anomaly detection with deviation networks", KDD 2019). A
network gives an image a number phi(x). At each step reference numbers r_1, ..., r_5000 are drawn
from N(0, 1), and with

    dev(x) = (phi(x) - mean r) / std r,    y = 1 for anomalies,
    loss = mean of (1 - y) |dev(x)| + y max(0, margin - dev(x));    score = phi(x)

normal images score near 0 and anomalies at ``margin`` or above. Each batch holds as many anomalies
as normal images, drawn again and again from the few known ones. If none is known, they are
synthetic (see ``synthetic``). The score is in standard deviations; there is no map.
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
        5.0, gt=0, description="standard deviations that anomalies are pushed above normal images"
    )
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each halving"
    )

    _network: ScoringNetwork | None = PrivateAttr(None)

    def _build(self) -> ScoringNetwork:
        return ScoringNetwork.drawn(self.image_shape, self.width, self.seed)

    def _objective(self, output: Tensor, truth: Tensor) -> Tensor:
        reference = torch.randn(_REFERENCES)
        deviation = (output - reference.mean().item()) / reference.std().item()
        anomalous = (self.margin - deviation).clamp_min(0)
        return torch.where(truth > 0, anomalous, deviation.abs()).mean()

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        return Scores(predict_batched(self, self._network, images), None)

"""Outlier exposure: a network learns to distinguish normal images from auxiliary anomalies.

Let q(x) be the network's probability that x is anomalous. Training minimises the cross-entropy of
normal images (label 0) and as many anomalies (label 1)::

    loss = mean of -log(1 - q(x)) over normal + mean of -log q(x) over anomalies
    score = log q(x) / (1 - q(x))

(Hendrycks, Mazeika & Dietterich, "Deep anomaly detection with outlier exposure", ICLR 2019; against
one class: Ruff, Vandermeulen, Franks, Mueller & Kloft, "Rethinking assumptions in deep anomaly
detection", 2020). Anomalies are synthetic (see ``synthetic``: irregular blots and scratches), known
ones if the training images contain some, or both. The detector may miss anomalies that do not
resemble the auxiliary ones. The score is in nats; there is no map.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from anomalist.models._base import Scores
from anomalist.models._exposed import AnomalyExposedDetector, ScoringNetwork
from anomalist.models._trained import predict_batched

__all__ = ["OutlierExposure"]


class OutlierExposure(AnomalyExposedDetector):
    """Distinguish normal images from auxiliary anomalies; the network's logit is the score."""

    version: ClassVar[int] = 2

    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each downsampling"
    )

    _network: ScoringNetwork | None = PrivateAttr(None)

    def _build(self) -> ScoringNetwork:
        return ScoringNetwork.drawn(self.fitted_shape, self.width, self.seed)

    def _objective(self, output: Tensor, truth: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(output, truth)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        return Scores(predict_batched(self, self._network, images), None)

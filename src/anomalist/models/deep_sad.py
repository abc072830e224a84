"""Deep SAD: Deep SVDD that also pushes a few known anomalies away from the centre.

With the encoder f and the centre c of Deep SVDD (see ``deep_svdd``), n unlabelled images x and m
labelled ones x' with y = -1 for a known anomaly and +1 for a known normal image, stage two
minimises

    (sum |f(x) - c|^2 + eta sum (|f(x') - c|^2)^y) / (n + m) + weight_decay / 2 sum |W|^2
    score = |f(x) - c|^2

(Ruff et al., "Deep semi-supervised anomaly detection", ICLR 2020, eq. 7). Unlabelled images are
taken to be mostly normal. Without labels it is Deep SVDD. The score is in squared units of the code
space; there is no map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.models._hypersphere import HypersphereDetector

__all__ = ["DeepSad"]


class DeepSad(HypersphereDetector):
    """Draw normal images' codes together and push known anomalies' codes away."""

    eta: float = Field(1.0, gt=0, description="weight of a labelled image, in unlabelled ones")

    def _fit_labelled(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]],
        checkpoint: Path | None,
    ) -> None:
        self._fit_both_stages(images, labels, checkpoint, self.eta)

"""Deep SAD: Deep SVDD that also pushes a few known anomalies away from the centre.

Let f be the encoder and c the centre of Deep SVDD (see ``deep_svdd``). Training gets n unlabelled
images x and m labelled images x'; y is -1 for a known anomaly and +1 for a known normal image.
Stage two minimises the first expression; the second one is the score::

    (sum |f(x) - c|^2 + eta sum (|f(x') - c|^2)^y) / (n + m) + weight_decay / 2 sum |W|^2
    score = |f(x) - c|^2

(Ruff et al., "Deep semi-supervised anomaly detection", ICLR 2020, eq. 7). The method assumes that
most unlabelled images are normal. Without labels it is equal to Deep SVDD. The score is in squared
units of the code space; there is no map.
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
    """Pull the codes of normal images to the centre and push those of known anomalies away."""

    eta: float = Field(
        1.0, gt=0, description="weight of a labelled image, relative to an unlabelled one"
    )

    def _fit_labelled(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]],
        checkpoint: Path | None,
    ) -> None:
        self._fit_both_stages(images, labels, checkpoint, self.eta)

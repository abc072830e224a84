"""Gap: how surely an anomaly scores above the mean normal image."""

import numpy as np
from numpy.typing import NDArray

from anomalist.metrics import Estimate, proportion_interval

__all__ = ["gap_interval"]


def gap_interval(
    scores: NDArray[np.float32],
    truth: NDArray[np.bool_],
    clusters: NDArray[np.int64],
    seed: int,
) -> Estimate:
    """Return the share of anomalous images above the mean score of normal ones."""
    return proportion_interval(scores[truth] > scores[~truth].mean())

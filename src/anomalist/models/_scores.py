"""The scores that a detector returns, and a second scoring rule for the same fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anomalist.models._base import Detector

__all__ = ["Scores", "SecondScore"]


class Scores(NamedTuple):
    """Anomaly scores of images and pixels.

    Higher is more anomalous. Scores of different detectors have different scales.
    """

    image: NDArray[np.float32]  # [N]
    pixel: NDArray[np.float32] | None  # [N, H, W]


class SecondScore(NamedTuple):
    """A second scoring rule for the same fit.

    Attributes:
        name: its name in tables.
        detector: the fitted detector with the second rule.
        score_both: returns the first and the second scores of images, faster than two calls.
    """

    name: str
    detector: Detector
    score_both: Callable[[NDArray[np.float32]], tuple[Scores, Scores]]

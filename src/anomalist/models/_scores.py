"""Scores: what a detector returns for images, and a second way to score with the same fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from anomalist.models._base import Detector

__all__ = ["Scores", "SecondScore"]


class Scores(NamedTuple):
    """How anomalous each image, and each pixel, is.

    Higher is more anomalous; every detector has a scale of its own.
    """

    image: NDArray[np.float32]  # [N]
    pixel: NDArray[np.float32] | None  # [N, H, W]


class SecondScore(NamedTuple):
    """Another way to score with the same fit.

    Attributes:
        name: what it is called in tables.
        detector: fitted.
        score_both: returns the first and the second scores of images, faster than two calls.
    """

    name: str
    detector: Detector
    score_both: Callable[[NDArray[np.float32]], tuple[Scores, Scores]]

"""A model: one or several fitted detectors, how they read files, and their calibration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration import MarkedShare, ReferenceScores, check_enough
from anomalist.core.errors import InputError
from anomalist.deployment.description import Description
from anomalist.deployment.scorers import Scorer, images_at_once

__all__ = ["CalibratedModel", "Calibration", "Predictions"]


@dataclass(frozen=True)
class Calibration:
    """What held-out normal images say about scores.

    Attributes:
        image: the scores of normal images.
        region: the highest values of the maps of normal images; None without maps.
        marked: shares of marked pixels; None without maps or with several folds.
        scale: map values that pictures show as nothing and at full strength.
    """

    image: ReferenceScores
    region: ReferenceScores | None
    marked: MarkedShare | None
    scale: tuple[float, float]


class Predictions(NamedTuple):
    """The result for n images.

    Attributes:
        score: ``[n]``, higher is more anomalous; the mean over detectors if there are several.
        p_value: ``[n]``, of a normal image scoring at least as high; NaN without calibration.
        percentile: ``[n]``, the percentage of normal images that score lower.
        is_anomaly: bool ``[n]``, at the chosen rate.
        first: ``[n]``, the scores of the first detector, for the test of drift.
        maps: ``[n, H, W]``, or None for detectors without maps.
        masks: bool ``[n, H, W]``, the anomalous pixels; None without maps.
    """

    score: NDArray[np.float32]
    p_value: NDArray[np.float64]
    percentile: NDArray[np.float64]
    is_anomaly: NDArray[np.bool_]
    first: NDArray[np.float32]
    maps: NDArray[np.float32] | None
    masks: NDArray[np.bool_] | None


@dataclass(frozen=True)
class CalibratedModel:
    """A fitted and calibrated model; make one with :func:`anomalist.deployment.fit`.

    Attributes:
        description: what the model is, how it reads files, and how it was calibrated.
        calibration: the scores of normal images.
        scorer: gives raw scores.
        seen: the first 16 digits of the SHA-256 of each image of the fit; empty if unknown.
    """

    description: Description
    calibration: Calibration
    scorer: Scorer
    seen: frozenset[str] = frozenset()

    @property
    def threshold(self) -> float | None:
        """The score above which an image is anomalous; None if several detectors decide."""
        return self.threshold_at(self.description.false_alarms)

    def threshold_at(self, false_alarms: float | None) -> float | None:
        """Return the threshold at another false-alarm rate."""
        return None if false_alarms is None else self.calibration.image.threshold(false_alarms)

    def check_rate(self, false_alarms: float | None) -> float | None:
        """Return the false-alarm rate to use, that of the fit by default.

        Raises:
            InputError: there are too few calibration images for this rate.
        """
        if false_alarms is None:
            return self.description.false_alarms
        if self.calibration.image.count == 0:
            raise InputError("the model has no calibration images: no false-alarm rate can be set")
        check_enough(self.calibration.image.count, false_alarms)
        return false_alarms

    def check_marked_share(self, share: float | None) -> None:
        """Check that masks can mark a share of the pixels of normal images; None: no check.

        Raises:
            InputError: the model has no maps, no split calibration, or too few images for it.
        """
        if share is None:
            return
        if self.calibration.marked is None:
            raise InputError(
                "marked_share needs a model with maps and split calibration: choose a detector "
                "that draws maps, and fit it with --calibration split"
            )
        self.calibration.marked.threshold(share)

    def batch_size(self) -> int:
        """Return how many images are scored at once; 1 if they are tiled or differ in size."""
        size = self.description.reading.size
        return 1 if size is None else images_at_once(size)

    @contextmanager
    def threads(self, count: int | None) -> Iterator[None]:
        """Score with a number of processor threads within the context; None: one per core.

        Raises:
            InputError: more threads than the machine can use.
        """
        with self.scorer.threads(count):
            yield

    def predict(
        self,
        images: NDArray[Any],
        false_alarms: float | None = None,
        marked_share: float | None = None,
    ) -> Predictions:
        """Score images and decide which are anomalous.

        Args:
            images: ``[n, C, H, W]`` as read from files (``description.reading``): uint8, uint16, or
                float32.
            false_alarms: the expected share of normal images that are called anomalous; by default
                that of the fit.
            marked_share: the expected share of the pixels of normal images that masks mark; by
                default masks mark a pixel in at most the share ``false_alarms`` of normal images.

        Raises:
            InputError: there are too few calibration images for a rate.
        """
        rate = self.check_rate(false_alarms)
        scores, maps = self.scorer(images)
        if not np.isfinite(scores).all():
            raise InputError(f"{self.description.detector} gives scores that are not finite")
        reference = self.calibration.image
        unknown = np.full(scores.shape[1], np.nan)
        return Predictions(
            score=_mean(scores),
            p_value=reference.p_values(scores) if reference.count else unknown,
            percentile=reference.percentiles(scores) if reference.count else unknown,
            is_anomaly=unknown > 0 if rate is None else reference.exceeded(scores, rate),
            first=scores[0],
            maps=None if maps is None else _mean(maps),
            masks=None if maps is None else self._masks(maps, rate, marked_share),
        )

    def _masks(
        self,
        maps: NDArray[np.float32],
        rate: float | None,
        marked_share: float | None,
    ) -> NDArray[np.bool_]:
        """Return the anomalous pixels of maps ``[K, n, H, W]``."""
        if marked_share is not None:
            self.check_marked_share(marked_share)
            assert self.calibration.marked is not None
            above: NDArray[np.bool_] = maps[0] > self.calibration.marked.threshold(marked_share)
            return above
        if rate is None or self.calibration.region is None:
            return np.zeros(maps.shape[1:], np.bool_)
        masks: NDArray[np.bool_] = self.calibration.region.exceeded(maps, rate)
        return masks


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over detectors, without a copy if there is one."""
    mean: NDArray[np.float32] = values[0]
    if len(values) > 1:
        mean = values.mean(axis=0, dtype=np.float32)
    return mean

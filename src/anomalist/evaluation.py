"""Evaluation: a detector's scores against what is known of the test images, every number with its interval."""

from __future__ import annotations

import numpy as np

from anomalist.calibration import threshold
from anomalist.detector import Detector, Scores
from anomalist.errors import InputError
from anomalist.metrics import (
    Estimate,
    detection_intervals,
    localization_intervals,
    proportion_interval,
)
from anomalist.split import Split

__all__ = ["Evaluation", "Judge", "evaluate"]

LABELS = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "fpr95": "FPR95",
    "best_f1": "F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
    "iou": "IoU",
    "dice": "Dice",
}


class Evaluation(dict[str, Estimate]):
    """Metric names to estimates; prints as one readable line."""

    def __str__(self) -> str:
        return ", ".join(f"{LABELS.get(name, name)} {estimate}" for name, estimate in self.items())


def evaluate(
    scores: Scores, test: Split, *, pixel_threshold: float | None = None, seed: int = 0
) -> Evaluation:
    """Judge scores by image and, where there are maps and masks, by pixel.

    Intervals respect pairing: images made from the same source image are resampled together.

    Args:
        scores: what ``detector.score(test.images)`` returned.
        test: the images' labels, masks and sources.
        pixel_threshold: pixels above it are called anomalous, for IoU and Dice; take it from
            held-out normal images (:func:`anomalist.calibration.threshold`).
        seed: of the bootstrap.

    Raises:
        InputError: scores and images differ in number, only one class is present, or a score is not
            finite.
    """
    if len(scores.image) != len(test):
        raise InputError(
            f"{len(scores.image)} scores for {len(test)} test images; score the very same split"
        )
    found = detection_intervals(scores.image, test.labels, test.source, seed=seed)
    if scores.pixel is not None and test.masks is not None and np.any(test.masks):
        found |= localization_intervals(
            scores.pixel, test.masks, clusters=test.source, threshold=pixel_threshold, seed=seed
        )
    return Evaluation(found)


class Judge:
    """A fitted detector, its thresholds from held-out normal images, and its scores of the normal test images.

    All that is the same for every kind of anomaly is computed once, here.
    """

    def __init__(
        self, detector: Detector, held_out: Split, normal: Split, false_alarm_rate: float
    ) -> None:
        """Score the normal images and set the thresholds.

        Args:
            detector: a fitted detector.
            held_out: normal images that it was not fitted on.
            normal: the normal test images.
            false_alarm_rate: the share of normal images, and of their pixels, that exceed a
                threshold.

        Raises:
            InputError: too few held-out images for that rate.
        """
        self.detector, self.normal = detector, normal
        self.calibration = detector.score(held_out.images)
        self.normal_scores = detector.score(normal.images)
        self.threshold = threshold(self.calibration.image, false_alarm_rate)
        pixel = self.calibration.pixel
        self.pixel_threshold = None if pixel is None else threshold(pixel, false_alarm_rate)

    def judge(
        self, anomalies: Split, *, seed: int = 0, localize: bool = True
    ) -> tuple[Scores, Evaluation]:
        """Score anomalies and tell them from the normal test images.

        Args:
            anomalies: the anomalous test images.
            seed: of the bootstrap.
            localize: whether to compute the pixel metrics, the costly ones.

        Returns:
            the anomalies' scores; and every metric of :func:`evaluate`, with ``detection_rate`` and
            ``false_alarm_rate``, the shares of anomalous and of normal test images above the
            threshold.
        """
        found = self.detector.score(anomalies.images)
        return found, self.compare(found, anomalies, seed=seed, localize=localize)

    def compare(
        self, found: Scores, anomalies: Split, *, seed: int = 0, localize: bool = True
    ) -> Evaluation:
        """Return the metrics of :meth:`judge` from the anomalies' scores ``found``; safe to call from any thread."""
        usual = self.normal_scores
        pixel = None
        if localize and found.pixel is not None and usual.pixel is not None:
            pixel = np.concatenate([usual.pixel, found.pixel])
        joined = Scores(np.concatenate([usual.image, found.image]), pixel)
        metrics = evaluate(
            joined, self.normal + anomalies, pixel_threshold=self.pixel_threshold, seed=seed
        )
        metrics["detection_rate"] = proportion_interval(found.image > self.threshold)
        metrics["false_alarm_rate"] = proportion_interval(usual.image > self.threshold)
        return metrics

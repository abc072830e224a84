"""Evaluate a detector's scores against the truth; every metric has an interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration import threshold
from anomalist.core.errors import InputError
from anomalist.metrics import (
    Estimate,
    detection_intervals,
    localization_intervals,
    proportion_interval,
    roc_band,
    roc_curve,
)
from anomalist.metrics.table import METRICS, of_metric
from anomalist.models import Detector, Scores
from anomalist.split import Split, masks_of
from anomalist.tasks import TaskSplits

__all__ = ["Evaluation", "Evaluator", "evaluate", "evaluate_arrays"]

_LOWEST_RATE = 1e-3  # lowest false-positive rate of the ROC band
_BAND_POINTS = 60
_BAND_RESAMPLES = 200


class Evaluation(dict[str, Estimate]):
    """Estimates by metric key; ``str`` returns one readable line."""

    def __str__(self) -> str:
        return ", ".join(f"{of_metric(key).label} {estimate}" for key, estimate in self.items())


def evaluate(
    scores: Scores,
    test: Split,
    *,
    pixel_threshold: float | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate scores by image and, if there are maps and masks, by pixel.

    Intervals account for pairing: images from the same source image are resampled together.

    Args:
        scores: the result of ``detector.score(test.images)``.
        test: the test images, with labels, masks and source images.
        pixel_threshold: pixels above it are predicted anomalous, for IoU and Dice. Compute it from
            held-out normal images with :func:`anomalist.calibration.threshold`.
        seed: seed of the bootstrap.

    Returns:
        the estimate of every metric, by key.

    Raises:
        InputError: the numbers of scores and images differ, only one class is present, or a score
            is not finite.
    """
    if len(scores.image) != len(test):
        raise InputError(
            f"{len(scores.image)} scores for {len(test)} test images; score the same split"
        )
    return evaluate_arrays(
        scores, test.is_anomaly, test.masks, test.image_index, pixel_threshold, seed
    )


def evaluate_arrays(
    scores: Scores,
    is_anomaly: NDArray[np.bool_],
    masks: NDArray[np.bool_] | None,
    clusters: NDArray[np.int64],
    pixel_threshold: float | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate like :func:`evaluate`, without the images.

    Args:
        scores: of N images.
        is_anomaly: bool ``[N]``.
        masks: bool ``[N, H, W]``, or None.
        clusters: ``[N]``; images with the same number are resampled together.
        pixel_threshold: like that of :func:`evaluate`.
        seed: seed of the bootstrap.

    Raises:
        InputError: like :func:`evaluate`.
    """
    estimates = detection_intervals(scores.image, is_anomaly, clusters, seed=seed)
    truth = {"image": (scores.image, is_anomaly)}
    if scores.pixel is not None and masks is not None and np.any(masks):
        truth["pixel"] = (scores.pixel, masks)
        estimates |= localization_intervals(
            scores.pixel,
            masks,
            clusters=clusters,
            threshold=pixel_threshold,
            seed=seed,
        )
    for metric in METRICS:
        if metric.interval is not None and metric.level in truth:
            estimates[metric.key] = metric.interval(*truth[metric.level], clusters, seed)
    return Evaluation(estimates)


class Evaluator:
    """A fitted detector with its thresholds and its scores of the normal test images.

    It computes once what all kinds of anomalies share.

    Attributes:
        detector: the fitted detector.
        normal: the normal test images.
        normal_scores: scores of the normal test images.
        calibration_scores: scores of the held-out normal images.
        threshold: images that score higher are predicted anomalous.
        pixel_threshold: pixels that score higher are predicted anomalous; None without maps.
    """

    def __init__(
        self,
        detector: Detector,
        splits: TaskSplits,
        false_alarm_rate: float,
    ) -> None:
        """Score the normal images and set the thresholds.

        Args:
            detector: a fitted detector.
            splits: the images; the detector must not be fitted on ``splits.calibration``.
            false_alarm_rate: expected fraction of normal images, and of their pixels, above the
                threshold.

        Raises:
            InputError: too few held-out images for this rate.
        """
        self.detector = detector
        self.normal = splits.normal
        self.calibration_scores = detector.score(splits.calibration.images)
        self.normal_scores = detector.score(self.normal.images)
        self.threshold = threshold(self.calibration_scores.image, false_alarm_rate)
        self.pixel_threshold: float | None = None
        if self.calibration_scores.pixel is not None:
            self.pixel_threshold = threshold(self.calibration_scores.pixel, false_alarm_rate)

    def evaluate(
        self,
        anomalies: Split,
        scores: Scores,
        *,
        seed: int = 0,
        localize: bool = True,
    ) -> Evaluation:
        """Evaluate anomalies against the normal test images; thread-safe.

        Args:
            anomalies: the anomalous test images.
            scores: the result of ``detector.score(anomalies.images)``.
            seed: seed of the bootstrap.
            localize: whether to compute the pixel metrics, which are expensive.

        Returns:
            every metric of :func:`evaluate`, and ``detection_rate`` and ``false_alarm_rate``, the
            fractions of anomalous and of normal test images above the threshold.
        """
        normal = self.normal_scores
        pixel = masks = None
        if localize and scores.pixel is not None and normal.pixel is not None:
            pixel = np.concatenate([normal.pixel, scores.pixel])
            masks = np.concatenate([masks_of(self.normal), masks_of(anomalies)])
        metrics = evaluate_arrays(
            Scores(np.concatenate([normal.image, scores.image]), pixel),
            np.concatenate([self.normal.is_anomaly, anomalies.is_anomaly]),
            masks,
            np.concatenate([self.normal.image_index, anomalies.image_index]),
            self.pixel_threshold,
            seed,
        )
        metrics["detection_rate"] = proportion_interval(scores.image > self.threshold)
        metrics["false_alarm_rate"] = proportion_interval(normal.image > self.threshold)
        return metrics

    def roc(self, anomalies: Split, scores: Scores) -> dict[str, NDArray[np.float64]]:
        """Return the ROC curve against the normal test images, with a pointwise 95 % band.

        Args:
            anomalies: the anomalous test images.
            scores: the detector's scores of the anomalies.

        Returns:
            ``fpr`` and ``tpr`` of the curve; ``rates``, ``low`` and ``high`` of the band.
        """
        image = np.concatenate([self.normal_scores.image, scores.image])
        is_anomaly = np.concatenate([self.normal.is_anomaly, anomalies.is_anomaly])
        clusters = np.concatenate([self.normal.image_index, anomalies.image_index])
        curve = roc_curve(image, is_anomaly)
        rates, low, high = roc_band(
            image,
            is_anomaly,
            clusters,
            grid=np.logspace(np.log10(_LOWEST_RATE), 0, _BAND_POINTS),
            seed=0,
            resamples=_BAND_RESAMPLES,
        )
        return {"fpr": curve.fpr, "tpr": curve.tpr, "rates": rates, "low": low, "high": high}

"""Evaluation: a detector's scores against what is known of the test images, every number with its interval."""

from __future__ import annotations

import numpy as np

from anomalist.detector import Scores
from anomalist.errors import InputError
from anomalist.metrics import Estimate, detection_intervals, localization_intervals
from anomalist.tasks import Split

__all__ = ["Evaluation", "evaluate"]

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


def evaluate(scores: Scores, test: Split, *, pixel_threshold: float | None = None, seed: int = 0) -> Evaluation:
    """Judge scores by image and, where there are maps and masks, by pixel.

    Intervals respect pairing: images made from the same source image are resampled together.

    Args:
        scores: what ``detector.score(test.images)`` returned.
        test: the images' labels, masks and sources.
        pixel_threshold: pixels above it are called anomalous, for IoU and Dice; take it from held-out normal
            images (:func:`anomalist.calibration.threshold`).
        seed: of the bootstrap.

    Raises:
        InputError: scores and images differ in number, only one class is present, or a score is not finite.
    """
    if len(scores.image) != len(test):
        raise InputError(f"{len(scores.image)} scores for {len(test)} test images; score the very same split")
    found = detection_intervals(scores.image, test.labels, test.source, seed=seed)
    if scores.pixel is not None and test.masks is not None and np.any(test.masks):
        found |= localization_intervals(
            scores.pixel, test.masks, clusters=test.source, threshold=pixel_threshold, seed=seed
        )
    return Evaluation(found)

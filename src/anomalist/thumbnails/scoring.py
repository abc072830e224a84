"""``scoring.json``: which model gave the scores of a folder, and how it was calibrated."""

from __future__ import annotations

from typing import Any

from anomalist.core.config import Config

__all__ = ["SCORING", "Scoring"]

SCORING = "scoring.json"


class Scoring(Config):
    """What a report says about the scores in a folder.

    Attributes:
        model: the description of the model.
        options: the options of the scoring.
        false_alarms: the rate of the verdicts; None without calibration.
        threshold: images that score higher are anomalous; None if several detectors decide.
        calibration: the sorted scores of normal images; empty if several detectors decide.
        calibration_images: number of normal images in the calibration.
    """

    model: dict[str, Any]
    options: dict[str, Any]
    false_alarms: float | None
    threshold: float | None
    calibration: tuple[float, ...]
    calibration_images: int

"""Thresholds and p-values from normal images alone; no labelled anomaly and no test image.

- ``split``: held-out normal images set a threshold and give p-values.
- ``cross``: every normal image is used for training and for calibration.
- ``selection``: a batch of images with a limited share of false discoveries.
- ``risk``: a pixel threshold that limits the share of normal pixels that are marked.
- ``drift``: a test for a stream of images that no longer look like the calibration images.
"""

from anomalist.calibration.cross import ReferenceScores, proven_rate
from anomalist.calibration.drift import DriftTest
from anomalist.calibration.risk import MarkedShare
from anomalist.calibration.selection import discoveries
from anomalist.calibration.split import (
    LOWEST_RATE,
    USUAL_RATES,
    check_enough,
    images_needed,
    p_values,
    rate_range,
    threshold,
    usual_rate,
)

__all__ = [
    "LOWEST_RATE",
    "USUAL_RATES",
    "DriftTest",
    "MarkedShare",
    "ReferenceScores",
    "check_enough",
    "discoveries",
    "images_needed",
    "p_values",
    "proven_rate",
    "rate_range",
    "threshold",
    "usual_rate",
]

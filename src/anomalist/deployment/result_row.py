"""One row of results: what a model says about one image, as plain values."""

from __future__ import annotations

from typing import Any

from anomalist.deployment.model import Predictions
from anomalist.deployment.reading import ImageFile
from anomalist.deployment.regions import Region, in_file

__all__ = ["ROW_COLUMNS", "result_row"]

ROW_COLUMNS = ("score", "p_value", "percentile", "verdict")  # that every row has


def result_row(
    predictions: Predictions,
    number: int,
    file: ImageFile,
    region: Region | None,
    *,
    is_calibrated: bool,
) -> dict[str, Any]:
    """Return the row of an image.

    Args:
        predictions: of a batch.
        number: the place of the image in the batch.
        file: the image as it was read.
        region: its largest anomalous region, in pixels of the model's image; None if there is none.
        is_calibrated: whether the model has calibration images. Without them, only the score is
            known.

    Returns:
        ``score``, ``p_value``, ``percentile``, ``verdict``, and for detectors with maps
        ``region_left``, ``region_top``, ``region_width``, ``region_height`` and ``region_area`` in
        pixels of the file.
    """
    row: dict[str, Any] = dict.fromkeys(ROW_COLUMNS)
    row["score"] = _rounded(predictions.score[number], 9)
    if is_calibrated:
        row["p_value"] = _rounded(predictions.p_value[number], 6)
        row["percentile"] = _rounded(predictions.percentile[number], 4)
        row["verdict"] = "anomalous" if predictions.is_anomaly[number] else "normal"
    if predictions.masks is not None:
        shown = region and in_file(region, file.frame, file.size)
        for field in Region._fields:
            row[f"region_{field}"] = getattr(shown, field) if shown else None
    return row


def _rounded(value: float, digits: int) -> float:
    """Return a value with some significant digits, so that tables are short."""
    return float(f"{value:.{digits}g}")

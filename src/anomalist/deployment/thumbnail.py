"""Thumbnails of scored files, and what a report says about the model that scored them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration import images_needed
from anomalist.core.files import write_json
from anomalist.deployment.model import CalibratedModel, Predictions
from anomalist.deployment.scorers import DetectorScorer
from anomalist.thumbnails import (
    SCORING,
    MapScale,
    Scoring,
    Thumbnail,
    ThumbnailScore,
    encode_image,
    encode_map,
    encode_mask,
)

if TYPE_CHECKING:
    from anomalist.calibration import ReferenceScores

__all__ = ["scale_of", "thumbnails_of", "write_scoring"]

_RATES = 60  # false-alarm rates whose masks a report can show
_HIGHEST_RATE = 0.5


def scale_of(model: CalibratedModel, rate: float | None) -> MapScale | None:
    """Return the scale of a model's small maps; None without maps.

    Args:
        model: the model.
        rate: the false-alarm rate at which masks are exact; None without calibration.
    """
    if not model.description.has_maps:
        return None
    region = model.calibration.region
    quantity = model.description.map_quantity
    ends = model.calibration.scale
    # Masks of several detectors are decided by their p-values, not by one threshold of the map.
    if rate is None or region is None or len(region.folds) > 1:
        return MapScale.make(quantity, ends, None)
    rates = _rates(region)
    thresholds = [_threshold(region, one) for one in (*rates, rate)]
    return MapScale.make(quantity, ends, thresholds[-1], [*rates, rate], thresholds)


def thumbnails_of(
    model: CalibratedModel,
    scale: MapScale | None,
    images: NDArray[Any],
    predictions: Predictions,
    names: list[str],
    kinds: list[str] | None = None,
    masks: NDArray[np.bool_] | None = None,
) -> list[Thumbnail]:
    """Return the thumbnails of scored images.

    Args:
        model: the model that scored them.
        scale: of its maps.
        images: ``[n, C, H, W]`` as read from files.
        predictions: its predictions.
        names: the names of the images.
        kinds: their kinds, if they are known.
        masks: true masks ``[n, H, W]``, if they are known.
    """
    floats = model.description.reading.to_float(images)
    restored = _reconstructions(model, floats)
    found = []
    for place, name in enumerate(names):
        truth = masks is not None and bool(masks[place].any())
        known = model.calibration.image.count > 0
        heat = None
        if predictions.maps is not None and scale is not None:
            heat = encode_map(predictions.maps[place], scale)
        score = ThumbnailScore(
            value=float(predictions.score[place]),
            p_value=float(predictions.p_value[place]) if known else None,
            map=heat,
            restored=None if restored is None else encode_image(restored[place]),
            mask=_fixed_mask(predictions, place, scale),
        )
        one = Thumbnail(
            name=name,
            kind=None if kinds is None else kinds[place],
            input=encode_image(floats[place]),
            truth=encode_mask(masks[place]) if masks is not None and truth else None,
            scores=(score,),
        )
        found.append(one)
    return found


def write_scoring(
    folder: Path,
    model: CalibratedModel,
    rate: float | None,
    options: Mapping[str, Any],
) -> None:
    """Write ``scoring.json``, from which a report knows the model and its calibration.

    Args:
        folder: the folder of the results.
        model: the model.
        rate: the false-alarm rate of the verdicts; None without calibration.
        options: the options of the scoring.
    """
    image = model.calibration.image
    scoring = Scoring(
        model=model.description.model_dump(mode="json"),
        options=dict(options),
        false_alarms=rate,
        threshold=model.threshold_at(rate),
        calibration=tuple(image.folds[0].tolist()) if len(image.folds) == 1 else (),
        calibration_images=image.count,
    )
    write_json(folder / SCORING, scoring.model_dump(mode="json"))


def _reconstructions(
    model: CalibratedModel, images: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """Return what the detector reconstructs; None if it does not, or if several detectors score."""
    scorer = model.scorer
    if not isinstance(scorer, DetectorScorer) or len(scorer.detectors) != 1:
        return None
    return scorer.detectors[0].reconstruct(images)


def _fixed_mask(
    predictions: Predictions,
    place: int,
    scale: MapScale | None,
) -> str | None:
    """Return the mask at the model's rate if thresholds of the map do not decide, or None."""
    if predictions.masks is None or (scale is not None and scale.rates):
        return None
    mask = predictions.masks[place]
    return encode_mask(mask) if mask.any() else None


def _rates(region: ReferenceScores) -> list[float]:
    """Return decreasing rates that the calibration images support."""
    if images_needed(_HIGHEST_RATE) > region.count:
        return []
    rates: list[float] = np.geomspace(_HIGHEST_RATE, 1 / region.count, _RATES).tolist()
    return rates


def _threshold(region: ReferenceScores, rate: float) -> float:
    threshold = region.threshold(rate)
    assert threshold is not None  # there is a single fold
    return threshold

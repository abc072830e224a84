"""The thumbnails of a run: some normal test images, and some of each kind of anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalist.baseline.config import AnomalyKind
from anomalist.baseline.testing import Tested
from anomalist.calibration import p_values
from anomalist.evaluation import Evaluator
from anomalist.models import Scores
from anomalist.split import Split
from anomalist.thumbnails import (
    MapScale,
    Thumbnail,
    ThumbnailFile,
    ThumbnailScore,
    encode_image,
    encode_map,
    encode_mask,
)

__all__ = ["NORMAL", "RunThumbnails"]

NORMAL = "normal"  # the kind of normal images
_OF_FILES = 400  # thumbnails per type of defect, and of normal images that are files
_OF_NORMAL = 200
_OF_CORRUPTION = 48
_RATES = np.geomspace(0.5, 1e-4, 60)  # false-alarm rates with a threshold of pixels
_MOST_PIXELS = 1 << 21  # values that give these thresholds


class RunThumbnails:
    """Writes the thumbnails of a run while its kinds of anomaly are tested."""

    def __init__(
        self,
        folder: Path,
        evaluators: Sequence[Evaluator],
        files: NDArray[np.str_] | None,
        false_alarm_rate: float,
    ) -> None:
        """Begin the file with the normal test images.

        Args:
            folder: the folder of the run.
            evaluators: one per score.
            files: the file names of the test split, if its images are files.
            false_alarm_rate: that of the run.
        """
        self._evaluators = evaluators
        self._files = files
        self._scales = [_scale(evaluator, false_alarm_rate) for evaluator in evaluators]
        self._file = ThumbnailFile(folder, self._scales)
        first = evaluators[0]
        scores = [evaluator.normal_scores for evaluator in evaluators]
        most = _OF_NORMAL if files is None else _OF_FILES
        self._add(NORMAL, first.normal, scores, most)

    def add(self, tested: Tested) -> None:
        """Add images of one kind of anomaly, evenly spaced by their first score."""
        if tested.kind == AnomalyKind.all_defects():  # these images are added by type
            return
        most = _OF_CORRUPTION if tested.kind.task == "corrupted" else _OF_FILES
        self._add(tested.kind.setting, tested.anomalies, tested.scores, most)

    def _add(self, kind: str, images: Split, scores: Sequence[Scores], most: int) -> None:
        order = np.argsort(scores[0].image, kind="stable")
        places = np.linspace(0, len(order) - 1, min(most, len(order)))
        rows = order[np.unique(places.round().astype(np.int64))]
        shown = images.images[rows]
        of_scores = [self._scores(number, one, rows, shown) for number, one in enumerate(scores)]
        thumbnails = []
        for place, row in enumerate(rows):
            truth = None
            if images.masks is not None and images.masks[row].any():
                truth = encode_mask(images.masks[row])
            one = Thumbnail(
                name=self._name(int(images.image_index[row])),
                kind=kind,
                input=encode_image(shown[place]),
                truth=truth,
                scores=tuple(of_score[place] for of_score in of_scores),
            )
            thumbnails.append(one)
        self._file.add(thumbnails)

    def _scores(
        self,
        number: int,
        scores: Scores,
        rows: NDArray[np.int64],
        shown: NDArray[np.float32],
    ) -> list[ThumbnailScore]:
        """Return what one score says about the images in ``rows``."""
        evaluator = self._evaluators[number]
        scale = self._scales[number]
        chances = p_values(evaluator.calibration_scores.image, scores.image[rows])
        restored = evaluator.detector.reconstruct(shown)
        found = []
        for place, row in enumerate(rows):
            heat = None
            if scores.pixel is not None and scale is not None:
                heat = encode_map(scores.pixel[row], scale)
            one = ThumbnailScore(
                value=float(scores.image[row]),
                p_value=float(chances[place]),
                map=heat,
                restored=None if restored is None else encode_image(restored[place]),
            )
            found.append(one)
        return found

    def _name(self, index: int) -> str:
        return f"#{index}" if self._files is None else str(self._files[index])


def _scale(evaluator: Evaluator, false_alarm_rate: float) -> MapScale | None:
    """Return the scale of a detector's maps; None without maps."""
    maps = evaluator.calibration_scores.pixel
    if maps is None or evaluator.pixel_threshold is None:
        return None
    step = -(-maps.size // _MOST_PIXELS)
    low, high, *thresholds = np.quantile(maps.ravel()[::step], [0.5, 0.9999, *(1 - _RATES)])
    return MapScale.make(
        evaluator.detector.map_quantity,
        (float(low), float(high)),
        evaluator.pixel_threshold,
        [*_RATES, false_alarm_rate],
        [*thresholds, evaluator.pixel_threshold],
    )

"""Calibrate detectors: score normal images that they were not fitted on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration import MarkedShare, ReferenceScores
from anomalist.deployment.model import Calibration
from anomalist.deployment.scorers import Scorer
from anomalist.deployment.sources import NormalImages

__all__ = ["FoldScores", "calibration_from", "score_fold", "uncalibrated"]

_PIXELS = 2_000  # values kept per map, for the scale of pictures
_FIRST = 64  # maps whose values are the candidate thresholds of marked pixels
_SCALE = (0.99, 0.9999)  # quantiles of the maps that pictures show as nothing and in full


class FoldScores(NamedTuple):
    """The scores of held-out normal images by one detector.

    Attributes:
        image: ``[n]``, the scores.
        region: ``[n]``, the highest values of the maps; None without maps.
        pixels: values drawn from the maps; empty without maps.
        marked: shares of marked pixels; None without maps.
    """

    image: NDArray[np.float32]
    region: NDArray[np.float32] | None
    pixels: NDArray[np.float32]
    marked: MarkedShare | None


def score_fold(
    scorer: Scorer,
    images: NormalImages,
    rows: NDArray[np.int64],
    *,
    turned: bool = False,
) -> FoldScores:
    """Score held-out images with one detector.

    Args:
        scorer: the fitted detector.
        images: all normal images.
        rows: positions of those that it was not fitted on.
        turned: whether to rotate the images by 180 degrees.
    """
    scores: list[NDArray[np.float32]] = []
    highest: list[NDArray[np.float32]] = []
    pixels: list[NDArray[np.float32]] = []

    def maps() -> Iterator[NDArray[np.float32]]:
        """Yield the maps of all images, and keep what else is needed."""
        for batch in images.batches(rows):
            own, values = scorer(batch[:, :, ::-1, ::-1] if turned else batch)
            scores.append(own[0])
            for one in [] if values is None else values[0]:
                highest.append(one.max())
                pixels.append(_some(one))
                yield one

    stream = maps()
    first = [one for one, _ in zip(stream, range(_FIRST), strict=False)]
    if not first:
        return FoldScores(np.concatenate(scores), None, np.zeros(0, np.float32), None)
    candidates = np.concatenate([one.ravel() for one in first])
    marked = MarkedShare.of(_chained(first, stream), candidates)
    return FoldScores(
        np.concatenate(scores),
        np.array(highest, np.float32),
        np.concatenate(pixels),
        marked,
    )


def calibration_from(folds: Sequence[FoldScores]) -> Calibration:
    """Return the calibration by the held-out scores of all folds."""
    regions = [fold.region for fold in folds if fold.region is not None]
    pixels = np.concatenate([fold.pixels for fold in folds])
    low, high = np.quantile(pixels, _SCALE) if len(pixels) else (0.0, 1.0)
    return Calibration(
        image=ReferenceScores([fold.image for fold in folds]),
        region=ReferenceScores(regions) if regions else None,
        marked=folds[0].marked if len(folds) == 1 else None,
        scale=(float(low), float(high)),
    )


def uncalibrated(scores: FoldScores) -> Calibration:
    """Return a calibration without images, with the scale of maps.

    Args:
        scores: of rotated training images. A detector that remembers the images themselves would
            give maps of zeros.
    """
    scale = calibration_from([scores]).scale
    nothing = ReferenceScores([np.zeros(0, np.float32)])
    return Calibration(image=nothing, region=None, marked=None, scale=scale)


def _some(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return evenly spaced values of a map, at most about 2,000."""
    step = max(1, values.size // _PIXELS)
    return values.ravel()[::step].copy()


def _chained(
    first: Sequence[NDArray[np.float32]],
    rest: Iterator[NDArray[np.float32]],
) -> Iterator[NDArray[np.float32]]:
    yield from first
    yield from rest

"""Scorers: raw scores of images as they are read from files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anomalist.deployment.reading import Reading
from anomalist.deployment.tiling import MapOfTiles, Tiling

if TYPE_CHECKING:
    from anomalist.models import Detector

__all__ = ["DetectorScorer", "RawScores", "Scorer", "TiledScorer", "images_at_once"]

# Scores [K, n] and maps [K, n, H, W], or None, of K detectors.
RawScores = tuple[NDArray[np.float32], NDArray[np.float32] | None]

_AT_ONCE = 1 << 20  # pixels scored at once
_MOST = 256  # images scored at once
_FEW = 16  # images of a small batch


class Scorer(Protocol):
    """An object that returns raw scores: detectors, or a session of ONNX Runtime."""

    def __call__(self, images: NDArray[Any]) -> RawScores:
        """Return raw scores.

        Args:
            images: ``[n, C, H, W]`` as read from files: uint8, uint16 or float32.
        """

    def threads(self, count: int | None) -> AbstractContextManager[object]:
        """Return a context that scores with a number of threads; None: one per core."""

    def small_batches(self) -> AbstractContextManager[object]:
        """Return a context that scores few images faster, with scores equal up to rounding."""


class DetectorScorer:
    """Scores by fitted detectors."""

    def __init__(self, detectors: Sequence[Detector], reading: Reading) -> None:
        self.detectors = tuple(detectors)
        self._reading = reading

    def __call__(self, images: NDArray[Any]) -> RawScores:
        """Return the scores of all detectors."""
        floats = self._reading.to_float(images)
        each = [detector.score(floats) for detector in self.detectors]
        scores = np.stack([one.image for one in each])
        maps = [one.pixel for one in each if one.pixel is not None]
        return scores, np.stack(maps) if maps else None

    def threads(self, count: int | None) -> AbstractContextManager[object]:
        """Return a context that scores with a number of torch threads."""
        from anomalist.core.devices import using_threads

        return using_threads(count)

    def small_batches(self) -> AbstractContextManager[object]:
        """Return a context in which up to 16 images are one small batch."""
        from anomalist.training import small_batches

        return small_batches(_FEW)


class TiledScorer:
    """Scores of images by their tiles: the highest score, and one map of the whole."""

    def __init__(self, scorer: Scorer, tiling: Tiling) -> None:
        """Divide images into tiles.

        Args:
            scorer: scores tiles.
            tiling: the size of the tiles.
        """
        self.scorer = scorer
        self._tiling = tiling

    def __call__(self, images: NDArray[Any]) -> RawScores:
        """Return the scores of images of one size."""
        parts = [self._of_image(image) for image in images]
        maps = [own for _, own in parts if own is not None]
        return np.stack([score for score, _ in parts], axis=1), (
            np.stack(maps, axis=1) if maps else None
        )

    def threads(self, count: int | None) -> AbstractContextManager[object]:
        """Return the context of the scorer of tiles."""
        return self.scorer.threads(count)

    def small_batches(self) -> AbstractContextManager[object]:
        """Return the context of the scorer of tiles."""
        return self.scorer.small_batches()

    def _of_image(self, image: NDArray[Any]) -> RawScores:
        """Return the scores ``[K]`` and the maps ``[K, H, W]`` of an image ``[C, H, W]``."""
        padded = self._tiling.padded(image)
        at_once = images_at_once((self._tiling.side, self._tiling.side))
        scores: list[NDArray[np.float32]] = []
        whole: MapOfTiles | None = None
        for corners, tiles in self._tiling.tiles(padded, at_once):
            own, maps = self.scorer(tiles)
            scores.append(own.max(axis=1))
            if maps is None:
                continue
            if whole is None:
                whole = MapOfTiles(self._tiling, len(maps), padded.shape[1:])
            for place, corner in enumerate(corners):
                whole.add(corner, maps[:, place])
        highest: NDArray[np.float32] = np.max(scores, axis=0)
        return highest, None if whole is None else whole.whole(image.shape[1:])


def images_at_once(size: tuple[int, int]) -> int:
    """Return how many images of a size (H, W) are scored at once."""
    return int(np.clip(_AT_ONCE // (size[0] * size[1]), 1, _MOST))

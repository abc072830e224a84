"""PaDiM: scores a patch by how unlikely its ImageNet features are at its position.

Defard, Setkov, Loesch & Audigier, "PaDiM: a patch distribution modeling framework for anomaly
detection and localization", ICPR 2021. At each position p of the grid, the locally aware features
of the training images (see ``_pretrained``) are modelled by a normal distribution with mean m_p and
covariance S_p. Only ``channels`` of the features are used; the seed draws them. With v the mean
variance of all features::

    S_p = covariance + regularisation v I
    s_p(x) = sqrt((x_p - m_p)' S_p^-1 (x_p - m_p))

The regularisation keeps S_p invertible for few images and constant pixels. The map is s, resized to
the image and blurred, in standard deviations; the score is the map's maximum. Images should be
aligned, because features that are normal at one position may be anomalous at another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist import heatmaps
from anomalist.core.memory import check_fits
from anomalist.core.randomness import generator
from anomalist.models._base import Scores
from anomalist.models._export.patches import Distances, ExportedGaussians
from anomalist.models._positionwise_gaussian import PositionwiseGaussian
from anomalist.models._pretrained import Extractor, PretrainedDetector, pixel_maps

__all__ = ["Padim"]

# Bytes per entry of a covariance during the fit: 8 for the sum, and 4 for the result by blocks.
_BYTES = 9


class Padim(PretrainedDetector):
    """Fit a normal distribution of features at each position; score by Mahalanobis distance."""

    version: ClassVar[int] = 4
    map_quantity: ClassVar[str] = "Mahalanobis distance"
    old_names: ClassVar[Mapping[str, str]] = {"l2_normalise": "unit"}

    l2_normalise: bool = Field(
        True, description="whether the features of each stride are normalised to unit length"
    )
    channels: int = Field(
        200, ge=1, description="number of features used, drawn by the seed; all if there are fewer"
    )
    regularisation: float = Field(
        0.01, gt=0, description="added to all variances, in units of the mean variance"
    )

    _chosen: NDArray[np.int64] | None = PrivateAttr(None)  # [K], the features kept
    _gaussian: PositionwiseGaussian | None = PrivateAttr(None)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._extractor = Extractor.of(self, self.l2_normalise)
        _, size, *grid = self._extractor.apply(images[:1], self).shape
        order = generator(self.seed, "channels").permutation(size)
        self._chosen = np.sort(order[: self.channels])
        self._check_memory(math.prod(grid), images.shape[2:])
        self._gaussian = PositionwiseGaussian.fit(self._features(images), self.regularisation)

    def _check_memory(self, positions: int, size: tuple[int, ...]) -> None:
        assert self._chosen is not None
        sides = " x ".join(map(str, size))
        check_fits(
            _BYTES * positions * len(self._chosen) ** 2,
            f"padim with {positions:,} positions and {len(self._chosen)} channels, of images of "
            f"{sides},",
            "set side=256 or channels=100, for example",
        )

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._gaussian is not None
        grids = [self._gaussian.distances(features) for features in self._features(images)]
        maps = pixel_maps(np.concatenate(grids), images.shape[2:], self.blur)
        return Scores(heatmaps.aggregate(maps, "max"), maps)

    def _features(self, images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the kept features of batches of images, float32 ``[n, K, h, w]``."""
        assert self._extractor is not None
        for features in self._extractor.in_parts(images, self):
            yield features[:, self._chosen]

    def _export_module(self) -> ExportedGaussians:
        assert self._extractor is not None
        assert self._gaussian is not None
        assert self._chosen is not None
        network = self._extractor.network
        return ExportedGaussians(
            network,
            Distances(self._gaussian.mean, self._gaussian.whitening),
            self._enlarge(self._grid_of(network)),
            self._chosen.tolist(),
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._extractor is not None
        assert self._chosen is not None
        assert self._gaussian is not None
        extractor = self._extractor.arrays(self._shape)
        return {**extractor, "chosen": self._chosen, **self._gaussian.arrays()}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._extractor = Extractor.restore(arrays, self, self._shape, self.l2_normalise)
        self._chosen = arrays["chosen"]
        self._gaussian = PositionwiseGaussian(arrays["mean"], arrays["whitening"])

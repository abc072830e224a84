"""PaDiM: a patch is anomalous as its ImageNet features are unlikely for its place in the image.

Defard, Setkov, Loesch & Audigier, "PaDiM: a patch distribution modeling framework for anomaly
detection and localization", ICPR 2021. At each place p of the grid the training images' locally
aware features (see ``_features``), ``channels`` of them drawn by seed, are taken to be normal with
mean m_p and covariance S_p; with

    S_p = covariance + regularisation v I,    s_p(x) = sqrt((x_p - m_p)' S_p^-1 (x_p - m_p)),

v the mean variance of all features, so that few images and constant pixels do no harm. The map is
s, brought to the image's size and blurred, in standard deviations; the score is the map's maximum.
Images should be aligned: what is normal in one place may be anomalous in another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.memory import check_fits
from anomalist.models._backbone import NEEDS, Backbone, Normalisation, Weights
from anomalist.models._features import Extractor, Stride, pixel_maps
from anomalist.models._places import Places
from anomalist.randomness import generator

__all__ = ["Padim"]

# Of a number of a covariance while it is learnt: 8 of the sum, 4 of the result, block by block.
_BYTES = 9


class Padim(Detector):
    """Learn a normal distribution of features at each place; score by the Mahalanobis distance."""

    version: ClassVar[int] = 4
    map_quantity: ClassVar[str] = "Mahalanobis distance"
    needs: ClassVar[dict[str, str]] = NEEDS

    backbone: Backbone = "efficientnet_lite0"
    weights: Weights = ""
    normalisation: Normalisation = "inception"
    layers: tuple[Stride, ...] = Field(
        (8, 16), min_length=1, description="strides of the features that are joined"
    )
    side: int | None = Field(
        None,
        ge=32,
        le=2048,
        description="shorter side that images are brought to; by default small ones alone, to 112",
    )
    unit: bool = Field(
        True, description="whether the features of each stride are brought to unit length"
    )
    channels: int = Field(
        200, ge=1, description="features kept, drawn by seed; all if there are fewer"
    )
    regularisation: float = Field(
        0.01, gt=0, description="what is added to variances, in mean variances"
    )
    blur: float = Field(
        4.0, ge=0, description="sigma of the map's Gaussian, in pixels of an image of 224"
    )

    _extractor: Extractor | None = PrivateAttr(None)
    _chosen: NDArray[np.int64] | None = PrivateAttr(None)  # [K], the features kept
    _places: Places | None = PrivateAttr(None)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._extractor = Extractor.of(self, self.unit)
        _, size, *grid = self._extractor.apply(images[:1], self).shape
        self._chosen = np.sort(generator(self.seed, "channels").permutation(size)[: self.channels])
        sides = " x ".join(map(str, images.shape[2:]))
        check_fits(
            _BYTES * math.prod(grid) * len(self._chosen) ** 2,
            f"padim with {math.prod(grid):,} places and {len(self._chosen)} channels, of images of "
            f"{sides},",
            "set side=256 or channels=100, say",
        )
        self._places = Places.fit(self._kept(images), self.regularisation)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._places is not None
        grids = np.concatenate([self._places.distances(found) for found in self._kept(images)])
        maps = pixel_maps(grids, images.shape[2:], self.blur)
        return Scores(heatmaps.aggregate(maps, "max"), maps)

    def _kept(self, images: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the kept features of some images, float32 ``[n, K, h, w]``."""
        assert self._extractor is not None
        for found in self._extractor.in_parts(images, self):
            yield found[:, self._chosen]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._extractor is not None
        assert self._chosen is not None
        assert self._places is not None
        return {
            **self._extractor.arrays(self._shape),
            "chosen": self._chosen,
            **self._places.arrays(),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._extractor = Extractor.restore(arrays, self, self._shape, self.unit)
        self._chosen, self._places = arrays["chosen"], Places(arrays["mean"], arrays["whitening"])

"""PCA: scores an image by the error of its reconstruction from a few principal components.

Jackson & Mudholkar, "Control procedures for residuals associated with principal component
analysis", Technometrics 1979 (their Q statistic). With the mean m and the first components V of the
training images, the reconstruction is x' = m + V V^T (x - m). The error map is (x - x')^2 of each
pixel, averaged over channels, in squared units of the [0, 1] range; the image score is the map's
``aggregation``.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from anomalist import heatmaps
from anomalist.models._base import Scores
from anomalist.models._export.reconstruction import ExportedPca
from anomalist.models._preprocessing import batches
from anomalist.models._vectors import PrincipalComponents, VectorDetector

__all__ = ["Pca"]


class Pca(VectorDetector):
    """Score by the squared error outside the kept components.

    With ``deskew`` or ``directions`` there is no map and no reconstruction, because the vectors no
    longer correspond to pixels.
    """

    map_quantity: ClassVar[str] = "reconstruction error"
    no_export: ClassVar[str] = ""

    components: int | None = Field(
        None, ge=1, description="principal components kept; by default chosen by `variance`"
    )
    variance: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="fraction of the variance that the kept components explain",
    )
    aggregation: heatmaps.Aggregation = Field(
        "mean", description="how the error map is reduced to the image score"
    )

    _kept: PrincipalComponents | None = PrivateAttr(None)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return reconstructions of blurred images, ``[N, C, H, W]``; None without a map."""
        self.check_fitted(images)
        if self._without_map:
            return None
        parts = [self._restored(self.vectors(images[rows])) for rows in batches(len(images))]
        return np.clip(np.concatenate(parts), 0, 1).astype(np.float32).reshape(images.shape)

    @property
    def _without_map(self) -> bool:
        return self.deskew or self.directions is not None

    def _reduction(self, pixels: NDArray[np.float32]) -> PrincipalComponents | None:
        return None  # the components measure the pixels; they do not replace them

    def _learn(self, vectors: NDArray[np.float32]) -> None:
        self._kept = PrincipalComponents.fit(vectors, self.components, self.variance)

    def _measure(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return heatmaps.aggregate(self._maps(vectors), self.aggregation).astype(np.float64)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        if self._without_map:
            return super()._score(images)
        maps = np.concatenate(
            [self._maps(self.vectors(images[rows])) for rows in batches(len(images))]
        )
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)

    def _maps(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._shape is not None
        error = (vectors - self._restored(vectors)) ** 2
        shape = (1, 1, error.shape[1]) if self.directions else self._shape
        maps: NDArray[np.float32] = error.reshape(-1, *shape).mean(axis=1).astype(np.float32)
        return maps

    def _export_module(self) -> ExportedPca:
        assert self._kept is not None
        return ExportedPca(self._kept.mean, self._kept.axes, self._blur_module(), self.aggregation)

    def _restored(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self._kept is not None
        return self._kept.restore(self._kept.project(vectors))

    def _learnt(self) -> dict[str, NDArray[Any]]:
        assert self._kept is not None
        return {"kept_mean": self._kept.mean, "kept_axes": self._kept.axes}

    def _recall(self, arrays: dict[str, NDArray[Any]], width: int) -> None:
        self._kept = PrincipalComponents(arrays["kept_mean"], arrays["kept_axes"])
        if self._kept.mean.shape != (width,) or self._kept.axes.shape[:1] != (width,):
            raise ValueError(f"components of {width} values, got {list(self._kept.axes.shape)}")

"""Inpainting: predicts each pixel from its surroundings and scores how unlikely the pixel is.

For each scale s a blind-spot network (see ``_networks/blind_spot.py``) predicts a distribution of
every pixel x_i given the pixels outside a block around it, over bins of values; the training images
set the resolution of the bins. The network is trained on normal images to minimise -log p, as a
pseudo-likelihood (Besag, "Statistical analysis of non-lattice data", The Statistician 1975).

There are two measures of surprise: -log p, and the negative logarithm of a two-sided mid-p-value.
Each is compared with its expectation under the prediction, so that unpredictable pixels do not
count as anomalous (typicality: Nalisnick et al., 2019).

The pixel map is the mean tail surprise over scales, weighted by the mean excess around the pixel: a
surprising pixel counts more if its neighbours are surprising too, as in a hole.
``aggregation="features"`` scores an image by the soft maximum of features of the maps (mean excess,
highest 1 %, the most surprising window), each standardised on a tenth of the training images that
the networks are not trained on.

``aggregation="joint"`` adds two quantities, standardised in the same way: the mean excess, and the
logarithm of a local outlier factor (Breunig et al., SIGMOD 2000; see ``lof``). The factor compares
the residuals x - E[x] of the image at every scale with those of the training images. It detects
images in which every single pixel is likely: to a detector of nines, the pixels of a 7 are as
likely as those of a 9, but the residuals of the 7 differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor

from anomalist import heatmaps
from anomalist.core.randomness import generator
from anomalist.models._base import Scores
from anomalist.models._export.operations import Separable, gaussian_matrix
from anomalist.models._export.surprise import ExportedInpainting
from anomalist.models._latent_density import by_directions
from anomalist.models._nested import detector_arrays, take_detector
from anomalist.models._networks.blind_spot import Pyramid
from anomalist.models._surprise import (
    AROUND,
    Surprise,
    bin_edges,
    bin_means,
    combine,
    features,
    mean_excess,
    mean_value,
    pixel_map,
    residuals,
    surprise,
)
from anomalist.models._trained import TrainedDetector, predict_batched
from anomalist.models.lof import Lof
from anomalist.training import seeded

__all__ = ["Inpainting"]

_MAX_HELD_OUT = 2000
_FEW = 20  # fewer images than this are used both for training and for standardising
_DENSITY = "density."  # prefix of arrays
_BATCH = 32  # images scored at once, at most
_VALUES = _BATCH * 28 * 28  # values per batch: predictions of more exceed the processor's cache

Array = NDArray[np.float32]


class Inpainting(TrainedDetector):
    """Predict hidden pixels from their surroundings; score by the surprise of the pixels."""

    usual_batch: ClassVar[int] = 32
    map_quantity: ClassVar[str] = "surprise"

    scales: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4),
        min_length=1,
        description="sides of the predicted cells in pixels; cells larger than 1 are hidden "
        "together with their eight neighbours",
    )
    width: int = Field(
        32,
        ge=1,
        description="channels of the network for 1-pixel cells; proportional to the cell's side",
    )
    batch_size: int = Field(32, ge=1, description="images per training step")
    aggregation: Literal["features", "joint", "mean"] = Field(
        "features",
        description="the image score: standardised features of the maps; their mean excess "
        "combined with the local outlier factor of the residuals (joint); or the mean of the "
        "pixel map",
    )

    _network: Pyramid | None = PrivateAttr(None)
    _learnt: dict[str, Array] = PrivateAttr(default_factory=dict)  # bins and features
    _density: Lof | None = PrivateAttr(None)  # of residuals

    def reconstruct(self, images: Array) -> Array:
        """Return each pixel's predicted mean at the largest scale, float32 ``[N, C, H, W]``."""
        self.check_fitted(images)
        largest = int(np.argmax(self.scales))
        means = self._learnt["bin_means"]
        parts = [mean_value(logits[:, largest], means) for _, logits in self._predictions(images)]
        return np.concatenate(parts)

    def _build(self) -> Pyramid:
        bins = len(self._learnt["bin_means"])
        with seeded(self.seed, "weights"):
            return Pyramid(self.fitted_shape, self.scales, self.width, bins)

    def _fit(self, images: Array, checkpoint: Path | None) -> None:
        self._density = None
        seen, held_out = self._hold_out(images)
        edges = bin_edges(seen)
        means = bin_means(seen, edges)
        self._learnt = {"bin_edges": edges, "bin_means": means}
        network = self._build()
        limits = torch.from_numpy(edges)

        def loss(batch: Tensor) -> Tensor:
            return network.loss(batch, torch.bucketize(batch, limits.to(batch.device)))

        self._history = self._train(network, loss, seen, checkpoint)
        self._network = network
        if self.aggregation == "joint":
            left_over = [
                residuals(batch, logits, means) for batch, logits in self._predictions(seen)
            ]
            self._density = by_directions().fit(np.concatenate(left_over))
        parts = [
            self._features(batch, logits, self._surprise(batch, logits))
            for batch, logits in self._predictions(held_out)
        ]
        of_normal = np.concatenate(parts)
        self._learnt["feature_mean"] = of_normal.mean(axis=0)
        self._learnt["feature_spread"] = of_normal.std(axis=0)

    def _hold_out(self, images: Array) -> tuple[Array, Array]:
        """Return the images for training and those for standardising features."""
        count = min(len(images) // 10, _MAX_HELD_OUT) if len(images) >= _FEW else 0
        order = generator(self.seed, "inpainting/held out").permutation(len(images))
        held_out = order[:count] if count else order
        return images[order[count:]], images[held_out]

    def _score(self, images: Array) -> Scores:
        maps = []
        parts = []
        for batch, logits in self._predictions(images):
            seen = self._surprise(batch, logits)
            maps.append(pixel_map(seen))
            if self.aggregation != "mean":
                parts.append(self._features(batch, logits, seen))
        pixel = np.concatenate(maps)
        if self.aggregation == "mean":
            return Scores(heatmaps.aggregate(pixel, "mean"), pixel)
        mean = self._learnt["feature_mean"]
        spread = self._learnt["feature_spread"]
        return Scores(combine(np.concatenate(parts), mean, spread, self.aggregation), pixel)

    def _features(self, batch: Array, logits: Array, seen: Surprise) -> Array:
        """Return the features of the score, float32 ``[n, …]``."""
        if self._density is None:
            return features(seen)
        left_over = residuals(batch, logits, self._learnt["bin_means"])
        factor = self._density.score(left_over).image
        return np.stack([mean_excess(seen), np.log(factor)], axis=1)

    def _surprise(self, batch: Array, logits: Array) -> Surprise:
        return surprise(logits, np.searchsorted(self._learnt["bin_edges"], batch))

    def _predictions(self, images: Array) -> Iterator[tuple[Array, Array]]:
        """Yield batches with their logits; all at once would take a hundred times the memory."""
        assert self._network is not None
        size = min(max(_VALUES // images[0].size, 1), _BATCH)
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            yield batch, predict_batched(self, self._network, batch, size)

    def _unexportable(self) -> str:
        return "" if self._density is None else "aggregation=joint uses a local outlier factor"

    def _export_module(self) -> ExportedInpainting:
        assert self._network is not None
        rows, columns = (
            gaussian_matrix(side, AROUND, mode="reflect") for side in self.fitted_shape[1:]
        )
        by_features = self.aggregation == "features"
        return ExportedInpainting(
            self._network, self._learnt, Separable(rows, columns), by_features
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {**super()._arrays(), **self._learnt}
        if self._density is not None:
            arrays |= detector_arrays(_DENSITY, self._density)
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        names = ("bin_edges", "bin_means", "feature_mean", "feature_spread")
        self._learnt = {name: arrays.pop(name) for name in names}
        if self.aggregation == "joint":
            channels, height, width = self.fitted_shape
            shape = (len(self.scales) * channels, height, width)
            self._density = take_detector(_DENSITY, arrays, by_directions(), shape)
        super()._restore(arrays)

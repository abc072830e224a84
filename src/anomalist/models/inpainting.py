"""Inpainting: each pixel is hidden with the block around it, predicted, and scored by how much it surprises.

For each scale s a blind-spot network (see ``_blind_spot``) gives every pixel x_i a distribution
p(x_i | what lies outside a block around it), over bins of values as fine as the training images ask
for. It is trained on normal images to minimise -log p, as a pseudo-likelihood (Besag, "Statistical
analysis of non-lattice data", The Statistician 1975). Two measures of surprise, -log p and the
negative logarithm of a two-sided mid-p-value, are compared with their means under the prediction,
so that what cannot be predicted does not count (typicality: Nalisnick et al., 2019).

The pixel map is the mean tail surprise over scales, weighted by the mean excess around the pixel: a
surprise among others counts for more, as in a hole. The image's score is the soft maximum of
features of the maps (mean excess, highest 1 %, the window that surprises most), each standardised
on a tenth of the training images that the networks are not trained on. Or it joins, standardised in
the same way, the mean excess with the logarithm of the local outlier factor (Breunig et al., SIGMOD
2000; see ``lof``) of what the predictions leave over, x - E[x] at every scale, among the training
images' remainders: point by point a 7 is no less likely than a 9, but its remainder is no 9's.
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
from anomalist.detector import Detector, Scores
from anomalist.models._blind_spot import Pyramid
from anomalist.models._gradient import answers, load_weights, train_as_set, weights
from anomalist.models._latent import by_directions
from anomalist.models._parts import detector_arrays, take_detector
from anomalist.models._surprise import (
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
from anomalist.models.lof import Lof
from anomalist.randomness import generator
from anomalist.training import seeded

__all__ = ["Inpainting"]

_MOST_HELD_OUT = 2000
_FEW = 20  # so few images are used for both, training and standardising
_DENSITY = "density."  # prefix of arrays
_BATCH = 32  # images scored at once, at most
_VALUES = (
    _BATCH * 28 * 28
)  # in a batch: predictions of more would not stay in the processor's cache


class Inpainting(Detector):
    """Predict hidden pixels from what surrounds them; score by their surprise."""

    usual_batch: ClassVar[int] = 32
    map_quantity: ClassVar[str] = "surprise"

    scales: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4),
        min_length=1,
        description="cells of so many pixels a side are predicted, hidden with their neighbour "
        "cells (1: alone)",
    )
    width: int = Field(
        32,
        ge=1,
        description="channels of the network of cells of 1 pixel; in proportion for larger",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default as many as make about 3,400 steps",
    )
    batch_size: int = Field(32, ge=1, description="images a training step")
    learning_rate: float = Field(3e-3, gt=0, description="peak of the one-cycle schedule")
    aggregation: Literal["features", "joint", "mean"] = Field(
        "features",
        description="how maps become one score: standardised features of them, their mean excess "
        "joined with the "
        "local outlier factor of what is left over, or the mean of the pixel map",
    )

    _network: Pyramid | None = PrivateAttr(None)
    _learnt: dict[str, NDArray[np.float32]] = PrivateAttr(default_factory=dict)  # bins and features
    _density: Lof | None = PrivateAttr(None)  # of residuals
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean surprise of each epoch, in nats a value; empty before ``fit``."""
        return list(self._history)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return each pixel's predicted mean at the largest scale, float32 ``[N, C, H, W]`` in [0, 1]."""
        self.check_fitted(images)
        largest = int(np.argmax(self.scales))
        means = self._learnt["bin_means"]
        return np.concatenate(
            [mean_value(logits[:, largest], means) for _, logits in self._predictions(images)]
        )

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        count = min(len(images) // 10, _MOST_HELD_OUT) if len(images) >= _FEW else 0
        self._density = None
        order = generator(self.seed, "inpainting/held out").permutation(len(images))
        shown, held_out = (
            images[rows] for rows in (order[count:], order[:count] if count else order)
        )
        edges = bin_edges(shown)
        self._learnt = {"bin_edges": edges, "bin_means": bin_means(shown, edges)}
        network, limits = self._build(), torch.from_numpy(edges)

        def loss(batch: Tensor) -> Tensor:
            return network.loss(batch, torch.bucketize(batch, limits.to(batch.device)))

        self._history = train_as_set(self, network, loss, shown, checkpoint)
        self._network = network
        if self.aggregation == "joint":
            means = self._learnt["bin_means"]
            left = np.concatenate([residuals(*seen, means) for seen in self._predictions(shown)])
            self._density = by_directions().fit(left)
        found = np.concatenate(
            [self._features(*seen, self._surprise(*seen)) for seen in self._predictions(held_out)]
        )
        self._learnt |= {"feature_mean": found.mean(axis=0), "feature_spread": found.std(axis=0)}

    def _score(self, images: NDArray[np.float32]) -> Scores:
        maps, found = [], []
        for batch, logits in self._predictions(images):
            part = self._surprise(batch, logits)
            maps.append(pixel_map(part))
            if self.aggregation != "mean":
                found.append(self._features(batch, logits, part))
        pixel = np.concatenate(maps)
        if self.aggregation == "mean":
            return Scores(heatmaps.aggregate(pixel, "mean"), pixel)
        mean, spread = self._learnt["feature_mean"], self._learnt["feature_spread"]
        return Scores(combine(np.concatenate(found), mean, spread, self.aggregation), pixel)

    def _features(
        self, batch: NDArray[np.float32], logits: NDArray[np.float32], part: Surprise
    ) -> NDArray[np.float32]:
        """Return what a score is made of, float32 ``[n, …]``."""
        if self._density is None:
            return features(part)
        sparseness = self._density.score(residuals(batch, logits, self._learnt["bin_means"])).image
        return np.stack([mean_excess(part), np.log(sparseness)], axis=1)

    def _surprise(self, batch: NDArray[np.float32], logits: NDArray[np.float32]) -> Surprise:
        return surprise(logits, np.searchsorted(self._learnt["bin_edges"], batch))

    def _predictions(
        self, images: NDArray[np.float32]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Yield batches and their logits: all at once would take a hundred times the images' memory."""
        assert self._network is not None
        size = min(max(_VALUES // images[0].size, 1), _BATCH)
        for first in range(0, len(images), size):
            batch = images[first : first + size]
            yield batch, answers(self, self._network, batch, size)

    def _build(self) -> Pyramid:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            return Pyramid(self._shape, self.scales, self.width, len(self._learnt["bin_means"]))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {**weights(self._network), **self._learnt, "history": np.array(self._history)}
        if self._density is not None:
            arrays |= detector_arrays(_DENSITY, self._density)
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        assert self._shape is not None
        self._history = arrays.pop("history").tolist()
        names = ("bin_edges", "bin_means", "feature_mean", "feature_spread")
        self._learnt = {name: arrays.pop(name) for name in names}
        if self.aggregation == "joint":
            c, h, w = self._shape
            shape = len(self.scales) * c, h, w
            self._density = take_detector(_DENSITY, arrays, by_directions(), shape)
        self._network = load_weights(self._build(), arrays)

"""Autoencoder: scores an image by the error of its reconstruction through a narrow bottleneck.

A network g(f(x)) with f: [C, H, W] -> [bottleneck] is trained on normal images to minimise the
squared error::

    |x - g(f(x))|^2

(Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 2006;
for novelty detection: Japkowicz, Myers & Gluck, IJCAI 1995). The error map is the squared error of
each pixel, averaged over channels, in squared units of the [0, 1] range. The image score is the
map's ``aggregation``. The option ``loss`` changes both the training loss and the map; ``blurs``
changes only the map.

If the training images may contain anomalies, ``discard`` excludes the images with the highest
losses of each batch (trimmed loss: Shen & Sanghavi, "Learning with bad training data via iterative
trimmed loss minimization", ICML 2019). With ``denoise`` the network gets x + sigma e, with e
standard normal, and must return x (Vincent, Larochelle, Bengio & Manzagol, "Extracting and
composing robust features with denoising autoencoders", ICML 2008); images are scored without noise.

The error measures how far an image lies from the images that the decoder can produce. It does not
measure whether the code f(x) is typical of normal images. ``score_by`` offers alternatives:

- ``"latent"``: the local outlier factor of the code among the codes of the training images.
- ``"joint"``: the sum of the logarithms of error and local outlier factor, each standardised on a
  tenth of the training images that neither the network nor the factor has learnt from.
- ``"fused"``: a comparison with the normal images whose codes are nearest, see
  ``_normal_neighbours.py``. The map is then the squared difference from these images; otherwise the
  map is the error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.special import expit
from torch import Tensor

from anomalist import heatmaps
from anomalist.models._base import Scores, SecondScore
from anomalist.models._export.reconstruction import ErrorMaps, ExportedAutoencoder
from anomalist.models._latent_density import LatentDensity, log
from anomalist.models._networks.autoencoder import (
    AutoencoderNetwork,
    conv_decoder,
    conv_encoder,
    dense_decoder,
    dense_encoder,
)
from anomalist.models._networks.layers import initialise
from anomalist.models._normal_neighbours import PREFIX, NormalNeighbours, kept_images
from anomalist.models._reconstruction_error import Loss, error_maps, trimmed_loss
from anomalist.models._standardise import Standard, hold_out
from anomalist.models._trained import TrainedDetector, predict_batched, scored_at_once
from anomalist.training import seeded

__all__ = ["Autoencoder"]

_HELD_OUT = 0.1  # fraction of the training images that error and outlier factor are standardised on


class Autoencoder(TrainedDetector):
    """Reconstruct images through a bottleneck; score by the reconstruction error."""

    version: ClassVar[int] = 2
    architecture: Literal["conv", "dense"] = Field(
        "conv",
        description="convolutional (conv), or fully connected with 128 and 64 hidden units (dense)",
    )
    bottleneck: int = Field(32, ge=1, description="size of the latent code")
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each downsampling"
    )
    discard: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="fraction of each training batch, with the highest losses, that is excluded",
    )
    aggregation: heatmaps.Aggregation = Field(
        "mean", description="how the error map is reduced to the image score"
    )
    loss: Loss = Field(
        "mse",
        description="training loss and error map: squared error, absolute error or 1 - SSIM",
    )
    denoise: float = Field(
        0.0, ge=0, description="sigma of the Gaussian noise added to the input in training"
    )
    blurs: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.0,),
        min_length=1,
        description="sigmas in pixels of the Gaussian blurs under which image and reconstruction "
        "are compared; 0 for none",
    )
    score_by: Literal["error", "latent", "joint", "fused"] = Field(
        "error",
        description="the image score: the reconstruction error; the local outlier factor of the "
        "code (latent); both combined (joint); or a comparison with normal images of similar codes "
        "(fused)",
    )
    training_precision: Literal["same", "float32", "bfloat16"] = Field(
        "same", description="number format in training; same: the one set by `precision`"
    )
    channels_last: bool = Field(
        False, description="whether training uses the channels-last memory format"
    )

    _network: AutoencoderNetwork | None = PrivateAttr(None)
    _density: LatentDensity | None = PrivateAttr(None)
    # For the logarithms of error and local outlier factor.
    _standards: tuple[Standard, ...] = PrivateAttr(())
    _neighbours: NormalNeighbours | None = PrivateAttr(None)

    @property
    def map_quantity(self) -> str:  # type: ignore[override]
        """The quantity that the map shows."""
        return "squared difference" if self.score_by == "fused" else "reconstruction error"

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reconstructions, float32 ``[N, C, H, W]`` in [0, 1].

        With ``score_by="fused"``, each is the mean reconstruction of the nearest normal images.
        """
        codes = self.encode(images)
        if self._neighbours is not None and self.score_by == "fused":
            return self._neighbours.expected(codes)
        return self._decode(codes)

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the codes, float32 ``[N, bottleneck]``."""
        self.check_fitted(images)
        assert self._network is not None
        return predict_batched(self, self._network.encoder, images)

    def second_score(self, images: NDArray[np.float32]) -> SecondScore | None:
        """Return the same network with ``score_by="fused"`` if ``score_by`` is ``"error"``."""
        if self.score_by != "error":
            return None
        fused = self.model_copy(update={"score_by": "fused"})
        fused._neighbours = self._keep_neighbours(images)
        return SecondScore("fused", fused, fused._score_both)

    def _decode(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._network is not None
        _, height, width = self.fitted_shape
        at_once = scored_at_once(height * width)
        logits = predict_batched(self, self._network.decoder, codes, at_once)
        expit(logits, out=logits)  # not torch.sigmoid: see apply_batched
        return logits.reshape(-1, *self.fitted_shape)

    def _build(self) -> AutoencoderNetwork:
        shape = self.fitted_shape
        with seeded(self.seed, "weights"):
            if self.architecture == "dense":
                encoder = dense_encoder(shape, self.bottleneck)
                decoder = dense_decoder(shape, self.bottleneck)
            else:
                encoder = conv_encoder(shape, self.bottleneck, self.width)
                decoder = conv_decoder(shape, self.bottleneck, self.width)
            return AutoencoderNetwork(encoder, decoder).apply(initialise)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network = self._build()
        held_out = images
        if self.score_by == "joint":
            images, held_out = hold_out(images, _HELD_OUT, self.seed)

        def loss(batch: Tensor) -> Tensor:
            seen = batch
            if self.denoise:
                noise = torch.randn(batch.shape)  # drawn on the CPU: see training.train
                seen = batch + self.denoise * noise.to(batch.device)
            return trimmed_loss(network(seen), batch, self.loss, self.discard)

        self._history = self._train(
            network,
            loss,
            images,
            checkpoint,
            precision=None if self.training_precision == "same" else self.training_precision,
            channels_last=self.channels_last,
        )
        self._network = network
        if self.score_by == "fused":
            self._neighbours = self._keep_neighbours(images)
        if self.score_by in ("latent", "joint"):
            self._density = LatentDensity.fit(self.encode(images))
        if self.score_by == "joint":
            error, _ = self._errors(held_out, self.reconstruct(held_out))
            factor = self._outlier_factor(held_out)
            self._standards = (Standard.of(log(error)), Standard.of(log(factor)))

    def _keep_neighbours(self, images: NDArray[np.float32]) -> NormalNeighbours:
        kept = kept_images(images, self.seed)
        codes = self.encode(kept)
        restored = self._decode(codes)
        errors, _ = self._errors(kept, restored)
        return NormalNeighbours.fit(kept, codes, restored, errors)

    def _score(self, images: NDArray[np.float32]) -> Scores:
        if self.score_by == "fused":
            return self._score_both(images)[1]
        error, maps = self._errors(images, self.reconstruct(images))
        if self.score_by == "latent":
            return Scores(self._outlier_factor(images), maps)
        if self.score_by == "error":
            return Scores(error, maps)
        of_error, of_factor = self._standards
        both = of_error(log(error)) + of_factor(log(self._outlier_factor(images)))
        return Scores(both.astype(np.float32), maps)

    def _score_both(self, images: NDArray[np.float32]) -> tuple[Scores, Scores]:
        """Return the scores by error and the fused scores."""
        assert self._neighbours is not None
        codes = self.encode(images)
        error, maps = self._errors(images, self._decode(codes))
        fused = self._neighbours.score(images, codes, error)
        return Scores(error, maps), Scores(*fused)

    def _errors(
        self,
        images: NDArray[np.float32],
        restored: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the aggregated errors ``[N]`` and the error maps ``[N, H, W]``."""
        maps = error_maps(images, restored, self.loss, self.blurs)
        return heatmaps.aggregate(maps, self.aggregation), maps

    def _outlier_factor(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._density is not None
        return self._density.score(self.encode(images))

    def _unexportable(self) -> str:
        by_error = self.score_by == "error"
        return "" if by_error else f"score_by={self.score_by} compares with training images"

    def _export_module(self) -> ExportedAutoencoder:
        assert self._network is not None
        errors = ErrorMaps(self.fitted_shape[1:], self.loss, self.blurs)
        return ExportedAutoencoder(
            self._network.encoder, self._network.decoder, errors, self.aggregation
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = super()._arrays()
        if self._density is not None:
            arrays |= self._density.arrays()
        if self._neighbours is not None:
            arrays |= self._neighbours.arrays()
        if self._standards:
            arrays["standards"] = np.array([[one.mean, one.scale] for one in self._standards])
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        if self.score_by in ("latent", "joint"):
            self._density = LatentDensity.take(arrays, self.bottleneck)
        if self.score_by == "joint":
            of_error, of_factor = arrays.pop("standards").tolist()
            self._standards = (Standard(*of_error), Standard(*of_factor))
        neighbours = {}
        for name in [name for name in arrays if name.startswith(PREFIX)]:
            neighbours[name] = arrays.pop(name)
        super()._restore(arrays)
        if self.score_by == "fused":
            self._neighbours = NormalNeighbours.take(neighbours, self._decode)

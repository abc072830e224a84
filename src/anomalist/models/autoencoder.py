"""Autoencoder: an image is as anomalous as its reconstruction through a narrow bottleneck is wrong.

A network g(f(x)) with f: [C, H, W] -> [bottleneck] is trained on normal images to minimise |x -
g(f(x))|^2 (Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks",
Science 2006; for novelty
detection: Japkowicz, Myers & Gluck, IJCAI 1995). The error map is the squared error of each pixel,
    averaged
over channels, in squared units of the [0, 1] range; the image's score is the map's ``aggregation``.
Another ``loss`` changes both what is minimised and the map; ``blurs`` changes the map alone. Where
training images may hold anomalies, ``discard`` leaves the worst explained images of each batch out
of its loss (trimmed loss: Shen & Sanghavi, "Learning with bad training data via iterative trimmed
loss minimization", ICML 2019). With ``denoise`` the network gets x + sigma e, e standard normal,
and still has to return x (Vincent, Larochelle, Bengio & Manzagol, "Extracting and composing robust
features with denoising autoencoders", ICML 2008); images are scored without noise.

The error says how far an image lies from what the decoder can draw, not whether its code f(x) is
one that normal images have. ``score_by="latent"`` is the local outlier factor of the code among
those of the training images. ``score_by="joint"`` adds the logarithms of error and factor, each
less its mean and over its standard deviation on a tenth of the training images, which neither the
network nor the factor has learnt from. The map is always the error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.special import expit
from torch import Tensor, nn

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.models._autoencoder_network import ConvNetwork, DenseNetwork, Network
from anomalist.models._errors import Loss, error_maps, trimmed_loss
from anomalist.models._gradient import answers, initialise, load_weights, train_as_set, weights
from anomalist.models._latent import LatentDensity, log
from anomalist.models._standard import Standard, hold_out
from anomalist.training import seeded

__all__ = ["Autoencoder"]

_HELD_OUT = (
    0.1  # share of the training images that puts error and local outlier factor on one scale
)


class Autoencoder(Detector):
    """Reconstruct through a bottleneck; score by the error."""

    version: ClassVar[int] = 2
    usual_batch: ClassVar[int] = 128
    map_quantity: ClassVar[str] = "reconstruction error"

    architecture: Literal["conv", "dense"] = Field(
        "conv",
        description="convolutional, or the classic small dense network (128 and 64 hidden units)",
    )
    bottleneck: int = Field(32, ge=1, description="numbers that an image is squeezed into")
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each halving"
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default as many as make about 3,400 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images a training step; by default 128, fewer of images above 64 x 64",
    )
    learning_rate: float = Field(3e-3, gt=0, description="peak of the one-cycle schedule")
    discard: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of each training batch, its highest losses, that is not learnt from",
    )
    aggregation: heatmaps.Aggregation = Field(
        "mean", description="how an error map becomes one score"
    )
    loss: Loss = Field(
        "mse",
        description="squared error, absolute error or 1 - SSIM: what is minimised, and the map",
    )
    denoise: float = Field(
        0.0, ge=0, description="sigma of the noise added to what the network sees in training"
    )
    blurs: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.0,),
        min_length=1,
        description="sigmas in pixels under which image and reconstruction are compared, 0 for "
        "none",
    )
    score_by: Literal["error", "latent", "joint"] = Field(
        "error", description="an image's score: its error, its code's local outlier factor, or both"
    )

    _network: Network | None = PrivateAttr(None)
    _density: LatentDensity | None = PrivateAttr(None)
    _standards: tuple[Standard, ...] = PrivateAttr(
        ()
    )  # of the logarithms of error and local outlier factor
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch; empty before ``fit``."""
        return list(self._history)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reconstructions, float32 ``[N, C, H, W]`` in [0, 1], of images as ``score`` takes them."""
        self.check_fitted(images)
        assert self._network is not None
        logits = answers(self, nn.Sequential(self._network.encoder, self._network.decoder), images)
        expit(logits, out=logits)  # not torch.sigmoid: see apply_batched
        return logits.reshape(images.shape)

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the codes, float32 ``[N, bottleneck]``, of images as ``score`` takes them."""
        self.check_fitted(images)
        assert self._network is not None
        return answers(self, self._network.encoder, images)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network, held_out = self._build(), images
        if self.score_by == "joint":
            images, held_out = hold_out(images, _HELD_OUT, self.seed)

        def loss(batch: Tensor) -> Tensor:
            seen = batch
            if self.denoise:  # drawn on the CPU: see train
                seen = batch + self.denoise * torch.randn(batch.shape).to(batch.device)
            return trimmed_loss(network(seen), batch, self.loss, self.discard)

        self._history = train_as_set(self, network, loss, images, checkpoint)
        self._network = network
        if self.score_by != "error":
            self._density = LatentDensity.fit(self.encode(images))
        if self.score_by == "joint":
            error = heatmaps.aggregate(self._maps(held_out), self.aggregation)
            self._standards = tuple(
                Standard.of(log(part)) for part in (error, self._sparseness(held_out))
            )

    def _score(self, images: NDArray[np.float32]) -> Scores:
        maps = self._maps(images)
        if self.score_by == "latent":
            return Scores(self._sparseness(images), maps)
        error = heatmaps.aggregate(maps, self.aggregation)
        if self.score_by == "error":
            return Scores(error, maps)
        of_error, of_sparseness = self._standards
        both = of_error(log(error)) + of_sparseness(log(self._sparseness(images)))
        return Scores(both.astype(np.float32), maps)

    def _maps(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return error_maps(images, self.reconstruct(images), self.loss, self.blurs)

    def _sparseness(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._density is not None
        return self._density.score(self.encode(images))

    def _build(self) -> Network:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            if self.architecture == "dense":
                network: Network = DenseNetwork(self._shape, self.bottleneck)
            else:
                network = ConvNetwork(self._shape, self.bottleneck, self.width)
            return network.apply(initialise)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = weights(self._network)
        if self._density is not None:
            arrays |= self._density.arrays()
        if self._standards:
            arrays["standards"] = np.array(
                [[standard.mean, standard.scale] for standard in self._standards]
            )
        return {**arrays, "history": np.array(self._history)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        if self.score_by != "error":
            self._density = LatentDensity.take(arrays, self.bottleneck)
        if self.score_by == "joint":
            of_error, of_sparseness = arrays.pop("standards").tolist()
            self._standards = (Standard(*of_error), Standard(*of_sparseness))
        self._network = load_weights(self._build(), arrays)

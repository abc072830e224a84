"""VAE: an image is anomalous if a variational autoencoder assigns it a low likelihood.

An encoder maps each image to a normal distribution q(z | x) = N(m, diag s^2) of codes, and a
decoder g maps a code to an image. The prior is p(z) = N(0, I). Training minimises, in nats::

    E_q |x - g(z)|^2 / (2 sigma^2) + D log sigma + beta KL(q(z | x) || p(z))
    KL = sum (m^2 + s^2 - 1) / 2 - log s

For beta = 1 this is the negative evidence lower bound up to a constant (Kingma & Welling,
"Auto-encoding variational Bayes", ICLR 2014; beta: Higgins et al., "beta-VAE", ICLR 2017). D is C H
W. The variance sigma^2 is the optimum in closed form, the mean squared error of each batch (Rybkin,
Daniilidis & Levine, "Simple and effective VAE training with calibrated decoders", ICML 2021). After
training it is the mean squared error of the training images.

Scoring draws no random numbers: the reconstruction is g(m). Both parts of the bound, the error
``|x - g(m)|^2 / (2 sigma^2)`` and the KL term, follow from m and s. ``score_by`` combines them:

- ``elbo``: error + beta KL.
- ``parts``: the sum of their logarithms, each standardised on a tenth of the training images that
  the network has not learnt from.
- ``joint``: like ``parts``, with the local outlier factor of m among the codes of the training
  images in place of KL.

The map is the squared error of each pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.special import expit
from torch import Tensor

from anomalist import heatmaps
from anomalist.models._base import Scores
from anomalist.models._export.reconstruction import ErrorMaps, ExportedVae
from anomalist.models._latent_density import LatentDensity, log
from anomalist.models._networks.autoencoder import (
    AutoencoderNetwork,
    conv_decoder,
    conv_encoder,
)
from anomalist.models._networks.layers import discard_draws, initialise
from anomalist.models._reconstruction_error import error_maps
from anomalist.models._standardise import Standard, hold_out
from anomalist.models._trained import TrainedDetector, predict_batched
from anomalist.training import seeded

__all__ = ["Vae"]

_HELD_OUT = 0.1  # fraction of the training images that both parts are standardised on
_MIN_VARIANCE = 1e-6  # lower bound of sigma^2: exact reconstructions would have an infinite density
_MAX_LOG_SPREAD = 6.0  # bound of abs(log s), so that no KL term overflows


class _Parts(NamedTuple):
    """The parts of a score."""

    error: NDArray[np.float32]  # [N], in nats
    unusual: NDArray[np.float32]  # [N], KL in nats or the local outlier factor
    maps: NDArray[np.float32]  # [N, H, W]


class Vae(TrainedDetector):
    """Encode to a distribution of codes; score by the parts of the evidence lower bound."""

    version: ClassVar[int] = 2
    map_quantity: ClassVar[str] = "reconstruction error"

    bottleneck: int = Field(32, ge=1, description="size of the latent code")
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each downsampling"
    )
    beta: float = Field(
        1.0, gt=0, description="weight of the KL term, in training and in the score"
    )
    score_by: Literal["elbo", "parts", "joint"] = Field(
        "elbo",
        description="the image score: the bound (elbo); the standardised logarithms of its two "
        "parts (parts); or those of the error and the code's local outlier factor (joint)",
    )

    _network: AutoencoderNetwork | None = PrivateAttr(None)
    _variance: float = PrivateAttr(1.0)  # sigma^2
    _density: LatentDensity | None = PrivateAttr(None)
    _standards: tuple[Standard, ...] = PrivateAttr(())  # of the logarithms of the two parts

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return g(m), float32 ``[N, C, H, W]`` in [0, 1]."""
        mean, _ = self.encode(images)
        return self._decode(mean)

    def encode(
        self, images: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return m and log s, both float32 ``[N, bottleneck]``."""
        self.check_fitted(images)
        assert self._network is not None
        both = predict_batched(self, self._network.encoder, images)
        return both[:, : self.bottleneck].copy(), _clipped(both[:, self.bottleneck :])

    def _build(self) -> AutoencoderNetwork:
        shape = self.fitted_shape
        code = self.bottleneck
        with seeded(self.seed, "weights"):
            encoder = conv_encoder(shape, 2 * code, self.width)
            discard_draws(lambda: conv_decoder(shape, 2 * code, self.width))
            discard_draws(lambda: conv_encoder(shape, code, self.width))
            decoder = conv_decoder(shape, code, self.width)
            return AutoencoderNetwork(encoder, decoder).apply(initialise)

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network = self._build()
        held_out = images
        if self.score_by != "elbo":
            images, held_out = hold_out(images, _HELD_OUT, self.seed)

        def loss(batch: Tensor) -> Tensor:
            return _bound(network, batch, self.beta)

        self._history = self._train(network, loss, images, checkpoint)
        self._network = network
        self._density = None
        codes, _ = self.encode(images)
        error = ((self._decode(codes) - images) ** 2).mean(dtype=np.float64)
        self._variance = max(float(error), _MIN_VARIANCE)
        if self.score_by == "joint":
            self._density = LatentDensity.fit(codes)
        if self.score_by != "elbo":
            parts = self._parts(held_out)
            self._standards = (Standard.of(log(parts.error)), Standard.of(log(parts.unusual)))

    def _score(self, images: NDArray[np.float32]) -> Scores:
        parts = self._parts(images)
        if self.score_by == "elbo":
            return Scores(parts.error + np.float32(self.beta) * parts.unusual, parts.maps)
        of_error, of_unusual = self._standards
        both = of_error(log(parts.error)) + of_unusual(log(parts.unusual))
        return Scores(both.astype(np.float32), parts.maps)

    def _parts(self, images: NDArray[np.float32]) -> _Parts:
        mean, log_spread = self.encode(images)
        maps = error_maps(images, self._decode(mean), "mse")
        nats = np.float32(images[0].size / (2 * self._variance))
        error = heatmaps.aggregate(maps, "mean") * nats
        if self._density is not None:
            return _Parts(error, self._density.score(mean), maps)
        m = mean.astype(np.float64)
        s = log_spread.astype(np.float64)
        divergence = ((m**2 + np.exp(2 * s) - 1) / 2 - s).sum(axis=1)
        return _Parts(error, divergence.astype(np.float32), maps)

    def _decode(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._network is not None
        logits = predict_batched(self, self._network.decoder, codes)
        # Not torch.sigmoid: see apply_batched.
        restored: NDArray[np.float32] = expit(logits).reshape(len(codes), *self.fitted_shape)
        return restored

    def _unexportable(self) -> str:
        by_bound = self.score_by == "elbo"
        return "" if by_bound else f"only score_by=elbo has a torch module, not {self.score_by}"

    def _export_module(self) -> ExportedVae:
        assert self._network is not None
        channels, height, width = self.fitted_shape
        return ExportedVae(
            self._network.encoder,
            self._network.decoder,
            ErrorMaps((height, width), "mse"),
            nats=channels * height * width / (2 * self._variance),
            beta=self.beta,
            most=_MAX_LOG_SPREAD,
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {**super()._arrays(), "variance": np.array([self._variance])}
        if self._density is not None:
            arrays |= self._density.arrays()
        if self._standards:
            arrays["standards"] = np.array([[one.mean, one.scale] for one in self._standards])
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._variance = arrays.pop("variance").item()
        if self.score_by == "joint":
            self._density = LatentDensity.take(arrays, self.bottleneck)
        if self.score_by != "elbo":
            self._standards = tuple(Standard(*row) for row in arrays.pop("standards").tolist())
        super()._restore(arrays)


def _bound(network: AutoencoderNetwork, batch: Tensor, beta: float) -> Tensor:
    """Return the negative evidence lower bound of a batch, in nats, up to a constant."""
    mean, log_spread = network.encoder(batch).float().chunk(2, dim=1)
    log_spread = _clipped(log_spread)
    noise = torch.randn(mean.shape).to(batch.device)  # drawn on the CPU: see training.train
    codes = mean + log_spread.exp() * noise
    restored = torch.sigmoid(network.decoder(codes).float().view_as(batch))
    error = (restored - batch).square().mean().clamp_min(_MIN_VARIANCE)
    divergence = ((mean.square() + (2 * log_spread).exp() - 1) / 2 - log_spread).sum(1).mean()
    bound: Tensor = batch[0].numel() / 2 * error.log() + beta * divergence
    return bound


def _clipped(log_spread: Any) -> Any:
    """Return log s, array or tensor, clipped to its bounds."""
    return log_spread.clip(-_MAX_LOG_SPREAD, _MAX_LOG_SPREAD)

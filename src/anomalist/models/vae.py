"""VAE: an image is anomalous where a variational autoencoder restores it badly, or needs an unusual code for it.

An encoder gives each image a normal distribution q(z | x) = N(m, diag s^2) of codes, a decoder g
draws an image from a code; with the prior p(z) = N(0, I) training minimises, in nats,

    E_q |x - g(z)|^2 / (2 sigma^2) + D log sigma + beta KL(q(z | x) || p(z)),
    KL = sum (m^2 + s^2 - 1) / 2 - log s,

the negative evidence lower bound (Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014)
but for a constant, for beta = 1 (Higgins et al., "beta-VAE", ICLR 2017). D = C H W; sigma^2 is what
minimises the bound, each batch's mean squared error (Rybkin, Daniilidis & Levine, "Simple and
effective VAE training with calibrated decoders", ICML 2021); after training it is that of the
training images.

Nothing is drawn when images are scored: the reconstruction is g(m), and both parts of the bound,
the error
|x - g(m)|^2 / (2 sigma^2) and the KL term, follow from m and s. ``score_by`` says what is made of
    them: ``elbo`` is
error + beta KL, ``parts`` the sum of their logarithms, each less its mean and over its standard
deviation on a tenth of the training images that the network has not learnt from, ``joint`` has in
place of KL the local outlier factor of m among the codes of training images. The map is the squared
error of each pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.special import expit
from torch import Tensor, nn

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.models._autoencoder_network import ConvNetwork
from anomalist.models._errors import error_maps
from anomalist.models._gradient import answers, initialise, load_weights, train_as_set, weights
from anomalist.models._latent import LatentDensity, log
from anomalist.models._standard import Standard, hold_out
from anomalist.training import seeded

__all__ = ["Vae"]

_HELD_OUT = 0.1  # share of the training images that puts both parts on one scale
_LEAST = 1e-6  # of sigma^2: what is restored exactly would have an infinite density
_SPREAD = 6.0  # log s lies within -+ 6, so that no KL term overflows


class Vae(Detector):
    """Encode to a distribution of codes; score by the parts of the evidence lower bound."""

    version: ClassVar[int] = 2
    usual_batch: ClassVar[int] = 128
    map_quantity: ClassVar[str] = "reconstruction error"

    bottleneck: int = Field(32, ge=1, description="numbers in a code")
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each halving"
    )
    beta: float = Field(
        1.0, gt=0, description="weight of the KL term, in training and in the score"
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
    score_by: Literal["elbo", "parts", "joint"] = Field(
        "elbo",
        description="the bound, the standardised logarithms of its two parts, or of the error and "
        "of the local outlier "
        "factor of the code",
    )

    _network: _Network | None = PrivateAttr(None)
    _variance: float = PrivateAttr(1.0)  # sigma^2
    _density: LatentDensity | None = PrivateAttr(None)
    _standards: tuple[Standard, ...] = PrivateAttr(())  # of the logarithms of the two parts
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch, in nats; empty before ``fit``."""
        return list(self._history)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return g(m), float32 ``[N, C, H, W]`` in [0, 1], of images as ``score`` takes them."""
        return self._decode(self.encode(images)[0])

    def encode(
        self, images: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return m and log s, both float32 ``[N, bottleneck]``, of images as ``score`` takes them."""
        self.check_fitted(images)
        assert self._network is not None
        both = answers(self, self._network.encoder, images)
        return both[:, : self.bottleneck].copy(), _within(both[:, self.bottleneck :])

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network, held_out = self._build(), images
        if self.score_by != "elbo":
            images, held_out = hold_out(images, _HELD_OUT, self.seed)

        def loss(batch: Tensor) -> Tensor:
            mean, spread = network.encoder(batch).float().chunk(2, dim=1)
            spread = _within(spread)
            noise = torch.randn(mean.shape).to(batch.device)  # drawn on the CPU: see train
            restored = torch.sigmoid(
                network.decoder(mean + spread.exp() * noise).float().view_as(batch)
            )
            error = (restored - batch).square().mean().clamp_min(_LEAST)
            divergence = ((mean.square() + (2 * spread).exp() - 1) / 2 - spread).sum(1).mean()
            bound: Tensor = batch[0].numel() / 2 * error.log() + self.beta * divergence
            return bound

        self._history = train_as_set(self, network, loss, images, checkpoint)
        self._network, self._density = network, None
        codes = self.encode(images)[0]
        self._variance = max(
            float(((self._decode(codes) - images) ** 2).mean(dtype=np.float64)), _LEAST
        )
        if self.score_by == "joint":
            self._density = LatentDensity.fit(codes)
        if self.score_by != "elbo":
            self._standards = tuple(Standard.of(log(part)) for part in self._parts(held_out)[:2])

    def _score(self, images: NDArray[np.float32]) -> Scores:
        error, unusual, maps = self._parts(images)
        if self.score_by == "elbo":
            return Scores(error + np.float32(self.beta) * unusual, maps)
        both = sum(
            standard(log(part))
            for standard, part in zip(self._standards, (error, unusual), strict=True)
        )
        return Scores(np.asarray(both, np.float32), maps)

    def _parts(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the error part ``[N]`` in nats, KL ``[N]`` in nats or the local outlier factor, and the map."""
        mean, spread = self.encode(images)
        maps = error_maps(images, self._decode(mean), "mse")
        error = heatmaps.aggregate(maps, "mean") * np.float32(images[0].size / (2 * self._variance))
        if self._density is not None:
            return error, self._density.score(mean), maps
        m, s = mean.astype(np.float64), spread.astype(np.float64)
        divergence = ((m**2 + np.exp(2 * s) - 1) / 2 - s).sum(axis=1)
        return error, divergence.astype(np.float32), maps

    def _decode(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._network is not None
        assert self._shape is not None
        logits = answers(self, self._network.decoder, codes)
        restored: NDArray[np.float32] = expit(logits).reshape(
            len(codes), *self._shape
        )  # see apply_batched
        return restored

    def _build(self) -> _Network:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            network: _Network = _Network(self._shape, self.bottleneck, self.width).apply(initialise)
            return network

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = weights(self._network)
        if self._density is not None:
            arrays |= self._density.arrays()
        if self._standards:
            arrays["standards"] = np.array(
                [[standard.mean, standard.scale] for standard in self._standards]
            )
        return {
            **arrays,
            "variance": np.array([self._variance]),
            "history": np.array(self._history),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history, self._variance = (
            arrays.pop("history").tolist(),
            arrays.pop("variance").item(),
        )
        if self.score_by == "joint":
            self._density = LatentDensity.take(arrays, self.bottleneck)
        if self.score_by != "elbo":
            self._standards = tuple(Standard(*row) for row in arrays.pop("standards").tolist())
        self._network = load_weights(self._build(), arrays)


class _Network(nn.Module):
    """The autoencoder's encoder to two numbers for each of a code's, and its decoder from a code."""

    def __init__(self, shape: tuple[int, int, int], bottleneck: int, width: int) -> None:
        super().__init__()
        self.encoder = ConvNetwork(shape, 2 * bottleneck, width).encoder
        self.decoder = ConvNetwork(shape, bottleneck, width).decoder


def _within(spread: Any) -> Any:
    """Return log s, array or tensor, within its bounds."""
    return spread.clip(-_SPREAD, _SPREAD)

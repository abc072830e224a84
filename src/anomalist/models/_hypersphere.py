"""Hypersphere: what Deep SVDD and Deep SAD share: an encoder without biases, its pre-training, and a fixed centre.

Without biases, and with an unbounded activation, no weights but 0 map every image to one point
(Ruff et al., ICML 2018, propositions 1 to 3). Images are brought to one contrast first, as there:
each less its mean, over its mean absolute deviation, then scaled so that the training images'
values lie in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anomalist.models._autoencoder_network import ConvNetwork
from anomalist.models._gradient import (
    Trained,
    answers,
    initialise,
    load_weights,
    stage_file,
    step_size,
    train_as_set,
    weights,
)
from anomalist.training import passes, seeded

__all__ = ["Hypersphere", "train_sphere"]

_STEPS = 750  # the default length of each stage
_KERNEL = 5
_EPSILON = 1e-4  # of the normalisation over the batch
_APART = (
    0.1  # a centre's numbers are at least so far from 0: a coordinate at 0 is too easily learnt
)
_NEAREST = 1e-6  # squared distance of a known anomaly from the centre, at least
_BLOCK = 256  # images brought to one contrast at once


class Spherical(Trained, Protocol):
    """A detector that has the options of both stages."""

    @property
    def bottleneck(self) -> int:
        """Numbers in a code."""

    @property
    def width(self) -> int:
        """Channels of the first convolution."""

    @property
    def pretraining(self) -> int | None:
        """Passes of the first stage."""

    @property
    def weight_decay(self) -> float:
        """Weight of the squared weights in both losses."""


@dataclass(frozen=True)
class Hypersphere:
    """A fitted encoder, the centre of normal codes, and the range of training images of one contrast."""

    encoder: nn.Module
    centre: NDArray[np.float32]  # [bottleneck]
    limits: tuple[float, float]

    def distances(self, images: NDArray[np.float32], detector: Trained) -> NDArray[np.float32]:
        """Return the squared distances of the codes of images from the centre, float32 ``[N]``."""
        found = answers(detector, self.encoder, _into(_contrast(images), self.limits))
        squared: NDArray[np.float64] = ((found.astype(np.float64) - self.centre) ** 2).sum(axis=1)
        return squared.astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays."""
        return {**weights(self.encoder), "centre": self.centre, "limits": np.array(self.limits)}

    @classmethod
    def restore(
        cls, arrays: dict[str, NDArray[Any]], shape: tuple[int, int, int], detector: Spherical
    ) -> Self:
        """Return what :meth:`arrays` returned."""
        low, high = arrays.pop("limits").tolist()
        centre = arrays.pop("centre")
        if centre.shape != (detector.bottleneck,):
            raise ValueError(f"a centre of {centre.shape} numbers, not {detector.bottleneck}")
        return cls(load_weights(_build(shape, detector).encoder, arrays), centre, (low, high))


def train_sphere(
    images: NDArray[np.float32],
    detector: Spherical,
    checkpoint: Path | None,
    labels: NDArray[np.integer[Any]] | None = None,
    eta: float = 1.0,
) -> tuple[Hypersphere, list[float]]:
    """Pre-train without known anomalies, put the centre where codes have their mean, and train the encoder further.

    The losses are those of ``deep_svdd`` and ``deep_sad``.

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        detector: whose options are followed.
        checkpoint: of the last stage; the first has one of its own beside it.
        labels: -1, 0 or +1 for each image; None: nothing is known of any.
        eta: weight of a labelled image.

    Returns:
        the hypersphere and the losses of both stages, one after the other.
    """
    contrasted = _contrast(images)
    with stage_file(checkpoint, "pretraining") as first:
        normal = contrasted if labels is None else contrasted[labels >= 0]
        sphere, before = _pretrain(normal, detector, first)
        centre = torch.from_numpy(sphere.centre)

        def loss(batch: Tensor, known: Tensor) -> Tensor:
            distance = (sphere.encoder(batch).float() - centre.to(batch.device)).square().sum(1)
            each = torch.where(known < 0, 1 / distance.clamp_min(_NEAREST), distance)
            return (each * torch.where(known == 0, 1.0, eta)).mean() + _decay(
                sphere.encoder, detector.weight_decay
            )

        targets = np.zeros(len(images), np.int8) if labels is None else labels.astype(np.int8)
        epochs = detector.epochs or passes(len(images), step_size(detector, images), _STEPS)
        shown = _into(contrasted, sphere.limits)
        after = train_as_set(
            detector, sphere.encoder, loss, shown, checkpoint, targets=targets, epochs=epochs
        )
        return sphere, before + after


def _pretrain(
    contrasted: NDArray[np.float32], detector: Spherical, checkpoint: Path | None
) -> tuple[Hypersphere, list[float]]:
    """Train the encoder as an autoencoder's, on images of one contrast; return the hypersphere and the losses."""
    limits = float(contrasted.min()), float(contrasted.max())
    _, c, h, w = contrasted.shape
    network, shown = _build((c, h, w), detector), _into(contrasted, limits)

    def loss(batch: Tensor) -> Tensor:
        return nn.functional.mse_loss(network(batch), batch) + _decay(
            network, detector.weight_decay
        )

    epochs = detector.pretraining or passes(
        len(contrasted), step_size(detector, contrasted), _STEPS
    )
    history = train_as_set(
        detector, network, loss, shown, checkpoint, stage="pre-training", epochs=epochs
    )
    centre = (
        answers(detector, network.encoder, shown).mean(axis=0, dtype=np.float64).astype(np.float32)
    )
    near = np.abs(centre) < _APART
    centre[near] = np.where(centre[near] < 0, -_APART, _APART)
    return Hypersphere(network.encoder, centre, limits), history


def _decay(network: nn.Module, weight: float) -> Tensor:
    """Return weight / 2 times the sum of the squared weights."""
    return weight / 2 * torch.stack([each.square().sum() for each in network.parameters()]).sum()


def _contrast(images: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty(images.shape, np.float32)
    for first in range(0, len(images), _BLOCK):
        block = images[first : first + _BLOCK].astype(
            np.float64, order="C"
        )  # sums go in one order, of views too
        block -= block.mean(axis=(1, 2, 3), keepdims=True)
        spread = np.abs(block).mean(axis=(1, 2, 3), keepdims=True)
        out[first : first + _BLOCK] = block / np.maximum(spread, 1e-3)  # a constant image stays 0
    return out


def _into(contrasted: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.float32]:
    low, high = limits
    scaled: NDArray[np.float32] = (
        (contrasted - np.float32(low)) / np.float32(max(high - low, 1e-3))
    ).astype(np.float32)
    return scaled


def _build(shape: tuple[int, int, int], detector: Spherical) -> ConvNetwork:
    """Return an autoencoder whose encoder has no bias; the decoder, of the first stage alone, is the usual one."""
    with seeded(detector.seed, "weights"):  # before the first weight is drawn
        network = ConvNetwork(shape, detector.bottleneck, detector.width)
        network.apply(initialise)
        network.encoder = _encoder(shape, detector.bottleneck, detector.width)
    return network


def _encoder(shape: tuple[int, int, int], bottleneck: int, width: int) -> nn.Sequential:
    """Return 5 x 5 convolutions, each normalised and halved, until the shorter side is about 7; then a linear layer."""
    c, h, w = shape
    layers: list[nn.Module] = []
    channels = c
    while not layers or min(h, w) > 10:
        layers += [
            nn.Conv2d(channels, width, _KERNEL, padding=_KERNEL // 2, bias=False),
            nn.BatchNorm2d(width, eps=_EPSILON, affine=False),
            nn.LeakyReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        channels, width, h, w = width, 2 * width, -(-h // 2), -(-w // 2)
    layers += [nn.Flatten(), nn.Linear(channels * h * w, bottleneck, bias=False)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("leaky_relu", 0.01))
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # faster

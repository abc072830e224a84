"""The base class of Deep SVDD and Deep SAD: an encoder without biases and a fixed centre.

The encoder is pre-trained as part of an autoencoder. With no biases and an unbounded activation,
only zero weights map all images to one point (Ruff et al., ICML 2018, propositions 1 to 3). As in
the paper, the contrast of images is normalised first: the image's mean is subtracted, and the
result is divided by its mean absolute deviation. Then values are scaled so that those of the
training images lie in [0, 1].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from anomalist.models._base import Scores
from anomalist.models._networks.autoencoder import (
    AutoencoderNetwork,
    conv_decoder,
    conv_encoder,
)
from anomalist.models._networks.layers import discard_draws, initialise
from anomalist.models._trained import (
    LearningRate,
    TrainedDetector,
    TrainingPrecision,
    load_weights,
    predict_batched,
    stage_file,
    weights,
)
from anomalist.training import seeded

__all__ = ["HypersphereDetector"]

_KERNEL = 5
_EPSILON = 1e-4  # of the batch normalisation
# Smallest absolute coordinate of the centre, because a coordinate at 0 is trivial to fit.
_MIN_COORDINATE = 0.1
_MIN_DISTANCE = 1e-6  # squared distance of a known anomaly from the centre
_BLOCK = 256  # images whose contrast is normalised at once
_MIN_DEVIATION = 1e-3  # smallest deviation of an image's values: a constant image becomes 0


class HypersphereDetector(TrainedDetector):
    """Pull the codes of normal images to their centre; score by the squared distance from it."""

    version: ClassVar[int] = 3
    usual_batch: ClassVar[int] = 128
    usual_steps: ClassVar[int] = 750  # of each stage
    precision_field: ClassVar[str] = "training_precision"
    epoch_fields: ClassVar[tuple[str, ...]] = ("pretraining", "epochs")

    bottleneck: int = Field(32, ge=1, description="size of the latent code")
    width: int = Field(
        16, ge=1, description="channels after the first convolution; doubled at each downsampling"
    )
    pretraining: int | None = Field(
        None,
        ge=1,
        description="epochs of the autoencoder's training; by default enough for about 750 steps",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="epochs of the second stage; by default enough for about 750 steps",
    )
    learning_rate: LearningRate = 1e-3
    weight_decay: float = Field(
        1e-6, ge=0, description="coefficient of the L2 penalty in both losses"
    )
    training_precision: TrainingPrecision = "bfloat16"

    _network: nn.Sequential | None = PrivateAttr(None)  # the encoder
    _centre: NDArray[np.float32] | None = PrivateAttr(None)  # [bottleneck]
    _limits: tuple[float, float] = PrivateAttr((0.0, 1.0))  # range of training images

    def _build(self) -> nn.Sequential:
        encoder, _ = self._encoder_and_decoder()
        return encoder

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        self._fit_both_stages(images, None, checkpoint)

    def _fit_both_stages(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.integer[Any]] | None,
        checkpoint: Path | None,
        eta: float = 1.0,
    ) -> None:
        """Pre-train on normal images, set the centre to the mean of their codes, train the encoder.

        Args:
            images: float32 ``[N, C, H, W]`` in [0, 1].
            labels: -1, 0 or +1 for each image; None: all 0.
            checkpoint: file of the last stage; the first stage has its own file beside it.
            eta: weight of a labelled image.
        """
        contrasted = _contrast(images)
        known = np.zeros(len(images), np.int8) if labels is None else labels.astype(np.int8)
        with stage_file(checkpoint, "pretraining") as first:
            encoder, before = self._pretrain(contrasted[known >= 0], first)
            centre = torch.from_numpy(self._centre)

            def loss(batch: Tensor, label: Tensor) -> Tensor:
                offset = encoder(batch).float() - centre.to(batch.device)
                distance = offset.square().sum(1)
                away = 1 / distance.clamp_min(_MIN_DISTANCE)
                each = torch.where(label < 0, away, distance)
                weighted = each * torch.where(label == 0, 1.0, eta)
                return weighted.mean() + self._decay(encoder)

            scaled = _scale(contrasted, self._limits)
            after = self._train(encoder, loss, scaled, checkpoint, targets=known)
        self._history = before + after
        self._network = encoder

    def _pretrain(
        self, contrasted: NDArray[np.float32], checkpoint: Path | None
    ) -> tuple[nn.Sequential, list[float]]:
        """Train the encoder in an autoencoder and set the centre; return encoder and losses."""
        self._limits = float(contrasted.min()), float(contrasted.max())
        scaled = _scale(contrasted, self._limits)
        encoder, decoder = self._encoder_and_decoder()
        network = AutoencoderNetwork(encoder, decoder)

        def loss(batch: Tensor) -> Tensor:
            return nn.functional.mse_loss(network(batch), batch) + self._decay(network)

        epochs = self.pretraining or self.usual_epochs(scaled)
        history = self._train(
            network, loss, scaled, checkpoint, stage="pre-training", epochs=epochs
        )
        codes = predict_batched(self, encoder, scaled)
        centre: NDArray[np.float32] = codes.mean(axis=0, dtype=np.float64).astype(np.float32)
        near = np.abs(centre) < _MIN_COORDINATE
        centre[near] = np.where(centre[near] < 0, -_MIN_COORDINATE, _MIN_COORDINATE)
        self._centre = centre
        return encoder, history

    def _score(self, images: NDArray[np.float32]) -> Scores:
        assert self._network is not None
        assert self._centre is not None
        scaled = _scale(_contrast(images), self._limits)
        codes = predict_batched(self, self._network, scaled).astype(np.float64)
        squared: NDArray[np.float64] = ((codes - self._centre) ** 2).sum(axis=1)
        return Scores(squared.astype(np.float32), None)

    def _decay(self, network: nn.Module) -> Tensor:
        """Return weight_decay / 2 times the sum of the squared weights."""
        squares = [parameter.square().sum() for parameter in network.parameters()]
        return self.weight_decay / 2 * torch.stack(squares).sum()

    def _encoder_and_decoder(self) -> tuple[nn.Sequential, nn.Sequential]:
        """Return the encoder, and a decoder with biases for the first stage."""
        shape = self.fitted_shape
        code = self.bottleneck
        width = self.width
        with seeded(self.seed, "weights"):
            decoder = conv_decoder(shape, code, width)
            discard_draws(lambda: conv_encoder(shape, code, width), initialised=True)
            decoder.apply(initialise)
            return _encoder(shape, code, width), decoder

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._centre is not None
        return {
            **weights(self._network),
            "centre": self._centre,
            "limits": np.array(self._limits),
            "history": np.array(self._history),
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        low, high = arrays.pop("limits").tolist()
        self._limits = (low, high)
        self._centre = arrays.pop("centre")
        if self._centre.shape != (self.bottleneck,):
            raise ValueError(f"centre of shape {self._centre.shape}, not ({self.bottleneck},)")
        self._network = load_weights(self._build(), arrays)


def _contrast(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images minus their mean, divided by their mean absolute deviation."""
    contrasted = np.empty(images.shape, np.float32)
    for first in range(0, len(images), _BLOCK):
        rows = slice(first, first + _BLOCK)
        block = images[rows].astype(np.float64, order="C")  # the same order for views too
        block -= block.mean(axis=(1, 2, 3), keepdims=True)
        deviation = np.abs(block).mean(axis=(1, 2, 3), keepdims=True)
        contrasted[rows] = block / np.maximum(deviation, _MIN_DEVIATION)
    return contrasted


def _scale(contrasted: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.float32]:
    """Return images scaled so that ``limits`` become 0 and 1."""
    low, high = limits
    width = np.float32(max(high - low, _MIN_DEVIATION))
    scaled: NDArray[np.float32] = ((contrasted - np.float32(low)) / width).astype(np.float32)
    return scaled


def _encoder(
    shape: tuple[int, int, int],
    code: int,
    width: int,
) -> nn.Sequential:
    """Return 5 x 5 convolutions with batch norm and pooling, then a linear layer; no biases.

    The sides are halved until the shorter one is about 7.
    """
    channels, height, width_in_pixels = shape
    layers: list[nn.Module] = []
    while not layers or min(height, width_in_pixels) > 10:
        layers += [
            nn.Conv2d(channels, width, _KERNEL, padding=_KERNEL // 2, bias=False),
            nn.BatchNorm2d(width, eps=_EPSILON, affine=False),
            nn.LeakyReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        channels = width
        width = 2 * width
        height = -(-height // 2)
        width_in_pixels = -(-width_in_pixels // 2)
    layers += [nn.Flatten(), nn.Linear(channels * height * width_in_pixels, code, bias=False)]
    gain = nn.init.calculate_gain("leaky_relu", 0.01)
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain)
    encoder = nn.Sequential(*layers)
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder

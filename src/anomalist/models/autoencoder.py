"""Autoencoder: an image is as anomalous as its reconstruction through a narrow bottleneck is wrong.

A network g(f(x)) with f: [C, H, W] -> [bottleneck] is trained on normal images to minimise |x - g(f(x))|^2
(Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 2006; for novelty
detection: Japkowicz, Myers & Gluck, IJCAI 1995). The error map is the squared error of each pixel, averaged
over channels, in squared units of the [0, 1] range; the image's score is the map's ``aggregation``. Where training
images may hold anomalies, ``discard`` leaves the worst explained images of each batch out of its loss (trimmed
loss: Shen & Sanghavi, "Learning with bad training data via iterative trimmed loss minimization", ICML 2019).
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.special import expit
from torch import Tensor, nn

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.training import apply_batched, resolve, seeded, train

__all__ = ["Autoencoder"]


class Autoencoder(Detector):
    """Reconstruct through a bottleneck; score by the squared error."""

    architecture: Literal["conv", "dense"] = Field(
        "conv", description="convolutional, or the classic small dense network (128 and 64 hidden units)"
    )
    bottleneck: int = Field(32, ge=1, description="numbers that an image is squeezed into")
    width: int = Field(16, ge=1, description="channels after the first convolution; doubled at each halving")
    epochs: int | None = Field(
        None, ge=1, description="passes over the training images; by default as many as make about 3,400 steps"
    )
    batch_size: int = Field(128, ge=1, description="images a training step")
    learning_rate: float = Field(3e-3, gt=0, description="peak of the one-cycle schedule")
    discard: float = Field(
        0.0, ge=0, lt=1, description="share of each training batch, its highest losses, that is not learnt from"
    )
    aggregation: Literal["mean", "max", "top_1_percent"] = Field(
        "mean", description="how an error map becomes one score"
    )

    _network: _Network | None = PrivateAttr(None)
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean squared error of each epoch; empty before ``fit``."""
        return list(self._history)

    def reconstruct(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reconstructions, float32 ``[N, C, H, W]`` in [0, 1], of images as ``score`` takes them."""
        self.check_fitted(images)
        assert self._network is not None
        device, dtype = resolve(self.device, self.precision)
        logits = apply_batched(self._network.to(device).logits, images, device=device, dtype=dtype)
        expit(logits, out=logits)  # not torch.sigmoid: see apply_batched
        return logits

    def _fit(self, images: NDArray[np.float32], checkpoint: Path | None) -> None:
        network = self._build()
        self._history = train(
            network,
            lambda batch: _trimmed_error(network(batch), batch, self.discard),
            images,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            title=f"training {self.name}",
            checkpoint=checkpoint,
        )
        self._network = network

    def _score(self, images: NDArray[np.float32]) -> Scores:
        error = self.reconstruct(images)
        error -= images
        error *= error
        maps = error[:, 0] if error.shape[1] == 1 else error.mean(axis=1)
        return Scores(heatmaps.aggregate(maps, self.aggregation), maps)

    def _build(self) -> _Network:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            if self.architecture == "dense":
                network: _Network = _Dense(self._shape, self.bottleneck)
            else:
                network = _Conv(self._shape, self.bottleneck, self.width)
            return network.apply(_initialise)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        assert self._network is not None
        weights = {name: value.cpu().numpy() for name, value in self._network.state_dict().items()}
        return {**weights, "history": np.array(self._history)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._history = arrays.pop("history").tolist()
        network = self._build()
        network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
        self._network = network.eval()


class _Network(nn.Module):
    """An encoder and a decoder; the output lies in [0, 1]."""

    encoder: nn.Module
    decoder: nn.Module

    def logits(self, images: Tensor) -> Tensor:
        result: Tensor = self.decoder(self.encoder(images))
        return result.view_as(images)

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(images))


class _Dense(_Network):
    """C H W - 128 - 64 - bottleneck - 64 - 128 - C H W."""

    def __init__(self, shape: tuple[int, int, int], bottleneck: int) -> None:
        super().__init__()
        sizes = [math.prod(shape), 128, 64, bottleneck]
        self.encoder = nn.Sequential(nn.Flatten(), *_linear_stack(sizes))
        self.decoder = nn.Sequential(*_linear_stack(sizes[::-1]))


class _Conv(_Network):
    """Strided 3 x 3 convolutions that halve the image until its shorter side is about 7, then one linear layer."""

    def __init__(self, shape: tuple[int, int, int], bottleneck: int, width: int) -> None:
        super().__init__()
        c, h, w = shape
        depth = max(1, round(math.log2(max(min(h, w) / 7, 1))))
        channels = [c] + [width * 2**level for level in range(depth)]
        sizes = [(-(-h // 2**level), -(-w // 2**level)) for level in range(depth + 1)]
        flat = channels[-1] * math.prod(sizes[-1])
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for level in range(depth):
            down += [nn.Conv2d(channels[level], channels[level + 1], 3, 2, 1), nn.ReLU()]
            (big_h, big_w), (small_h, small_w) = sizes[level], sizes[level + 1]
            extra = (big_h - 2 * small_h + 1, big_w - 2 * small_w + 1)  # an odd side comes back odd
            up[:0] = [nn.ReLU(), nn.ConvTranspose2d(channels[level + 1], channels[level], 3, 2, 1, extra)]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, bottleneck))
        inner = (channels[-1], *sizes[-1])
        self.decoder = nn.Sequential(nn.Linear(bottleneck, flat), nn.Unflatten(1, inner), *up)


def _trimmed_error(restored: Tensor, images: Tensor, discard: float) -> Tensor:
    """Return the mean squared error of a batch without the ``discard`` share of images where it is highest."""
    kept = max(1, round(len(images) * (1 - discard)))
    if kept == len(images):
        return nn.functional.mse_loss(restored, images)
    errors = nn.functional.mse_loss(restored, images, reduction="none").flatten(1).mean(1)
    return errors.topk(kept, largest=False).values.mean()


def _initialise(layer: nn.Module) -> None:
    """Draw weights so that signals keep their size through ReLU layers (He et al., ICCV 2015).

    torch's own default shrinks them, and training then starts with hundreds of steps on a plateau.
    """
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


def _linear_stack(sizes: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]

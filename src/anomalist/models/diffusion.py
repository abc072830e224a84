"""Diffusion: an image is anomalous where it differs from what a diffusion model restores after adding noise to it.

A network learns to take noise away (Ho, Jain & Abbeel, "Denoising diffusion probabilistic models",
NeurIPS 2020). With x an image in [-1, 1], e standard normal and a an angle drawn uniformly from [0,
pi/2], it gets the noisy image y = cos(a) x + sin(a) e, and training minimises

    |v(y, a) - (cos(a) e - sin(a) x)|^2

(Salimans & Ho, "Progressive distillation for fast sampling of diffusion models", ICLR 2022). The
image that it then expects is D(y, a) = cos(a) y - sin(a) v(y, a). A noise level s is the noise's
standard deviation in units of images' [0, 1]: tan(a) = 2 s.

An image is scored by partial noising and restoration (Wyatt et al., "AnoDDPM", CVPRW 2022) at
several levels (Graham et al., "Denoising diffusion models for out-of-distribution detection", CVPRW
2023): at each, D is averaged over a few noises, and the residual is that mean less the image. The
noises follow from seed and level alone and are the same for every image. Low levels find what is
faint, high ones a gap that the restoration bridges. The score is the soft maximum of features of
the residuals, each standardised on a tenth of the training images that the network is not trained
on; see ``_residual`` for them and for the map. Or it joins, standardised in the same way, the
logarithms of the mean squared residual and of the local outlier factor (Breunig et al., SIGMOD
2000; see ``lof``) of the mean restored image among those of the training images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor

from anomalist import heatmaps
from anomalist.detector import Detector, Scores
from anomalist.models._denoiser import Denoiser
from anomalist.models._gradient import (
    TrainingPrecision,
    check_shape,
    load_weights,
    train_as_set,
    weights,
)
from anomalist.models._latent import by_directions, log
from anomalist.models._parts import detector_arrays, take_detector
from anomalist.models._residual import features, pixel_map, tally
from anomalist.models._standard import hold_out
from anomalist.models._surprise import combine
from anomalist.models.lof import Lof
from anomalist.randomness import normal
from anomalist.training import apply_batched, resolve, seeded

__all__ = ["Diffusion", "angle_of"]

Array = NDArray[np.float32]

_HELD_OUT = 0.1  # share of the training images that features are standardised on
_MOST_HELD_OUT = 2000
_DENSITY = "density."  # prefix of arrays
_BATCH = 64  # images restored at once
_AT_ONCE = 256  # images whose restorations are kept at once


class Diffusion(Detector):
    """Add noise, restore, compare: at several levels of noise."""

    version: ClassVar[int] = 2
    usual_batch: ClassVar[int] = 64
    map_quantity: ClassVar[str] = "reconstruction error"

    levels: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.1, 0.2, 0.5, 0.75),
        min_length=1,
        description="standard deviations of the noise that images are scored after, in units of "
        "the range [0, 1]",
    )
    draws: int = Field(
        2,
        ge=1,
        description="noises that are drawn for each level, each second one the first's negative",
    )
    restored_from: float = Field(
        0.75, gt=0, description="level of the noise that `reconstruct` starts from"
    )
    steps: int = Field(5, ge=1, description="steps from there to no noise")
    width: int = Field(
        16, ge=1, description="channels on whole pixels; doubled at each halving of the sides"
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="passes over the training images; by default as many as make about 3,400 steps",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images a training step; by default 64, fewer of images above 90 x 90",
    )
    learning_rate: float = Field(1e-2, gt=0, description="peak of the one-cycle schedule")
    training_precision: TrainingPrecision = "bfloat16"

    aggregation: Literal["features", "joint", "mean"] = Field(
        "features",
        description="an image's score: standardised features of the residuals, their mean square "
        "joined with the local "
        "outlier factor of the restored image, or the mean of the pixel map",
    )

    _network: Denoiser | None = PrivateAttr(None)
    _density: Lof | None = PrivateAttr(None)  # of restored images
    _learnt: dict[str, NDArray[Any]] = PrivateAttr(
        default_factory=dict
    )  # of residuals of normal images
    _history: list[float] = PrivateAttr(default_factory=list)

    @property
    def history(self) -> list[float]:
        """The mean loss of each epoch; empty before ``fit``."""
        return list(self._history)

    def reconstruct(self, images: Array) -> Array:
        """Return restored images, float32 ``[N, C, H, W]`` in [0, 1].

        Noise of ``restored_from`` is added and taken away in ``steps`` steps of equal angle,
        without new noise (DDIM: Song, Meng & Ermon, "Denoising diffusion implicit models", ICLR
        2021): each goes from y = cos(a) x + sin(a) e to the next smaller angle with the network's
        own x and e.
        """
        self.check_fitted(images)
        assert self._network is not None
        device, dtype = resolve(self.device, self.precision)
        network = self._network.to(device)
        angles = np.linspace(angle_of(self.restored_from), 0, self.steps + 1)
        noise = torch.from_numpy(self._noises(self.restored_from)[0]).to(device)

        def restored(batch: Tensor) -> Tensor:
            noisy = _mixed(2 * batch - 1, noise, angles[0])
            for angle, following in pairwise(angles):
                velocity = _velocity(network, noisy, angle)
                image = _mixed(noisy, -velocity, angle)
                noisy = _mixed(image, _mixed(velocity, noisy, angle), following)
            return (noisy + 1) / 2

        return apply_batched(restored, images, device=device, dtype=dtype, size=_BATCH).clip(0, 1)

    def denoise(self, images: Array) -> Array:
        """Return each level's mean over ``draws`` noises of D(y, a), float32 ``[N, levels, C, H, W]``.

        Noise is added and taken away in one step; no value is clipped to [0, 1].
        """
        self.check_fitted(images)
        assert self._network is not None
        device, dtype = resolve(self.device, self.precision)
        network = self._network.to(device)
        noises = {level: torch.from_numpy(self._noises(level)).to(device) for level in self.levels}

        def denoised(batch: Tensor) -> Tensor:
            return torch.stack(
                [_denoised(network, 2 * batch - 1, *item) for item in noises.items()], 1
            )

        return apply_batched(denoised, images, device=device, dtype=dtype, size=_BATCH)

    def _noises(self, level: float) -> Array:
        """Return the noises of a level, float32 ``[draws, C, H, W]``, the same for every image."""
        assert self._shape is not None
        pairs = np.arange((self.draws + 1) // 2)
        half = normal(self.seed, f"diffusion/{level:g}", pairs, math.prod(self._shape)).reshape(
            -1, *self._shape
        )
        return np.stack([half, -half], axis=1).reshape(-1, *self._shape)[: self.draws]

    def _fit(self, images: Array, checkpoint: Path | None) -> None:
        network = self._build()
        self._density = None
        shown, held_out = hold_out(images, min(_HELD_OUT, _MOST_HELD_OUT / len(images)), self.seed)

        def loss(batch: Tensor) -> Tensor:
            n, clean = len(batch), 2 * batch - 1
            spread = (
                torch.rand(()) + torch.arange(n) / n
            ) % 1  # one draw spreads a batch's angles evenly
            angle, noise = (
                (spread * (math.pi / 2)).to(batch.device),
                torch.randn(batch.shape).to(batch.device),
            )
            signal, share = (part[:, None, None, None] for part in (angle.cos(), angle.sin()))
            velocity = network(signal * clean + share * noise, angle).float()
            value: Tensor = (velocity - (signal * noise - share * clean)).square().mean()
            return value

        self._history = train_as_set(self, network, loss, shown, checkpoint)
        self._network = network
        if self.aggregation == "joint":
            self._density = by_directions().fit(
                np.concatenate([_shown(restored) for _, restored in self._restorations(shown)])
            )
        found, tallies = [], []
        for part, restored in self._restorations(held_out):
            found.append(self._features(part, restored))
            tallies.append(tally(restored, restored - part[:, None]))
        features_found = np.concatenate(found)
        self._learnt = {
            "tallied": np.sum(tallies, axis=0),
            "feature_mean": features_found.mean(axis=0),
            "feature_spread": features_found.std(axis=0),
        }

    def _score(self, images: Array) -> Scores:
        maps, found = [], []
        for part, restored in self._restorations(images):
            maps.append(pixel_map(restored, restored - part[:, None], self._learnt["tallied"]))
            if self.aggregation != "mean":
                found.append(self._features(part, restored))
        pixel = np.concatenate(maps)
        if self.aggregation == "mean":
            return Scores(heatmaps.aggregate(pixel, "mean"), pixel)
        mean, spread = self._learnt["feature_mean"], self._learnt["feature_spread"]
        return Scores(combine(np.concatenate(found), mean, spread, self.aggregation), pixel)

    def _features(self, images: Array, restored: Array) -> Array:
        """Return what a score is made of, float32 ``[n, ...]``."""
        residuals = restored - images[:, None]
        if self._density is None:
            return features(residuals)
        error = (residuals**2).reshape(len(images), -1).mean(axis=1)
        return np.stack(
            [log(error), log(self._density.score(_shown(restored)).image)], axis=1
        ).astype(np.float32)

    def _restorations(self, images: Array) -> Iterator[tuple[Array, Array]]:
        """Yield some images at a time and what :meth:`denoise` makes of them, which is many times as large."""
        for first in range(0, len(images), _AT_ONCE):
            part = images[first : first + _AT_ONCE]
            yield part, self.denoise(part)

    def _build(self) -> Denoiser:
        assert self._shape is not None
        with seeded(self.seed, "weights"):  # before the first weight is drawn
            return Denoiser(self._shape[0], self.width)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {**weights(self._network), **self._learnt}
        if self._density is not None:
            arrays |= detector_arrays(_DENSITY, self._density)
        return {**arrays, "history": np.array(self._history), "shape": np.array(self._shape)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        assert self._shape is not None
        self._history = arrays.pop("history").tolist()
        check_shape(arrays, self._shape)
        self._learnt = {
            name: arrays.pop(name) for name in ("tallied", "feature_mean", "feature_spread")
        }
        if self.aggregation == "joint":
            self._density = take_detector(_DENSITY, arrays, by_directions(), self._shape)
        self._network = load_weights(self._build(), arrays)


def angle_of(level: float) -> float:
    """Return the angle a in [0, pi/2] of a noise level s: tan(a) = 2 s, since images fill [-1, 1] inside."""
    return math.atan(2 * level)


def _mixed(one: Tensor, other: Tensor, angle: float) -> Tensor:
    """Return cos(angle) one + sin(angle) other."""
    return math.cos(angle) * one + math.sin(angle) * other


def _denoised(network: Denoiser, images: Tensor, level: float, noises: Tensor) -> Tensor:
    """Return the mean over ``noises`` of the denoised images, in [0, 1]; ``images`` lie in [-1, 1]."""
    angle = angle_of(level)
    total = torch.zeros_like(images)
    for noise in noises:
        noisy = _mixed(images, noise, angle)
        total = total + _mixed(noisy, -_velocity(network, noisy, angle), angle)
    return (total / len(noises) + 1) / 2


def _velocity(network: Denoiser, noisy: Tensor, angle: float) -> Tensor:
    velocity: Tensor = network(
        noisy, torch.tensor([angle], dtype=torch.float32, device=noisy.device)
    )
    return velocity.float()


def _shown(restored: Array) -> Array:
    """Return the mean over levels as images, float32 ``[n, C, H, W]`` in [0, 1]."""
    mean: Array = restored.mean(axis=1)
    return mean.clip(0, 1)

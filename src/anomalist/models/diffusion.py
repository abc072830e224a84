"""Diffusion: an image is anomalous where it differs from its restoration by a diffusion model.

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
noises follow only from seed and level, and are the same for every image. Low levels find what is
faint, high ones a gap that the restoration bridges.

The score is the soft maximum of features of the residuals, each standardised on a tenth of the
training images that the network is not trained on; see ``_residual`` for the features and the map.
Or it joins, standardised in the same way, the logarithms of the mean squared residual and of the
local outlier factor (Breunig et al., SIGMOD 2000; see ``lof``) of the mean restored image among
those of the training images.
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
from anomalist.core.devices import resolve
from anomalist.core.randomness import normal
from anomalist.models._base import Scores
from anomalist.models._latent_density import by_directions, log
from anomalist.models._nested import detector_arrays, take_detector
from anomalist.models._networks.unet import Denoiser
from anomalist.models._residual import features, pixel_map, tally
from anomalist.models._standardise import hold_out
from anomalist.models._surprise import combine
from anomalist.models._trained import LearningRate, TrainedDetector, TrainingPrecision
from anomalist.models.lof import Lof
from anomalist.training import apply_batched, seeded

__all__ = ["Diffusion", "angle_of"]

Array = NDArray[np.float32]

_HELD_OUT = 0.1  # share of the training images that features are standardised on
_MAX_HELD_OUT = 2000
_DENSITY = "density."  # prefix of arrays
_BATCH = 64  # images restored at once
_AT_ONCE = 256  # images whose restorations are kept at once


class Diffusion(TrainedDetector):
    """Add noise, restore, compare: at several levels of noise."""

    version: ClassVar[int] = 2
    usual_batch: ClassVar[int] = 64
    any_size: ClassVar[bool] = True
    precision_field: ClassVar[str] = "training_precision"
    map_quantity: ClassVar[str] = "reconstruction error"

    levels: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.1, 0.2, 0.5, 0.75),
        min_length=1,
        description="standard deviations of the noise that is added for scoring, in units of "
        "the range [0, 1]",
    )
    draws: int = Field(
        2,
        ge=1,
        description="noise samples per level; every second one is the negative of the one before",
    )
    restored_from: float = Field(
        0.75, gt=0, description="level of the noise that `reconstruct` starts from"
    )
    steps: int = Field(5, ge=1, description="denoising steps of `reconstruct`")
    width: int = Field(
        16, ge=1, description="channels on whole pixels; doubled at each halving of the sides"
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images per training step; by default 64, fewer of images above 90 x 90",
    )
    learning_rate: LearningRate = 1e-2
    training_precision: TrainingPrecision = "bfloat16"
    aggregation: Literal["features", "joint", "mean"] = Field(
        "features",
        description="an image's score: standardised features of the residuals, their mean square "
        "joined with the local outlier factor of the restored image, or the mean of the pixel map",
    )

    _network: Denoiser | None = PrivateAttr(None)
    _density: Lof | None = PrivateAttr(None)  # of restored images
    _learnt: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)  # about normal residuals

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

        return apply_batched(
            restored,
            images,
            device=device,
            dtype=dtype,
            size=_BATCH,
        ).clip(0, 1)

    def denoise(self, images: Array) -> Array:
        """Return the restored image at each level, float32 ``[N, levels, C, H, W]``.

        It is the mean of D(y, a) over ``draws`` noises. Noise is added and taken away in one step;
        no value is clipped to [0, 1].
        """
        self.check_fitted(images)
        assert self._network is not None
        device, dtype = resolve(self.device, self.precision)
        network = self._network.to(device)
        noises = {level: torch.from_numpy(self._noises(level)).to(device) for level in self.levels}

        def denoised(batch: Tensor) -> Tensor:
            scaled = 2 * batch - 1
            levels = [_denoised(network, scaled, level, noise) for level, noise in noises.items()]
            return torch.stack(levels, 1)

        return apply_batched(
            denoised,
            images,
            device=device,
            dtype=dtype,
            size=_BATCH,
        )

    def _noises(self, level: float) -> Array:
        """Return the noises of a level, float32 ``[draws, C, H, W]``, the same for every image."""
        shape = self.image_shape
        pairs = np.arange((self.draws + 1) // 2)
        numbers = normal(self.seed, f"diffusion/{level:g}", pairs, math.prod(shape))
        half = numbers.reshape(-1, *shape)
        return np.stack([half, -half], axis=1).reshape(-1, *shape)[: self.draws]

    def _build(self) -> Denoiser:
        with seeded(self.seed, "weights"):
            return Denoiser(self.image_shape[0], self.width)

    def _fit(self, images: Array, checkpoint: Path | None) -> None:
        network = self._build()
        self._density = None
        share = min(_HELD_OUT, _MAX_HELD_OUT / len(images))
        seen, held_out = hold_out(images, share, self.seed)

        def loss(batch: Tensor) -> Tensor:
            return _velocity_error(network, 2 * batch - 1)

        self._history = self._train(network, loss, seen, checkpoint)
        self._network = network
        if self.aggregation == "joint":
            restored = [_mean_image(part) for _, part in self._restorations(seen)]
            self._density = by_directions().fit(np.concatenate(restored))
        parts = []
        tallies = []
        for part, restored_part in self._restorations(held_out):
            parts.append(self._features(part, restored_part))
            tallies.append(tally(restored_part, restored_part - part[:, None]))
        of_normal = np.concatenate(parts)
        self._learnt = {
            "tallied": np.sum(tallies, axis=0),
            "feature_mean": of_normal.mean(axis=0),
            "feature_spread": of_normal.std(axis=0),
        }

    def _score(self, images: Array) -> Scores:
        maps = []
        parts = []
        for part, restored in self._restorations(images):
            maps.append(pixel_map(restored, restored - part[:, None], self._learnt["tallied"]))
            if self.aggregation != "mean":
                parts.append(self._features(part, restored))
        pixel = np.concatenate(maps)
        if self.aggregation == "mean":
            return Scores(heatmaps.aggregate(pixel, "mean"), pixel)
        mean = self._learnt["feature_mean"]
        spread = self._learnt["feature_spread"]
        return Scores(combine(np.concatenate(parts), mean, spread, self.aggregation), pixel)

    def _features(self, images: Array, restored: Array) -> Array:
        """Return what a score is made of, float32 ``[n, ...]``."""
        residuals = restored - images[:, None]
        if self._density is None:
            return features(residuals)
        error = (residuals**2).reshape(len(images), -1).mean(axis=1)
        factor = self._density.score(_mean_image(restored)).image
        return np.stack([log(error), log(factor)], axis=1).astype(np.float32)

    def _restorations(self, images: Array) -> Iterator[tuple[Array, Array]]:
        """Yield some images at a time with their restorations, which are many times as large."""
        for first in range(0, len(images), _AT_ONCE):
            part = images[first : first + _AT_ONCE]
            yield part, self.denoise(part)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {**super()._arrays(), **self._learnt}
        if self._density is not None:
            arrays |= detector_arrays(_DENSITY, self._density)
        return arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        names = ("tallied", "feature_mean", "feature_spread")
        self._learnt = {name: arrays.pop(name) for name in names}
        if self.aggregation == "joint":
            self._density = take_detector(_DENSITY, arrays, by_directions(), self._shape)
        super()._restore(arrays)


def angle_of(level: float) -> float:
    """Return the angle a in [0, pi/2] of a noise level s: tan(a) = 2 s, as images fill [-1, 1]."""
    return math.atan(2 * level)


def _velocity_error(network: Denoiser, clean: Tensor) -> Tensor:
    """Return the mean squared error of the network's velocities for images in [-1, 1]."""
    n = len(clean)
    device = clean.device
    spread = (torch.rand(()) + torch.arange(n) / n) % 1  # spreads a batch's angles evenly
    angle = (spread * (math.pi / 2)).to(device)
    noise = torch.randn(clean.shape).to(device)
    cosine = angle.cos()[:, None, None, None]
    sine = angle.sin()[:, None, None, None]
    velocity = network(cosine * clean + sine * noise, angle).float()
    error: Tensor = (velocity - (cosine * noise - sine * clean)).square().mean()
    return error


def _mixed(one: Tensor, other: Tensor, angle: float) -> Tensor:
    """Return cos(angle) one + sin(angle) other."""
    return math.cos(angle) * one + math.sin(angle) * other


def _denoised(
    network: Denoiser,
    images: Tensor,
    level: float,
    noises: Tensor,
) -> Tensor:
    """Return the mean over ``noises`` of the denoised images, in [0, 1].

    Args:
        network: trained.
        images: in [-1, 1].
        level: of the noise.
        noises: ``[draws, C, H, W]``.
    """
    angle = angle_of(level)
    total = torch.zeros_like(images)
    for noise in noises:
        noisy = _mixed(images, noise, angle)
        total = total + _mixed(noisy, -_velocity(network, noisy, angle), angle)
    return (total / len(noises) + 1) / 2


def _velocity(network: Denoiser, noisy: Tensor, angle: float) -> Tensor:
    one = torch.tensor([angle], dtype=torch.float32, device=noisy.device)
    velocity: Tensor = network(noisy, one)
    return velocity.float()


def _mean_image(restored: Array) -> Array:
    """Return the mean over levels as images, float32 ``[n, C, H, W]`` in [0, 1]."""
    mean: Array = restored.mean(axis=1)
    return mean.clip(0, 1)

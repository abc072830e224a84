"""Diffusion: scores an image by its difference from its restoration by a diffusion model.

A network learns to remove noise (Ho, Jain & Abbeel, "Denoising diffusion probabilistic models",
NeurIPS 2020). Let x be an image in [-1, 1], e standard normal and a an angle drawn uniformly from
[0, pi/2]. The network v gets the noisy image y = cos(a) x + sin(a) e and predicts the velocity
(Salimans & Ho, "Progressive distillation for fast sampling of diffusion models", ICLR 2022);
training minimises::

    |v(y, a) - (cos(a) e - sin(a) x)|^2

The predicted image is D(y, a) = cos(a) y - sin(a) v(y, a). A noise level s is the standard
deviation of the noise in units of the range [0, 1] of images: tan(a) = 2 s.

An image is scored by partial noising and restoration (Wyatt et al., "AnoDDPM", CVPRW 2022) at
several noise levels (Graham et al., "Denoising diffusion models for out-of-distribution detection",
CVPRW 2023). At each level D is averaged over a few noise samples; the residual is this mean minus
the image. The noise samples depend only on seed and level and are the same for every image. Low
levels detect faint anomalies; high levels detect gaps, which the restoration fills.

``aggregation="features"`` scores by the soft maximum of features of the residuals, each
standardised on a tenth of the training images that the network is not trained on; see ``_residual``
for the features and the map. ``aggregation="joint"`` adds two logarithms, standardised in the same
way: that of the mean squared residual, and that of the local outlier factor (Breunig et al., SIGMOD
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

_HELD_OUT = 0.1  # fraction of the training images that features are standardised on
_MAX_HELD_OUT = 2000
_DENSITY = "density."  # prefix of arrays
_BATCH = 64  # images restored at once
_AT_ONCE = 256  # images whose restorations are kept at once


class Diffusion(TrainedDetector):
    """Add noise at several levels, restore the image, and compare."""

    no_export: ClassVar[str] = "it draws noise and denoises in many steps while it scores"
    version: ClassVar[int] = 2
    usual_batch: ClassVar[int] = 64
    any_size: ClassVar[bool] = True
    precision_field: ClassVar[str] = "training_precision"
    map_quantity: ClassVar[str] = "reconstruction error"

    levels: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.1, 0.2, 0.5, 0.75),
        min_length=1,
        description="noise levels for scoring: standard deviations in units of the range [0, 1]",
    )
    draws: int = Field(
        2,
        ge=1,
        description="noise samples per level; every second one is the previous one negated",
    )
    restored_from: float = Field(
        0.75, gt=0, description="noise level that `reconstruct` starts from"
    )
    steps: int = Field(5, ge=1, description="denoising steps of `reconstruct`")
    width: int = Field(
        16, ge=1, description="channels at full resolution; doubled at each downsampling"
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="images per training step; by default 64, fewer for images above 90 x 90",
    )
    learning_rate: LearningRate = 1e-2
    training_precision: TrainingPrecision = "bfloat16"
    aggregation: Literal["features", "joint", "mean"] = Field(
        "features",
        description="the image score: standardised features of the residuals; their mean square "
        "combined with the local outlier factor of the restored image (joint); or the mean of the "
        "pixel map",
    )

    _network: Denoiser | None = PrivateAttr(None)
    _density: Lof | None = PrivateAttr(None)  # of restored images
    _learnt: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)  # about normal residuals

    def reconstruct(self, images: Array) -> Array:
        """Return restored images, float32 ``[N, C, H, W]`` in [0, 1].

        Noise of level ``restored_from`` is added and then removed in ``steps`` steps of equal
        angle, without new noise (DDIM: Song, Meng & Ermon, "Denoising diffusion implicit models",
        ICLR 2021). Each step goes from y = cos(a) x + sin(a) e to the next smaller angle with the
        network's predictions of x and e.
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

        It is the mean of D(y, a) over ``draws`` noise samples. Noise is added and removed in one
        step; values are not clipped to [0, 1].
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
        """Return the noise samples of a level, ``[draws, C, H, W]``, the same for every image."""
        shape = self.fitted_shape
        pairs = np.arange((self.draws + 1) // 2)
        numbers = normal(self.seed, f"diffusion/{level:g}", pairs, math.prod(shape))
        half = numbers.reshape(-1, *shape)
        return np.stack([half, -half], axis=1).reshape(-1, *shape)[: self.draws]

    def _build(self) -> Denoiser:
        with seeded(self.seed, "weights"):
            return Denoiser(self.fitted_shape[0], self.width)

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
        """Return the features of the score, float32 ``[n, ...]``."""
        residuals = restored - images[:, None]
        if self._density is None:
            return features(residuals)
        error = (residuals**2).reshape(len(images), -1).mean(axis=1)
        factor = self._density.score(_mean_image(restored)).image
        return np.stack([log(error), log(factor)], axis=1).astype(np.float32)

    def _restorations(self, images: Array) -> Iterator[tuple[Array, Array]]:
        """Yield batches of images with their restorations, which are many times as large."""
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
    """Return the angle a in [0, pi/2] of a noise level s: tan(a) = 2 s, for images in [-1, 1]."""
    return math.atan(2 * level)


def _velocity_error(network: Denoiser, clean: Tensor) -> Tensor:
    """Return the mean squared error of the network's velocities for images in [-1, 1]."""
    n = len(clean)
    device = clean.device
    spread = (torch.rand(()) + torch.arange(n) / n) % 1  # spread the angles of a batch evenly
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
    """Return the denoised images in [0, 1], averaged over ``noises``.

    Args:
        network: the trained network.
        images: images in [-1, 1].
        level: the noise level.
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

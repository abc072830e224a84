"""Tasks: what an anomaly is, and the training, calibration and test images that follow from it.

Training and calibration images come from a data set's training split, test images from its test split alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator

from anomalist.config import Config
from anomalist.corruption import Corruption, parse
from anomalist.errors import InputError
from anomalist.images import Dataset, ImageSet
from anomalist.randomness import generator

__all__ = ["Corrupted", "Split", "Task", "corrupted"]

Spec = Annotated[Corruption, PlainValidator(parse), PlainSerializer(str, return_type=str)]


@dataclass(frozen=True)
class Split:
    """Images with what is known of each.

    Attributes:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        labels: bool ``[N]``, true for an anomaly.
        source: int64 ``[N]``, the number of the data set's image that it was made from: a clean image and its
            corrupted twin share it, so they are not independent.
        masks: bool ``[N, H, W]``, the anomalous pixels, or None where they are not known.
        left_out: how many would-be anomalies were left out since nothing in them changed.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.bool_]
    source: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def __add__(self, other: Split) -> Split:
        """Return both splits' images, these first; images without a mask have no anomalous pixel."""
        masks = None
        if self.masks is not None or other.masks is not None:
            masks = np.concatenate([_masks(self), _masks(other)])
        return Split(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.source, other.source]),
            masks,
            self.left_out + other.left_out,
        )


@dataclass(frozen=True)
class Task:
    """What a detector is fitted on, what its thresholds come from, and what it is judged on."""

    train: Split
    calibration: Split
    test: Split


class Corrupted(Config):
    """Normal is the data set itself; an anomaly is a test image with a corruption.

    Every test image is there twice, clean and corrupted; a corrupted one in which nothing changed is left out
    and counted.
    """

    dataset: str = Field("mnist", description="the data set, see `anomalist list datasets`")
    corruption: Spec = Field(parse("stripes"), description="what is done to test images, as name:option=value")
    train: int | None = Field(None, ge=1, description="normal images to train on; by default all the rest")
    calibration: int = Field(6_000, ge=1, description="normal images held out for thresholds")
    test: int | None = Field(None, ge=1, description="test images, each clean and corrupted; by default all")

    def training(self, dataset: Dataset, seed: int) -> tuple[Split, Split]:
        """Return the training and the calibration images: disjoint draws from the training split.

        Raises:
            InputError: the data set has fewer images.
        """
        held_out = _choose(dataset.train, self.calibration, seed, "calibration")
        rest = dataset.train.take(np.setdiff1d(np.arange(len(dataset.train)), held_out.index))
        return _normal(_choose(rest, self.train, seed, "train")), _normal(held_out)

    def clean(self, dataset: Dataset, seed: int) -> Split:
        """Return the normal test images."""
        return _normal(_choose(dataset.test, self.test, seed, "test"))

    def anomalies(self, clean: Split, seed: int) -> Split:
        """Return the corrupted twins of ``clean`` whose mask is not empty."""
        result = self.corruption(clean.images, seed=seed, index=clean.source)
        kept = result.masks.any(axis=(1, 2))
        return Split(
            result.images[kept],
            np.ones(int(kept.sum()), np.bool_),
            clean.source[kept],
            result.masks[kept],
            int((~kept).sum()),
        )


def corrupted(
    dataset: Dataset,
    corruption: str | Corruption,
    *,
    severity: float | None = None,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> Task:
    """Return the task of telling corrupted test images from clean ones.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        corruption: a name, ``"name:option=value,…"``, or a corruption.
        severity: its strength in [0, 1], when ``corruption`` does not say.
        seed: governs the split and the corruption.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: test images, each of them clean and corrupted; None: all.

    Raises:
        InputError: an unknown corruption or option, or more images asked for than there are.
    """
    parsed = parse(corruption)
    if severity is not None:
        parsed = parse({"name": parsed.name, **parsed.model_dump(exclude_unset=True), "severity": severity})
    task = Corrupted(dataset=dataset.name, corruption=parsed, train=train, calibration=calibration, test=test)
    clean = task.clean(dataset, seed)
    return Task(*task.training(dataset, seed), clean + task.anomalies(clean, seed))


def _choose(images: ImageSet, count: int | None, seed: int, purpose: str) -> ImageSet:
    if len(images) == 0:
        raise InputError(f"{purpose}: nothing is left to draw from; hold out fewer images for calibration")
    if count is None or count == len(images):
        return images
    if count > len(images):
        raise InputError(f"{purpose}: {count:,} images asked for, the split has {len(images):,}; ask for fewer")
    return images.take(np.sort(generator(seed, purpose).permutation(len(images))[:count]))


def _normal(images: ImageSet) -> Split:
    return Split(images.to_float(), np.zeros(len(images), np.bool_), images.index)


def _masks(split: Split) -> NDArray[np.bool_]:
    if split.masks is not None:
        return split.masks
    n, _, h, w = split.images.shape
    return np.zeros((n, h, w), np.bool_)

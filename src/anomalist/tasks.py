"""Tasks: what an anomaly is, and the training, calibration and test images that follow from it.

Training and calibration images come from a data set's training split, test images from its test split alone.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator

from anomalist.config import Config
from anomalist.corruption import Corruption, parse
from anomalist.errors import InputError
from anomalist.images import Dataset, ImageSet
from anomalist.randomness import derive, generator

__all__ = ["Corrupted", "OneClass", "Split", "Task", "TaskConfig", "corrupted", "one_class"]

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


class TaskConfig(Config):
    """What every task has: a data set, sizes, and the anomalies that training images may hold unnoticed."""

    dataset: str = Field("mnist", description="the data set, see `anomalist list datasets`")
    train: int | None = Field(None, ge=1, description="images to train on; by default all the rest")
    calibration: int = Field(6_000, ge=1, description="normal images held out for thresholds")
    test: int | None = Field(None, ge=1, description="normal test images; by default all")
    contamination: float = Field(
        0.0, ge=0, le=0.5, description="share of training images that are anomalies, unlabelled"
    )

    TEST_ONLY: ClassVar[frozenset[str]] = frozenset({"test"})  # fields that change nothing in training

    def classes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the labels of the normal classes."""
        return tuple(range(len(dataset.train.kinds)))

    def training(self, dataset: Dataset, seed: int) -> tuple[Split, Split]:
        """Return the training and the calibration images: disjoint draws from the training split.

        Calibration images are all normal. Of the training images a share of ``contamination`` is replaced by
        anomalies; a higher share replaces the same ones and more.

        Raises:
            InputError: the data set has fewer images.
        """
        usual = _of_classes(dataset.train, self.classes(dataset))
        held_out = _choose(usual, self.calibration, seed, "calibration")
        rest = usual.take(np.flatnonzero(~np.isin(usual.index, held_out.index)))
        train = _normal(_choose(rest, self.train, seed, "train"))
        count = round(self.contamination * len(train))
        if count:
            rows = generator(seed, "contaminated rows").permutation(len(train))[:count]
            images = train.images.copy()
            images[rows] = self._contaminants(train.images[rows], train.source[rows], dataset, seed)
            train = replace(train, images=images)
        return train, _normal(held_out)

    def normal(self, dataset: Dataset, seed: int) -> Split:
        """Return the normal test images."""
        return _normal(_choose(_of_classes(dataset.test, self.classes(dataset)), self.test, seed, "test"))

    def build(self, dataset: Dataset, seed: int) -> Task:
        """Return all three splits, the test images normal ones first."""
        normal = self.normal(dataset, seed)
        return Task(*self.training(dataset, seed), normal + self.anomalies(normal, dataset, seed))

    @abstractmethod
    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the anomalous test images, given the normal ones."""

    @abstractmethod
    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        """Return what takes the place of these training images."""


class Corrupted(TaskConfig):
    """Normal is the data set itself; an anomaly is a test image with a corruption.

    Every test image is there twice, clean and corrupted; a corrupted one in which nothing changed is left out
    and counted.
    """

    TEST_ONLY: ClassVar[frozenset[str]] = frozenset({"test", "corruption"})

    kind: Literal["corrupted"] = Field("corrupted", description="what an anomaly is")
    corruption: Spec = Field(parse("stripes"), description="what is done to test images, as name:option=value")
    normal_classes: tuple[int, ...] | None = Field(None, min_length=1, description="normal classes; by default all")
    contaminant: Spec | Literal["class"] | None = Field(
        None, description="what contaminates training: a corruption, or 'class' for images of the other classes"
    )

    def classes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the labels of the normal classes."""
        return super().classes(dataset) if self.normal_classes is None else self.normal_classes

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the corrupted twins of ``normal`` whose mask is not empty."""
        result = self.corruption(normal.images, seed=seed, index=normal.source)
        kept = result.masks.any(axis=(1, 2))
        return Split(
            result.images[kept],
            np.ones(int(kept.sum()), np.bool_),
            normal.source[kept],
            result.masks[kept],
            int((~kept).sum()),
        )

    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        if self.contaminant is None:
            raise InputError("task.contamination above 0 needs task.contaminant: a corruption, or 'class'")
        if self.contaminant == "class":
            return _others(dataset.train, self.classes(dataset), len(images), seed)
        own_seed = derive(seed, "contamination")  # never the draws that the test images get
        return self.contaminant(images, seed=own_seed, index=source).images


class OneClass(TaskConfig):
    """Normal is one class of the data set (or several); an anomaly is a test image of any other."""

    kind: Literal["one_class"] = Field("one_class", description="what an anomaly is")
    normal_classes: tuple[int, ...] = Field((0,), min_length=1, description="the normal classes")

    def classes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the labels of the normal classes."""
        return self.normal_classes

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return all test images of the other classes."""
        others = dataset.test.take(np.flatnonzero(~np.isin(dataset.test.labels, self.normal_classes)))
        if len(others) == 0:
            raise InputError("task.normal_classes: every class is normal, so nothing is an anomaly; leave some out")
        return replace(_normal(others), labels=np.ones(len(others), np.bool_))

    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        return _others(dataset.train, self.normal_classes, len(images), seed)


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
    return task.build(dataset, seed)


def one_class(
    dataset: Dataset,
    normal_classes: int | tuple[int, ...],
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 500,
    test: int | None = None,
) -> Task:
    """Return the task of telling images of the other classes from those of the normal ones.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        normal_classes: the normal class, or classes, as labels.
        seed: governs the split.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: normal test images; None: all. Anomalies are all test images of the other classes.

    Raises:
        InputError: a class that the data set has not, or more images asked for than there are.
    """
    classes = (normal_classes,) if isinstance(normal_classes, int) else normal_classes
    task = OneClass(dataset=dataset.name, normal_classes=classes, train=train, calibration=calibration, test=test)
    return task.build(dataset, seed)


def _of_classes(images: ImageSet, classes: tuple[int, ...]) -> ImageSet:
    if absent := [label for label in classes if not 0 <= label < len(images.kinds)]:
        raise InputError(f"normal_classes: {absent[0]} is no class; the data set has 0 to {len(images.kinds) - 1}")
    return images.take(np.flatnonzero(np.isin(images.labels, classes)))


def _others(images: ImageSet, classes: tuple[int, ...], count: int, seed: int) -> NDArray[np.float32]:
    """Draw images of the classes that are not normal."""
    others = images.take(np.flatnonzero(~np.isin(images.labels, classes)))
    if count > len(others):
        raise InputError(f"task.contamination: {count:,} images of other classes needed, there are {len(others):,}")
    return others.take(generator(seed, "contaminants").permutation(len(others))[:count]).to_float()


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

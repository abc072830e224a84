"""Task: the contract that every file in ``tasks/`` keeps: what an anomaly is, and the images that follow from it.

Training and calibration images come from a data set's training split, test images from its test
split alone. A test image that is byte for byte among the training or calibration images as well is
a leak: it is counted, and a task whose share of them is above a limit is refused.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, SerializationInfo, model_validator

from anomalist import catalog
from anomalist.config import Config, snake_case
from anomalist.errors import InputError
from anomalist.images import Dataset, ImageSet
from anomalist.randomness import generator
from anomalist.split import Split, count_leaks, fingerprints, normal_split

__all__ = ["AnyTask", "Task", "TaskConfig", "choose", "of_classes", "others", "parse"]

ALLOWED = (
    0.01  # share of leaks: some official data sets have a few, and none that is worth much has more
)


@dataclass(frozen=True)
class Task:
    """What a detector is fitted on, what its thresholds come from, and what it is judged on.

    Attributes:
        train: images, with labels where some are known anomalies:
            ``fit(task.train.images, task.train.known)``.
        calibration: held-out normal images.
        test: normal images, then anomalies.
        duplicates: how many test images are byte for byte among the training or calibration images
            too.
    """

    train: Split
    calibration: Split
    test: Split
    duplicates: int = 0


class TaskConfig(Config):
    """What every task has: a data set, sizes, and the anomalies that training images may hold, unnoticed or known.

    A subclass is named like its file, has a field ``kind`` whose only value is that name, and
    defines ``anomalies`` and ``_contaminants``. Fields that are younger than the first results are
    left out of rows where they are not used, so that the rows stay as they were.
    """

    dataset: str = Field("mnist", description="the data set, see `anomalist list datasets`")
    train: int | None = Field(None, ge=1, description="images to train on; by default all the rest")
    calibration: int = Field(6_000, ge=1, description="normal images held out for thresholds")
    test: int | None = Field(None, ge=1, description="normal test images; by default all")
    contamination: float = Field(
        0.0, ge=0, le=0.5, description="share of training images that are anomalies, unlabelled"
    )
    labelled: float = Field(
        0.0,
        ge=0,
        le=0.5,
        exclude_if=lambda share: not share,
        description="share of training images that are known anomalies",
    )
    duplicates: float = Field(
        ALLOWED,
        ge=0,
        le=1,
        exclude_if=lambda share: share == ALLOWED,
        description="share of test images that may be training images too; more is refused",
    )

    DATA: ClassVar[tuple[str, ...]] = ("dataset",)  # fields that name a data set
    TEST_ONLY: ClassVar[frozenset[str]] = frozenset(
        {"test", "duplicates"}
    )  # fields that change nothing in training
    CONTAMINANT: ClassVar[frozenset[str]] = (
        frozenset()
    )  # fields that do where training images hold anomalies, alone

    @model_validator(mode="after")
    def _some_unlabelled(self) -> Self:
        if self.contamination + self.labelled >= 1:
            raise InputError(
                "task.contamination and task.labelled add up to 1: no normal image is left to "
                "train on"
            )
        return self

    @property
    def name(self) -> str:
        """The kind, which is the task's file name."""
        return snake_case(type(self).__name__)

    @property
    def sources(self) -> tuple[str, ...]:
        """The data sets that its images come from."""
        return tuple(getattr(self, name) for name in self.DATA)

    @property
    def label(self) -> str:
        """What tells this task from others on the same data, for a table's head."""
        return self.name

    @property
    def ignored_in_training(self) -> frozenset[str]:
        """The fields that change nothing in training, as the task is set."""
        return self.TEST_ONLY | (
            frozenset() if self.contamination or self.labelled else self.CONTAMINANT
        )

    def __str__(self) -> str:
        """Return the text that :func:`parse` reads back, e.g. ``one_class:dataset=digits,normal_classes=3``."""
        fields = type(self).model_fields
        return catalog.spell(
            self.name, {name: value for name, value in self if value != fields[name].default}
        )

    def classes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the labels of the normal classes: those that the training split has images of."""
        return tuple(np.unique(dataset.train.labels).tolist())

    def training(self, dataset: Dataset, seed: int) -> tuple[Split, Split]:
        """Return the training and the calibration images: disjoint draws from the training split.

        Calibration images are all normal. Of the training images a share of ``contamination`` is
        replaced by anomalies; a higher share replaces the same ones and more. Another share,
        ``labelled``, is replaced by further anomalies, which training is told of: -1 in ``known``.

        Raises:
            InputError: the data set has fewer images.
        """
        usual = of_classes(dataset.train, self.classes(dataset))
        held_out = choose(usual, self.calibration, seed, "calibration")
        rest = usual.take(np.flatnonzero(~np.isin(usual.index, held_out.index)))
        train = normal_split(choose(rest, self.train, seed, "train"))
        unnoticed, told = round(self.contamination * len(train)), round(self.labelled * len(train))
        if unnoticed or told:
            order = generator(seed, "contaminated rows").permutation(len(train))
            rows = np.concatenate([order[:unnoticed], order[::-1][:told]])
            images = train.images.copy()
            images[rows] = self._contaminants(train.images[rows], train.source[rows], dataset, seed)
            if told and (chosen := self._told(told, unnoticed, dataset, seed)) is not None:
                images[rows[unnoticed:]] = chosen
            train = replace(train, images=images)
        if told:
            known = np.zeros(len(train), np.int8)
            known[rows[unnoticed:]] = -1
            train = replace(train, known=known)
        return train, normal_split(held_out)

    def normal(self, dataset: Dataset, seed: int) -> Split:
        """Return the normal test images."""
        return normal_split(
            choose(of_classes(dataset.test, self.classes(dataset)), self.test, seed, "test")
        )

    def build(self, dataset: Dataset, seed: int) -> Task:
        """Return all three splits, the test images normal ones first.

        Raises:
            InputError: too few images, or too many of the test images are among the others.
        """
        normal = self.normal(dataset, seed)
        train, held_out = self.training(dataset, seed)
        test = normal + self.anomalies(normal, dataset, seed)
        leaks = count_leaks(fingerprints(test), {*fingerprints(train), *fingerprints(held_out)})
        self.check_leaks(leaks, len(test))
        return Task(train, held_out, test, leaks)

    def check_leaks(self, leaks: int, tested: int) -> None:
        """Raise InputError where more of the test images than ``duplicates`` allows are training images too."""
        if leaks > self.duplicates * tested:
            raise InputError(
                f"{leaks:,} of {tested:,} test images are, byte for byte, among the training or "
                "calibration images: "
                "remove them from the data set, or raise task.duplicates to go on and report them"
            )

    @abstractmethod
    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the anomalous test images, given the normal ones."""

    @abstractmethod
    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        """Return what takes the place of these training images."""

    def _told(
        self, count: int, unnoticed: int, dataset: Dataset, seed: int
    ) -> NDArray[np.float32] | None:
        """Return the known anomalies where they are of a kind of their own; None where they are as the unnoticed ones.

        None of them is among the first ``unnoticed`` of ``_contaminants``.
        """
        return None


def parse(given: str | dict[str, Any] | TaskConfig) -> TaskConfig:
    """Return the task that ``given`` names; nothing of its data set is read.

    Args:
        given: ``"kind"`` or ``"kind:option=value,option=value"`` (parentheses keep a value with
            commas together: ``corrupted:corruption=(stripes:lines=1,value=black)``), a mapping with
            the key ``kind``, or a task, which is returned as it is.

    Raises:
        InputError: an unknown kind, option or value.
    """
    if isinstance(given, TaskConfig):
        return given
    if isinstance(given, dict):
        given = {
            "name": given.get("kind", ""),
            **{name: value for name, value in given.items() if name != "kind"},
        }
    task = catalog.build("tasks", given)
    assert isinstance(task, TaskConfig)
    return task


def _dump(task: TaskConfig, info: SerializationInfo) -> dict[str, Any]:
    return task.model_dump(mode="json", exclude_defaults=info.exclude_defaults)


# A task as a field of another config.
AnyTask = Annotated[TaskConfig, PlainValidator(parse), PlainSerializer(_dump)]


def of_classes(images: ImageSet, classes: tuple[int, ...]) -> ImageSet:
    """Return the images with one of these labels.

    Raises:
        InputError: a label that is none of the data set's.
    """
    if absent := [label for label in classes if not 0 <= label < len(images.kinds)]:
        raise InputError(
            f"normal_classes: {absent[0]} is no class; the data set has 0 to "
            f"{len(images.kinds) - 1}"
        )
    return images.take(np.flatnonzero(np.isin(images.labels, classes)))


def others(
    images: ImageSet, classes: tuple[int, ...], count: int, seed: int
) -> NDArray[np.float32]:
    """Draw ``count`` images of the classes that are not normal, as float32; a higher count draws the same and more.

    Raises:
        InputError: there are fewer.
    """
    rest = images.take(np.flatnonzero(~np.isin(images.labels, classes)))
    if count > len(rest):
        raise InputError(
            f"task.contamination: {count:,} images of other classes needed, there are {len(rest):,}"
        )
    return rest.take(generator(seed, "contaminants").permutation(len(rest))[:count]).to_float()


def choose(images: ImageSet, count: int | None, seed: int, purpose: str) -> ImageSet:
    """Draw ``count`` images, or all for None, and keep their order; ``purpose`` names the draw, in the message too.

    Raises:
        InputError: there are fewer, or none.
    """
    if len(images) == 0:
        mend = {
            "test": "the test split has no normal image; put some there",
            "train": "no image is left to train on; hold out fewer for calibration",
        }.get(purpose, "there is no image to draw from")
        raise InputError(f"{purpose}: {mend}")
    if count is None or count == len(images):
        return images
    if count > len(images):
        raise InputError(
            f"{purpose}: {count:,} images asked for, the split has {len(images):,}; ask for fewer"
        )
    return images.take(np.sort(generator(seed, purpose).permutation(len(images))[:count]))

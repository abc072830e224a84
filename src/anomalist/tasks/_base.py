"""The base class of all tasks: the definition of an anomaly, and the images that follow from it.

Training and calibration images come from a data set's training split, test images only from its
test split. A test image that is identical to a training or calibration image is a leak. Leaks are
counted, and tasks with too many of them are refused.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, SerializationInfo, model_validator

from anomalist.core.errors import InputError
from anomalist.core.named import NamedConfig
from anomalist.core.randomness import generator
from anomalist.corruptions import Corruption
from anomalist.images import Dataset, ImageSet
from anomalist.split import Split, normal_split
from anomalist.tasks._splits import TaskSplits

__all__ = [
    "AnyTask",
    "Task",
    "parse",
    "sample",
    "sample_other_classes",
    "select_classes",
]

ALLOWED_LEAKS = 0.01  # a fraction: some official data sets have a few leaks, but not more


class Task(NamedConfig):
    """A task: a data set, the numbers of images, and anomalies among the training images.

    A subclass is named like its file, has a field ``kind`` whose only value is that name, and
    defines ``anomalies`` and ``_contaminants``. Fields that were added after the first results are
    excluded from rows that do not use them, so that old rows stay valid.
    """

    registry: ClassVar[str] = "tasks"
    name_key: ClassVar[str] = "kind"

    dataset_fields: ClassVar[tuple[str, ...]] = ("dataset",)  # fields that name a data set
    test_only_fields: ClassVar[frozenset[str]] = frozenset({"test", "duplicates"})
    # Fields that change training only if it contains anomalies.
    contaminant_fields: ClassVar[frozenset[str]] = frozenset()

    dataset: str = Field("mnist", description="data set, see `anomalist list datasets`")
    train: int | None = Field(None, ge=1, description="number of training images; by default all")
    calibration: int = Field(
        6_000, ge=1, description="number of normal images held out for thresholds"
    )
    test: int | None = Field(None, ge=1, description="number of normal test images; by default all")
    contamination: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="fraction of the training images that are unlabelled anomalies",
    )
    labelled: float = Field(
        0.0,
        ge=0,
        le=0.5,
        exclude_if=lambda share: not share,
        description="fraction of the training images that are known anomalies",
    )
    duplicates: float = Field(
        ALLOWED_LEAKS,
        ge=0,
        le=1,
        exclude_if=lambda share: share == ALLOWED_LEAKS,
        description="largest fraction of test images that may be identical to training images",
    )

    @model_validator(mode="after")
    def _some_unlabelled(self) -> Self:
        if self.contamination + self.labelled >= 1:
            raise InputError(
                "task.contamination and task.labelled sum to 1, which leaves no normal image to "
                "train on; reduce one of them"
            )
        return self

    @abstractmethod
    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the anomalous test images, given the normal ones."""

    @abstractmethod
    def _contaminants(
        self,
        images: NDArray[np.float32],
        image_index: NDArray[np.int64],
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32]:
        """Return the anomalies that replace these training images."""

    def _labelled_anomalies(
        self,
        count: int,
        unlabelled: int,
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32] | None:
        """Return the known anomalies; None if they are drawn like the unlabelled ones.

        None of them is among the first ``unlabelled`` of ``_contaminants``.
        """
        return None

    @property
    def label(self) -> str:
        """A short name among tasks on the same data, for table headers."""
        return self.name

    @property
    def tested_corruption(self) -> Corruption | None:
        """The corruption of the test images; None for other kinds of anomalies."""
        return None

    def facts(self, anomalies: Split, normal: Split) -> dict[str, Any]:
        """Return the entries of a result row about the anomalies, besides their number."""
        return {}

    @property
    def dataset_specs(self) -> tuple[str, ...]:
        """The data sets that the images come from."""
        return tuple(getattr(self, name) for name in self.dataset_fields)

    @property
    def ignored_in_training(self) -> frozenset[str]:
        """The fields that do not affect training in this configuration."""
        if self.contamination or self.labelled:
            return self.test_only_fields
        return self.test_only_fields | self.contaminant_fields

    def normal_classes_of(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the normal classes: all classes with images in the training split."""
        return tuple(np.unique(dataset.train.class_index).tolist())

    def splits(self, dataset: Dataset, seed: int) -> TaskSplits:
        """Return the task's images, which are drawn on first use."""
        return TaskSplits(self, dataset, seed)

    def build(self, dataset: Dataset, seed: int) -> TaskSplits:
        """Return the task's images, after drawing all of them and checking for leaks.

        Raises:
            InputError: too few images, or too many leaks.
        """
        splits = self.splits(dataset, seed)
        splits.check_leaks()
        return splits

    def training(self, dataset: Dataset, seed: int) -> tuple[Split, Split]:
        """Return the training and the calibration images: disjoint draws from the training split.

        Calibration images are all normal. The fraction ``contamination`` of the training images is
        replaced by anomalies; a higher fraction replaces the same images and more. The fraction
        ``labelled`` is replaced by further anomalies, with -1 in ``train_labels``.

        Raises:
            InputError: the data set has too few images.
        """
        normal = select_classes(dataset.train, self.normal_classes_of(dataset))
        held_out = sample(normal, self.calibration, seed, "calibration")
        rest = normal.take(np.flatnonzero(~np.isin(normal.index, held_out.index)))
        train = normal_split(sample(rest, self.train, seed, "train"))
        return self._contaminated(train, dataset, seed), normal_split(held_out)

    def _contaminated(
        self,
        train: Split,
        dataset: Dataset,
        seed: int,
    ) -> Split:
        """Return the training images with a fraction of them replaced by anomalies."""
        unlabelled = round(self.contamination * len(train))
        labelled = round(self.labelled * len(train))
        if not unlabelled and not labelled:
            return train
        order = generator(seed, "contaminated rows").permutation(len(train))
        rows = np.concatenate([order[:unlabelled], order[::-1][:labelled]])
        images = train.images.copy()
        images[rows] = self._contaminants(
            train.images[rows], train.image_index[rows], dataset, seed
        )
        if not labelled:
            return replace(train, images=images)
        known = self._labelled_anomalies(labelled, unlabelled, dataset, seed)
        if known is not None:
            images[rows[unlabelled:]] = known
        train_labels = np.zeros(len(train), np.int8)
        train_labels[rows[unlabelled:]] = -1
        return replace(train, images=images, train_labels=train_labels)

    def normal_test_images(self, dataset: Dataset, seed: int) -> Split:
        """Return the normal test images."""
        normal = select_classes(dataset.test, self.normal_classes_of(dataset))
        return normal_split(sample(normal, self.test, seed, "test"))


def parse(given: str | Mapping[str, Any] | Task) -> Task:
    """Return the task that ``given`` describes, without reading its data set.

    See :meth:`NamedConfig.parse <anomalist.core.named.NamedConfig.parse>`; for example
    ``corrupted:corruption=(stripes:lines=1,value=black)``.
    """
    return Task.parse(given)


def _dump(task: Task, info: SerializationInfo) -> dict[str, Any]:
    return task.model_dump(mode="json", exclude_defaults=info.exclude_defaults)


# A task as a field of another config.
AnyTask = Annotated[Task, PlainValidator(parse), PlainSerializer(_dump)]


def select_classes(images: ImageSet, classes: tuple[int, ...]) -> ImageSet:
    """Return the images of these classes.

    Raises:
        InputError: a class that the data set does not have.
    """
    last = len(images.class_names) - 1
    absent = [index for index in classes if not 0 <= index <= last]
    if absent:
        raise InputError(f"normal_classes: {absent[0]} is no class; the classes are 0 to {last}")
    return images.take(np.flatnonzero(np.isin(images.class_index, classes)))


def sample_other_classes(
    images: ImageSet,
    classes: tuple[int, ...],
    count: int,
    seed: int,
) -> NDArray[np.float32]:
    """Draw images of all other classes as float32; a higher count draws the same and more.

    Raises:
        InputError: there are fewer than ``count``.
    """
    rest = images.take(np.flatnonzero(~np.isin(images.class_index, classes)))
    if count > len(rest):
        raise InputError(
            f"task.contamination needs {count:,} images of other classes, there are {len(rest):,}"
        )
    order = generator(seed, "contaminants").permutation(len(rest))
    return rest.take(order[:count]).to_float()


def sample(
    images: ImageSet,
    count: int | None,
    seed: int,
    purpose: str,
) -> ImageSet:
    """Draw ``count`` images, or all for None, in their original order.

    Args:
        images: the images to draw from.
        count: number of images.
        seed: seed of the draw.
        purpose: name of the draw, also for error messages.

    Raises:
        InputError: there are fewer images, or none.
    """
    if len(images) == 0:
        raise InputError(f"{purpose}: {_NONE_LEFT.get(purpose, 'there is no image to draw from')}")
    if count is None or count == len(images):
        return images
    if count > len(images):
        raise InputError(
            f"{purpose}: {count:,} images requested, the split has {len(images):,}; request fewer"
        )
    order = generator(seed, purpose).permutation(len(images))
    return images.take(np.sort(order[:count]))


_NONE_LEFT = {
    "test": "the test split has no normal image; add some",
    "train": "no training image is left; hold out fewer for calibration",
}

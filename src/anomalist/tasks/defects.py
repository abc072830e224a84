"""Good images of a data set are normal; test images with real, labelled defects are anomalies.

Masks are those of the data set, if it has them. If training contains defects (``contamination``,
``labelled``), half of each type of defect, drawn by the seed, is reserved for training and never
tested. This half does not depend on the fraction, so that results for all fractions above 0 use the
same test images. If the training split contains defects itself, those are used instead.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.errors import InputError, unknown
from anomalist.core.randomness import generator
from anomalist.images import Dataset, ImageSet
from anomalist.split import Split
from anomalist.tasks._base import Task, sample_other_classes

__all__ = ["Defects", "has_defects"]

_GOOD = 0  # class index of normal images, by the contract of data sets


class Defects(Task):
    """Detect images with defects among good ones: one type of defect, several, or all."""

    test_only_fields: ClassVar[frozenset[str]] = Task.test_only_fields | {"types"}

    kind: Literal["defects"] = Field("defects", description="name of the task")
    types: tuple[str, ...] = Field((), description="types of defect to test; by default all")

    @property
    def label(self) -> str:
        """The types of defect."""
        return " ".join(self.types) or "all defects"

    def normal_classes_of(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the class of good images.

        Raises:
            InputError: the data set has no good images.
        """
        first = dataset.test.class_names[0]
        if first != "good":
            raise InputError(
                f"task.dataset: {dataset.name} has no real defects: its first class is {first!r}, "
                "not 'good'; use the task one_class for anomalous classes"
            )
        return (_GOOD,)

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the test images with a defect of the chosen types, with masks if known."""
        names = dataset.test.class_names
        absent = [name for name in self.types if name not in names[1:]]
        if absent:
            raise unknown(f"type of defect in {dataset.name}", absent[0], names[1:])
        rest = dataset.test
        if self.contamination or self.labelled:
            reserved = _reserved_of_test(dataset, seed)
            rest = rest.take(np.flatnonzero(~np.isin(rest.index, reserved.index)))
        chosen = [names.index(name) for name in self.types or names[1:]]
        rest = rest.take(np.flatnonzero(np.isin(rest.class_index, chosen)))
        if len(rest) == 0:
            raise InputError(f"task.types: {dataset.name} has no test image with such a defect")
        return Split(rest.to_float(), np.ones(len(rest), np.bool_), rest.index, rest.masks)

    def _contaminants(
        self,
        images: NDArray[np.float32],
        image_index: NDArray[np.int64],
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32]:
        trains_on = dataset.train if _has_bad(dataset.train) else _reserved_of_test(dataset, seed)
        return sample_other_classes(trains_on, (_GOOD,), len(images), seed)


def has_defects(dataset: Dataset) -> bool:
    """Return whether a data set has good images and test images with labelled defects."""
    return dataset.test.class_names[0] == "good" and _has_bad(dataset.test)


def _has_bad(images: ImageSet) -> bool:
    return bool((images.class_index != _GOOD).any())


def _reserved_of_test(dataset: Dataset, seed: int) -> ImageSet:
    """Return the test images that are reserved for training: half of each type of defect."""
    if _has_bad(dataset.train):
        return dataset.test.take(np.empty(0, np.int64))
    reserved = []
    for index in range(1, len(dataset.test.class_names)):
        rows = np.flatnonzero(dataset.test.class_index == index)
        order = generator(seed, f"defects {index}").permutation(len(rows))
        reserved.append(rows[order[: len(rows) // 2]])
    return dataset.test.take(np.sort(np.concatenate(reserved)))

"""Normal is one class of the data set, several, or all but one; an anomaly is a test image of any other."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.errors import InputError
from anomalist.images import Dataset
from anomalist.randomness import generator
from anomalist.split import Split, normal_split
from anomalist.task import TaskConfig, others

__all__ = ["OneClass"]


class OneClass(TaskConfig):
    """Tell test images of the other classes from those of the normal ones."""

    kind: Literal["one_class"] = Field("one_class", description="what an anomaly is")
    normal_classes: tuple[int, ...] = Field((0,), min_length=1, description="the normal classes")
    all_but: int | None = Field(
        None,
        ge=0,
        exclude_if=lambda label: label is None,
        description="the one class that is not normal, in place of normal_classes",
    )

    labelled_class: int | None = Field(
        None,
        ge=0,
        exclude_if=lambda label: label is None,
        description="the class of the known anomalies; by default all that are not normal, as of "
        "the unnoticed ones",
    )

    CONTAMINANT: ClassVar[frozenset[str]] = frozenset({"labelled_class"})

    @property
    def label(self) -> str:
        """The normal classes."""
        if self.all_but is not None:
            return f"all but class {self.all_but}"
        return f"class {' '.join(map(str, self.normal_classes))}"

    def classes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the labels of the normal classes.

        Raises:
            InputError: ``all_but`` is no class of the data set.
        """
        if self.all_but is None:
            return self.normal_classes
        every = range(len(dataset.train.kinds))
        if self.all_but not in every:
            raise InputError(
                f"task.all_but: {self.all_but} is no class; the data set has 0 to {len(every) - 1}"
            )
        return tuple(label for label in every if label != self.all_but)

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return all test images of the other classes."""
        rest = dataset.test.take(
            np.flatnonzero(~np.isin(dataset.test.labels, self.classes(dataset)))
        )
        if len(rest) == 0:
            raise InputError(
                "task.normal_classes: every class is normal, so nothing is an anomaly; leave some "
                "out"
            )
        return replace(normal_split(rest), labels=np.ones(len(rest), np.bool_))

    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        return others(dataset.train, self.classes(dataset), len(images), seed)

    def _told(
        self, count: int, unnoticed: int, dataset: Dataset, seed: int
    ) -> NDArray[np.float32] | None:
        if self.labelled_class is None:
            return None
        if self.labelled_class in (usual := self.classes(dataset)):
            raise InputError(
                f"task.labelled_class: {self.labelled_class} is a normal class; choose another"
            )
        rest = np.flatnonzero(~np.isin(dataset.train.labels, usual))
        left = rest[
            generator(seed, "contaminants").permutation(len(rest))[unnoticed:]
        ]  # in the order of `others`
        found = left[dataset.train.labels[left] == self.labelled_class]
        if count > len(found):
            raise InputError(
                f"task.labelled: {count:,} images of class {self.labelled_class} needed, "
                f"{len(found):,} left"
            )
        return dataset.train.take(found[:count]).to_float()

"""Some classes of the data set are normal; test images of all other classes are anomalies."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.errors import InputError
from anomalist.core.randomness import generator
from anomalist.images import Dataset
from anomalist.split import Split, normal_split
from anomalist.tasks._base import Task, sample_other_classes

__all__ = ["OneClass"]


class OneClass(Task):
    """Detect test images of the other classes among those of the normal classes."""

    contaminant_fields: ClassVar[frozenset[str]] = frozenset({"labelled_class"})

    kind: Literal["one_class"] = Field("one_class", description="name of the task")
    normal_classes: tuple[int, ...] = Field((0,), min_length=1, description="normal classes")
    all_but: int | None = Field(
        None,
        ge=0,
        exclude_if=lambda label: label is None,
        description="the only anomalous class, instead of normal_classes",
    )
    labelled_class: int | None = Field(
        None,
        ge=0,
        exclude_if=lambda label: label is None,
        description="class of the known anomalies; by default all anomalous classes, as for the "
        "unlabelled anomalies",
    )

    @property
    def label(self) -> str:
        """The normal classes."""
        if self.all_but is not None:
            return f"all but class {self.all_but}"
        return f"class {' '.join(map(str, self.normal_classes))}"

    def normal_classes_of(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the normal classes.

        Raises:
            InputError: ``all_but`` is no class of the data set.
        """
        if self.all_but is None:
            return self.normal_classes
        classes = range(len(dataset.train.class_names))
        if self.all_but not in classes:
            last = len(classes) - 1
            raise InputError(
                f"task.all_but: {self.all_but} is no class; the classes are 0 to {last}"
            )
        return tuple(index for index in classes if index != self.all_but)

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return all test images of the other classes."""
        is_normal = np.isin(dataset.test.class_index, self.normal_classes_of(dataset))
        rest = dataset.test.take(np.flatnonzero(~is_normal))
        if len(rest) == 0:
            raise InputError(
                "task.normal_classes: all classes are normal, so there are no anomalies; "
                "remove some"
            )
        return replace(normal_split(rest), is_anomaly=np.ones(len(rest), np.bool_))

    def _contaminants(
        self,
        images: NDArray[np.float32],
        image_index: NDArray[np.int64],
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32]:
        classes = self.normal_classes_of(dataset)
        return sample_other_classes(dataset.train, classes, len(images), seed)

    def _labelled_anomalies(
        self,
        count: int,
        unlabelled: int,
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32] | None:
        if self.labelled_class is None:
            return None
        classes = self.normal_classes_of(dataset)
        if self.labelled_class in classes:
            raise InputError(
                f"task.labelled_class: {self.labelled_class} is a normal class; choose another"
            )
        class_index = dataset.train.class_index
        rest = np.flatnonzero(~np.isin(class_index, classes))
        order = generator(seed, "contaminants").permutation(len(rest))  # as in sample_other_classes
        left = rest[order[unlabelled:]]
        available = left[class_index[left] == self.labelled_class]
        if count > len(available):
            raise InputError(
                f"task.labelled needs {count:,} images of class {self.labelled_class}, there are "
                f"{len(available):,}"
            )
        return dataset.train.take(available[:count]).to_float()

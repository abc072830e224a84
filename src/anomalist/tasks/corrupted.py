"""Images of a data set are normal; test images with a synthetic corruption are anomalies.

Every test image is used twice, clean and corrupted. Images that the corruption did not change are
excluded and counted.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.errors import InputError
from anomalist.core.randomness import derive
from anomalist.corruptions import Corruption, CorruptionSpec, parse
from anomalist.images import Dataset
from anomalist.split import Split
from anomalist.tasks._base import Task, sample_other_classes

__all__ = ["Corrupted"]


class Corrupted(Task):
    """Detect corrupted test images among the same images without corruption."""

    test_only_fields: ClassVar[frozenset[str]] = Task.test_only_fields | {"corruption"}
    contaminant_fields: ClassVar[frozenset[str]] = frozenset({"contaminant"})

    kind: Literal["corrupted"] = Field("corrupted", description="name of the task")
    corruption: CorruptionSpec = Field(
        parse("stripes"), description="corruption of the test images, as name:option=value"
    )
    normal_classes: tuple[int, ...] | None = Field(
        None,
        min_length=1,
        description="normal classes; by default all in the training split",
    )
    contaminant: CorruptionSpec | Literal["class"] | None = Field(
        None,
        description="anomalies in training: a corruption, or 'class' for images of the other "
        "classes",
    )

    @property
    def label(self) -> str:
        """The corruption."""
        return self.corruption.spec

    @property
    def tested_corruption(self) -> Corruption:
        """The corruption of the test images."""
        return self.corruption

    def normal_classes_of(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the normal classes."""
        if self.normal_classes is None:
            return super().normal_classes_of(dataset)
        return self.normal_classes

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the corrupted copies of ``normal`` in which at least one pixel changed."""
        result = self.corruption(normal.images, seed=seed, index=normal.image_index)
        changed = result.masks.any(axis=(1, 2))
        count = int(changed.sum())
        return Split(
            result.images[changed],
            np.ones(count, np.bool_),
            normal.image_index[changed],
            result.masks[changed],
            excluded=len(normal) - count,
        )

    def facts(self, anomalies: Split, normal: Split) -> dict[str, Any]:
        """Return the corruption without its strength, its severity, and the changed energy."""
        height, width = anomalies.images.shape[2:]
        return {
            "corruption": self.corruption.family,
            "severity": self.corruption.severity_at((height, width)),
            "changed_energy": _changed_energy(anomalies, normal),
        }

    def _contaminants(
        self,
        images: NDArray[np.float32],
        image_index: NDArray[np.int64],
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32]:
        if self.contaminant is None:
            option = "contamination" if self.contamination else "labelled"
            raise InputError(
                f"task.{option} above 0 needs task.contaminant: a corruption, or 'class'"
            )
        if self.contaminant == "class":
            classes = self.normal_classes_of(dataset)
            return sample_other_classes(dataset.train, classes, len(images), seed)
        own_seed = derive(seed, "contamination")  # other random draws than for the test images
        return self.contaminant(images, seed=own_seed, index=image_index).images


def _changed_energy(anomalies: Split, normal: Split) -> float:
    """Return the mean squared difference between corrupted images and their clean copies."""
    order = np.argsort(normal.image_index)
    place = np.searchsorted(normal.image_index, anomalies.image_index, sorter=order)
    change = anomalies.images - normal.images[order[place]]
    return float(np.mean(change**2, dtype=np.float64))

"""Normal is what a data set calls "good"; an anomaly is a test image with a real, labelled defect.

Masks are the data set's own, where it has them. Where training is to hold defects
(``contamination``, ``labelled``), half of each type, drawn by the seed, is set aside for it and
never tested, whatever the shares: so results at all shares above 0 are judged on the same images. A
training split that has defects itself gives those instead.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.errors import InputError, unknown
from anomalist.images import Dataset, ImageSet
from anomalist.randomness import generator
from anomalist.split import Split
from anomalist.task import TaskConfig, others

__all__ = ["Defects", "has_defects"]

_GOOD = (0,)  # the label of normal images, by the contract of data sets


class Defects(TaskConfig):
    """Tell images with a defect from good ones, of one type, several, or all."""

    TEST_ONLY: ClassVar[frozenset[str]] = TaskConfig.TEST_ONLY | {"types"}

    kind: Literal["defects"] = Field("defects", description="what an anomaly is")
    types: tuple[str, ...] = Field(
        (), description="the types of defect that are tested; by default all"
    )

    @property
    def label(self) -> str:
        """The types of defect."""
        return " ".join(self.types) or "all defects"

    def classes(self, dataset: Dataset) -> tuple[int, ...]:
        """Return the label of good images.

        Raises:
            InputError: the data set knows no good images.
        """
        if dataset.test.kinds[0] != "good":
            raise InputError(
                f"task.dataset: {dataset.name} has no real defects: its first kind is "
                f"{dataset.test.kinds[0]!r}, not "
                "'good'; one_class makes anomalies of classes"
            )
        return _GOOD

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return the test images with a defect of the chosen types, with their masks where they are known."""
        kinds = dataset.test.kinds[1:]
        if bad := [name for name in self.types if name not in kinds]:
            raise unknown(f"type of defect in {dataset.name}", bad[0], kinds)
        rest = dataset.test
        if self.contamination or self.labelled:
            rest = rest.take(np.flatnonzero(~np.isin(rest.index, _set_aside(dataset, seed).index)))
        chosen = [dataset.test.kinds.index(name) for name in self.types or kinds]
        rest = rest.take(np.flatnonzero(np.isin(rest.labels, chosen)))
        if len(rest) == 0:
            raise InputError(f"task.types: {dataset.name} has no test image with such a defect")
        return Split(rest.to_float(), np.ones(len(rest), np.bool_), rest.index, rest.masks)

    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        return others(_set_aside(dataset, seed, tested=False), _GOOD, len(images), seed)


def has_defects(dataset: Dataset) -> bool:
    """Return whether there are labelled defects to test on: the first kind is "good", and test images are of others."""
    return dataset.test.kinds[0] == "good" and bool((dataset.test.labels != _GOOD[0]).any())


def _set_aside(dataset: Dataset, seed: int, *, tested: bool = True) -> ImageSet:
    """Return the defects that training may take; with ``tested``, those of them that are test images."""
    if (dataset.train.labels != _GOOD[0]).any():
        return dataset.train if not tested else dataset.test.take(np.empty(0, np.int64))
    labels = dataset.test.labels
    rows = []
    for label in range(1, len(dataset.test.kinds)):
        found = np.flatnonzero(labels == label)
        rows.append(
            found[generator(seed, f"defects {label}").permutation(len(found))[: len(found) // 2]]
        )
    return dataset.test.take(np.sort(np.concatenate(rows)))

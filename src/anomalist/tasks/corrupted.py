"""Normal is the data set itself; an anomaly is a test image with a synthetic corruption.

Every test image is there twice, clean and corrupted; a corrupted one in which nothing changed is
left out and counted.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator

from anomalist.corruption import Corruption, parse
from anomalist.errors import InputError
from anomalist.images import Dataset
from anomalist.randomness import derive
from anomalist.split import Split
from anomalist.task import TaskConfig, others

__all__ = ["Corrupted", "Spec"]

Spec = Annotated[Corruption, PlainValidator(parse), PlainSerializer(str, return_type=str)]


class Corrupted(TaskConfig):
    """Tell corrupted test images from the same images, clean."""

    TEST_ONLY: ClassVar[frozenset[str]] = TaskConfig.TEST_ONLY | {"corruption"}
    CONTAMINANT: ClassVar[frozenset[str]] = frozenset({"contaminant"})

    kind: Literal["corrupted"] = Field("corrupted", description="what an anomaly is")
    corruption: Spec = Field(
        parse("stripes"), description="what is done to test images, as name:option=value"
    )
    normal_classes: tuple[int, ...] | None = Field(
        None, min_length=1, description="normal classes; by default all of the training split"
    )
    contaminant: Spec | Literal["class"] | None = Field(
        None,
        description="what anomalies in training are: a corruption, or 'class' for images of the "
        "other classes",
    )

    @property
    def label(self) -> str:
        """The corruption."""
        return str(self.corruption)

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
            named = "contamination" if self.contamination else "labelled"
            raise InputError(
                f"task.{named} above 0 needs task.contaminant: a corruption, or 'class'"
            )
        if self.contaminant == "class":
            return others(dataset.train, self.classes(dataset), len(images), seed)
        own_seed = derive(seed, "contamination")  # never the draws that the test images get
        return self.contaminant(images, seed=own_seed, index=source).images

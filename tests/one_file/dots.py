"""Squares with one bright pixel, drawn anew each time."""

from typing import ClassVar

import numpy as np

from anomalist.core.randomness import generator
from anomalist.datasets import DatasetConfig, Status
from anomalist.images import Dataset, ImageSet

__all__ = ["Dots"]


class Dots(DatasetConfig):
    """400 training and 100 test images, uint8 ``[N, 1, 12, 12]``."""

    licence: ClassVar[str] = "yours"
    size: ClassVar[str] = "500 images"
    shape: ClassVar[str] = "1 x 12 x 12"
    home: ClassVar[str] = "this file"

    def load(self) -> Dataset:
        """Return the images."""
        random = generator(0, "dots")
        images = random.integers(0, 40, (500, 1, 12, 12)).astype(np.uint8)
        images[:, 0, 5, 5] = 255
        classes = np.zeros(500, np.int64)
        train = ImageSet(images[:400], classes[:400], ("dot",))
        test = ImageSet(images[400:], classes[400:], ("dot",))
        return Dataset(self.name, train, test, "drawn")

    def status(self) -> Status:
        """Return "ready"."""
        return Status("ready", "nowhere")

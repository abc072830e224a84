"""1,797 handwritten digits, 8 x 8 grey in 17 levels, from scikit-learn: no download.

E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits, UCI machine learning repository,
1998 (doi:10.24432/C50P49). scikit-learn contains the test part, by 13 writers.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar

import numpy as np

from anomalist.datasets._base import DatasetConfig, Status
from anomalist.images import Dataset, ImageSet

__all__ = ["Digits"]

_TRAIN = 1_200  # the first images: they are sorted by writer, so few writers are in both splits


class Digits(DatasetConfig):
    """Optical digits: 1,200 training and 597 test images, uint8 ``[N, 1, 8, 8]``, 0 to 16."""

    licence: ClassVar[str] = "CC BY 4.0"
    size: ClassVar[str] = "1,797 images"
    shape: ClassVar[str] = "1 x 8 x 8"
    home: ClassVar[str] = (
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
    )

    def load(self) -> Dataset:
        """Return the digits; the classes are "0" to "9"."""
        from sklearn.datasets import load_digits  # takes a second, which `status` does not need

        digits = load_digits()
        images = digits.images.astype(np.uint8)[:, None]
        labels = digits.target.astype(np.int64)
        class_names = tuple("0123456789")
        train, test = (
            ImageSet(images[rows], labels[rows], class_names, value_range=(0, 16))
            for rows in (slice(_TRAIN), slice(_TRAIN, None))
        )
        return Dataset(self.name, train, test, "scikit-learn")

    def status(self) -> Status:
        """Return "ready", because scikit-learn is always installed."""
        spec = find_spec("sklearn")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        return Status("ready", spec.submodule_search_locations[0])

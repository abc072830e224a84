"""1,797 handwritten digits, 8 x 8 grey in 17 levels: small, inside scikit-learn, there in an instant.

E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits, UCI machine learning repository,
1998 (doi:10.24432/C50P49). scikit-learn carries the test part, by 13 writers.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar

import numpy as np

from anomalist.dataset import DatasetConfig, Status
from anomalist.images import Dataset, ImageSet

__all__ = ["Digits"]

_TRAIN = 1_200  # the first ones; the order is that of the writers, so few of them are on both sides


class Digits(DatasetConfig):
    """Optical digits: the first 1,200 to train, the other 597 to test, uint8 ``[N, 1, 8, 8]`` of values 0 to 16."""

    licence: ClassVar[str] = "CC BY 4.0"
    size: ClassVar[str] = "1,797 images"
    shape: ClassVar[str] = "1 x 8 x 8"
    home: ClassVar[str] = (
        "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
    )

    def load(self) -> Dataset:
        """Return the digits; kinds "0" to "9"."""
        from sklearn.datasets import load_digits  # a second, which a status need not wait for

        found = load_digits()
        images, labels = found.images.astype(np.uint8)[:, None], found.target.astype(np.int64)
        kinds = tuple("0123456789")
        train, test = (
            ImageSet(images[rows], labels[rows], kinds, value_range=(0, 16))
            for rows in (slice(_TRAIN), slice(_TRAIN, None))
        )
        return Dataset(self.name, train, test, "scikit-learn")

    def status(self) -> Status:
        """Return "ready": scikit-learn is always there."""
        found = find_spec("sklearn")
        assert found is not None
        assert found.submodule_search_locations is not None
        return Status("ready", found.submodule_search_locations[0])

"""Data sets of four IDX files with the names and sizes of MNIST's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anomalist.datasets._download.official import Official, ensure
from anomalist.datasets._formats import read_idx
from anomalist.images import Dataset, ImageSet

__all__ = ["load"]

_COUNTS = {"train": 60_000, "t10k": 10_000}


def load(name: str, official: Official, class_names: tuple[str, ...]) -> Dataset:
    """Return the data set: 60,000 training and 10,000 test images, uint8 ``[N, 1, 28, 28]``.

    Raises:
        InputError: the files are missing and cannot be downloaded.
    """
    folder, source = ensure(name, official)
    train, test = (
        _image_set(folder, split, count, class_names) for split, count in _COUNTS.items()
    )
    return Dataset(name, train, test, source)


def _image_set(
    folder: Path,
    split: str,
    count: int,
    class_names: tuple[str, ...],
) -> ImageSet:
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz", (count, 28, 28))
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz", (count,))
    return ImageSet(images[:, None], labels.astype(np.int64), class_names)

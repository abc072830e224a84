"""Statistics of a data set, to inspect it or to compare it with other copies."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.images import Dataset, ImageSet

__all__ = ["stats"]

_CHUNK = 4096  # images converted to float at a time
_DIGITS = 6  # of mean and std; further digits depend on the order of summation


def stats(dataset: Dataset) -> dict[str, Any]:
    """Return counts, shape, mean, standard deviation and hashes of both splits, for JSON.

    The result depends only on the data, not on their source.

    Args:
        dataset: any data set.

    Returns:
        ``{"name", "kinds", "train": {...}, "test": {...}}``; a split has ``count``, ``shape`` (one
        image, ``[C, H, W]``), ``dtype``, ``per_kind`` (images of each kind), ``mean`` and ``std``
        (population) of its pixel values in [0, 1], None where it is empty, and the ``sha256`` of
        the images' and the labels' bytes in C order, labels as uint8 (as int64 where there are more
        than 256 kinds).
    """
    return {
        "name": dataset.name,
        "kinds": list(dataset.train.class_names),
        "train": _split(dataset.train),
        "test": _split(dataset.test),
    }


def _split(images: ImageSet) -> dict[str, Any]:
    counts = np.bincount(images.class_index, minlength=len(images.class_names))
    mean, std = _moments(images)
    labels = images.class_index.astype(np.uint8 if len(images.class_names) <= 256 else "<i8")
    return {
        "count": len(images),
        "shape": list(images.images.shape[1:]),
        "dtype": str(images.images.dtype),
        "per_kind": {
            kind: int(count) for kind, count in zip(images.class_names, counts, strict=True)
        },
        "mean": mean,
        "std": std,
        "sha256": {"images": _sha256(images.images), "labels": _sha256(labels)},
    }


def _moments(images: ImageSet) -> tuple[float | None, float | None]:
    """Return mean and standard deviation in float64, by chunks to limit the memory."""
    if images.images.size == 0:
        return None, None
    sums = []
    squares = []
    for start in range(0, len(images), _CHUNK):
        values = (
            images.take(np.arange(start, min(start + _CHUNK, len(images))))
            .to_float()
            .astype(np.float64)
        )
        sums.append(float(values.sum()))
        squares.append(float(np.square(values).sum()))
    mean = math.fsum(sums) / images.images.size
    variance = max(0.0, math.fsum(squares) / images.images.size - mean**2)
    return round(mean, _DIGITS), round(math.sqrt(variance), _DIGITS)


def _sha256(array: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(array), _CHUNK):
        digest.update(np.ascontiguousarray(array[start : start + _CHUNK]).data)
    return digest.hexdigest()

"""Check and convert the values of a user's arrays: labels, masks and ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.core.npy import check_bytes

__all__ = ["check_labels", "check_masks", "class_index", "class_names", "is_finite", "unit_range"]

_CHUNK = 1 << 24  # values processed at once


def unit_range(
    images: NDArray[Any],
    low: float,
    high: float,
) -> NDArray[np.float32]:
    """Return images of any type as float32, scaled so that ``low`` is 0 and ``high`` is 1."""
    scaled = np.empty(images.shape, np.float32)
    rows = max(1, _CHUNK // max(1, images[0].size))
    # float64 would round whole numbers beyond 2^53.
    exact = images.dtype.kind in "iu" and images.dtype.itemsize == 8
    wide = np.dtype(np.longdouble if exact else np.float64)
    for start in range(0, len(images), rows):
        offset = images[start : start + rows].astype(wide) - low
        # The caller rejects values that are not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            scaled[start : start + rows] = (offset / (high - low)).astype(np.float32)
    return scaled


def check_labels(path: Path, labels: NDArray[Any] | None, count: int) -> NDArray[Any] | None:
    """Return checked labels ``[count]``, or None."""
    if labels is None:
        return None
    fits = labels.shape in ((count,), (count, 1))
    if not fits or labels.dtype.kind not in "iubUS":
        got = f"{labels.dtype} {list(labels.shape)}"
        raise InputError(
            f"{path}: labels must be integers, booleans or text [{count}], one per image, got {got}"
        )
    check_bytes(labels.nbytes, f"{path}: labels")
    return labels.reshape(-1)


def check_masks(
    path: Path, masks: NDArray[Any] | None, shape: tuple[int, ...]
) -> NDArray[Any] | None:
    """Return checked masks of ``shape``, or None."""
    if masks is None:
        return None
    fits = masks.shape in (shape, (*shape, 1))
    if not fits or masks.dtype.kind not in "iubf":
        got = f"{masks.dtype} {list(masks.shape)}"
        raise InputError(f"{path}: masks must be {list(shape)}, like the images, got {got}")
    return masks.reshape(shape)


def class_names(
    labels: list[NDArray[Any] | None], masks: list[NDArray[Any] | None]
) -> tuple[str, ...]:
    """Return the class names of both splits together: "good" first, then by value."""
    given = [part for part in labels if part is not None]
    if not given:
        return ("good",) if all(part is None for part in masks) else ("good", "anomaly")
    if len(given) < len(labels) or len({part.dtype.kind.replace("u", "i") for part in given}) > 1:
        raise InputError("arrays.labels: both splits need labels of the same type")
    if given[0].dtype.kind == "b":
        return ("good", "anomaly")
    values = np.unique(np.concatenate([np.unique(part) for part in given]))
    texts = _texts(values)
    return tuple(sorted(texts, key=lambda text: text != "good"))  # the others keep their order


def class_index(labels: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the class index of each label, ``[N]``."""
    if labels.dtype.kind == "b":
        return labels.astype(np.int64)
    values, places = np.unique(labels, return_inverse=True)
    numbers = np.array([names.index(text) for text in _texts(values)], np.int64)
    return np.take(numbers, places)


def _texts(values: NDArray[Any]) -> list[str]:
    texts = []
    for value in values.tolist():
        is_bytes = isinstance(value, bytes)
        texts.append(value.decode("utf-8", "replace") if is_bytes else str(value))
    return texts


def is_finite(images: NDArray[Any]) -> bool:
    """Return whether all values are finite, checking batches of images."""
    rows = max(1, _CHUNK // max(1, images[0].size))
    return all(
        bool(np.isfinite(images[start : start + rows]).all())
        for start in range(0, len(images), rows)
    )

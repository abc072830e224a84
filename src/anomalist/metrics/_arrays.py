"""Checks of the arguments of metrics, with one-line errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]
_EXACT = 1 << 53  # integers up to this are exact as float64


def floats(array: ArrayLike, name: str) -> Float:
    """Return ``array`` as float32 or wider, if possible uncopied; NaN and infinity are errors.

    float16 and small integers become float32, wider integers become float64. Integers beyond 2^53,
    which float64 cannot distinguish, are errors.
    """
    given = np.asarray(array)
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name}: contains {given.dtype}, not numbers; give an array of floats")
    if given.dtype.kind in "iu" and given.itemsize == 8 and given.size:
        largest = max(abs(int(given.min())), abs(int(given.max())))
        if largest > _EXACT:
            raise InputError(
                f"{name}: integers beyond 2^53, such as {largest}, are not exact as floats; give "
                "ranks"
            )
    values = given.astype(np.result_type(given.dtype, np.float32), copy=False)
    # min and max propagate NaN and, unlike isfinite, need no temporary array.
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise InputError(
            f"{name}: contains NaN or infinity; find its cause, or remove these values"
        )
    return values


def bools(array: ArrayLike, name: str) -> Bool:
    """Return ``array`` as booleans, without a copy if possible; only 0 and 1 are valid."""
    given = np.asarray(array)
    if given.dtype == np.bool_:
        return given
    if given.dtype.kind not in "fiu" or not ((given == 0) | (given == 1)).all():
        raise InputError(
            f"{name}: contains values other than 0 and 1; give booleans, true = anomalous"
        )
    return given.astype(np.bool_)


def same_shape(
    first: NDArray[Any],
    second: NDArray[Any],
    names: tuple[str, str],
    ndim: int,
) -> None:
    """Check that two arrays have the same shape, ``ndim`` axes and at least one element."""
    axes = "[N]" if ndim == 1 else "[N, H, W]"
    if first.shape != second.shape or first.ndim != ndim or not first.size:
        raise InputError(
            f"{names[0]} {list(first.shape)} and {names[1]} {list(second.shape)}: "
            f"give both as {axes}, of the same shape and not empty"
        )


def both_classes(positives: int, total: int, name: str) -> None:
    """Check that labels or masks contain both classes, which ranking metrics need."""
    if positives in (0, total):
        missing = "anomalous" if positives == 0 else "normal"
        raise InputError(
            f"{name}: there is no {missing} example; the metric needs anomalous and normal ones"
        )


def scored(scores: ArrayLike, labels: ArrayLike) -> tuple[Float, Bool]:
    """Return checked image scores [N] and labels [N] with both classes."""
    values = floats(scores, "scores")
    truth = bools(labels, "labels")
    same_shape(values, truth, ("scores", "labels"), 1)
    both_classes(int(np.count_nonzero(truth)), truth.size, "labels")
    return values, truth


def mapped(maps: ArrayLike, masks: ArrayLike) -> tuple[Float, Bool]:
    """Return checked score maps [N, H, W] and masks [N, H, W] with both classes of pixels."""
    values = floats(maps, "maps")
    truth = bools(masks, "masks")
    same_shape(values, truth, ("maps", "masks"), 3)
    both_classes(int(np.count_nonzero(truth)), truth.size, "masks")
    return values, truth


def fraction(value: float, name: str) -> float:
    """Return ``value`` after checking that it is in (0, 1]."""
    if not 0 < value <= 1:
        raise InputError(f"{name}: {value} is outside (0, 1]")
    return float(value)


def grouped(clusters: ArrayLike | None, n: int) -> tuple[Int, int]:
    """Return the cluster of each image, 0 ... G - 1, and G; by default each image is a cluster."""
    if clusters is None:
        return np.arange(n), n
    given = np.asarray(clusters)
    if given.shape != (n,):
        raise InputError(
            f"clusters {list(given.shape)}: give one source image for each of the {n} images"
        )
    names, index = np.unique(given, return_inverse=True)
    return index.astype(np.int64, copy=False), len(names)

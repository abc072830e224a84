"""Checks of the arrays that metrics take, with one-line errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]
_EXACT = 1 << 53  # float64 holds every whole number up to it


def floats(array: ArrayLike, name: str) -> Float:
    """Return ``array`` as float32 or wider, uncopied where it already is; refuse NaN and infinity.

    float16 and small integers become float32, and wider integers float64. Whole numbers beyond
    2^53, which float64 cannot distinguish, are refused.
    """
    given = np.asarray(array)
    if given.dtype.kind not in "fiub":
        raise InputError(f"{name}: holds {given.dtype}, not numbers; give an array of floats")
    if given.dtype.kind in "iu" and given.itemsize == 8 and given.size:
        largest = max(abs(int(given.min())), abs(int(given.max())))
        if largest > _EXACT:
            raise InputError(
                f"{name}: whole numbers beyond 2^53, as {largest}, become equal as floats; give "
                "ranks"
            )
    values = given.astype(np.result_type(given.dtype, np.float32), copy=False)
    # NaN travels through min and max, which need no temporary array as isfinite would.
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise InputError(
            f"{name}: holds NaN or infinity; look for what produced it, or leave it out"
        )
    return values


def bools(array: ArrayLike, name: str) -> Bool:
    """Return ``array`` as booleans, uncopied where it already is; refuse anything but 0 and 1."""
    given = np.asarray(array)
    if given.dtype == np.bool_:
        return given
    if given.dtype.kind not in "fiu" or not ((given == 0) | (given == 1)).all():
        raise InputError(
            f"{name}: holds values other than 0 and 1; give booleans, true = anomalous"
        )
    return given.astype(np.bool_)


def same_shape(
    first: NDArray[Any],
    second: NDArray[Any],
    names: tuple[str, str],
    ndim: int,
) -> None:
    """Refuse two arrays that are not of one shape with ``ndim`` axes and at least one element."""
    axes = "[N]" if ndim == 1 else "[N, H, W]"
    if first.shape != second.shape or first.ndim != ndim or not first.size:
        raise InputError(
            f"{names[0]} {list(first.shape)} and {names[1]} {list(second.shape)}: "
            f"give both as {axes}, of one shape and not empty"
        )


def both_classes(positives: int, total: int, name: str) -> None:
    """Refuse labels or masks of a single class: a ranking metric needs both."""
    if positives in (0, total):
        missing = "anomalous" if positives == 0 else "normal"
        raise InputError(
            f"{name}: nothing is {missing}; the metric needs anomalous and normal examples"
        )


def scored(scores: ArrayLike, labels: ArrayLike) -> tuple[Float, Bool]:
    """Return checked image scores [N] and labels [N] that hold both classes."""
    values = floats(scores, "scores")
    truth = bools(labels, "labels")
    same_shape(values, truth, ("scores", "labels"), 1)
    both_classes(int(np.count_nonzero(truth)), truth.size, "labels")
    return values, truth


def mapped(maps: ArrayLike, masks: ArrayLike) -> tuple[Float, Bool]:
    """Return checked score maps [N, H, W] and masks [N, H, W] that hold both classes of pixel."""
    values = floats(maps, "maps")
    truth = bools(masks, "masks")
    same_shape(values, truth, ("maps", "masks"), 3)
    both_classes(int(np.count_nonzero(truth)), truth.size, "masks")
    return values, truth


def fraction(value: float, name: str) -> float:
    """Return ``value`` if it lies in (0, 1]."""
    if not 0 < value <= 1:
        raise InputError(f"{name}: {value} is outside (0, 1]")
    return float(value)


def grouped(clusters: ArrayLike | None, n: int) -> tuple[Int, int]:
    """Return each image's cluster as 0 ... G - 1, and G; without clusters, each image is one."""
    if clusters is None:
        return np.arange(n), n
    given = np.asarray(clusters)
    if given.shape != (n,):
        raise InputError(
            f"clusters {list(given.shape)}: give one source image for each of the {n} images"
        )
    names, index = np.unique(given, return_inverse=True)
    return index.astype(np.int64, copy=False), len(names)

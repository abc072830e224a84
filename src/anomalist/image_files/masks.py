"""The pixels that a mask marks: all that are not background, of any colour."""

from __future__ import annotations

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = ["marked"]

_HALF = 127.5  # of 255
_NOISE = 64  # in a JPEG, lower values are assumed to be compression artefacts
# Size in pixels and value of a region: smaller and darker ones beside bright regions are noise.
_SPECK = 4
_FAINT = 8
_CLASSES = 64  # masks with more colours than this contain shades, not classes of defects
_WAY_OUT = "save it as PNG with 0 for background and 255 for marked pixels"


def marked(values: NDArray[np.float32], *, exact: bool) -> NDArray[np.bool_]:
    """Return the pixels that a mask marks.

    Black is background. If every region that is not black reaches half of the value range, its
    edges are assumed to be anti-aliased, and pixels of at least half of the range are marked. If a
    region is darker throughout, the values are classes of defects (1, 2, 3, ...; colours), and all
    pixels that are not black are marked.

    Args:
        values: float32 ``[h, w]`` or ``[h, w, 3]``, 0 to 255.
        exact: whether the file format is lossless, unlike JPEG.

    Returns:
        bool ``[h, w]``.

    Raises:
        InputError: no pixel is marked, or dark regions contain shades and are ambiguous.
    """
    brightest = values if values.ndim == 2 else values.max(axis=2)
    bright = brightest >= _HALF
    coloured = brightest > (0 if exact else _NOISE)
    if not coloured.any():
        raise InputError(
            "the mask marks no pixel: mark the defect, or move the image to the good ones if it "
            "has none"
        )
    regions, count = scipy.ndimage.label(coloured, np.ones((3, 3)))
    each = np.arange(1, count + 1)
    tops = np.asarray(scipy.ndimage.maximum(brightest, regions, each))
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    specks = (sizes <= _SPECK) & (tops <= _FAINT)  # artefacts of resizing beside marked regions
    if (
        bright.any()
        and (tops[~specks] >= _HALF).all()
        and not (exact and _flat_and_dark(brightest))
    ):
        return np.asarray(bright)
    flat = values.reshape(-1, 1 if values.ndim == 2 else values.shape[2])
    if not exact or len(np.unique(flat, axis=0)) > _CLASSES:
        raise InputError(
            f"the mask has dark regions of many shades, which are ambiguous: {_WAY_OUT}"
        )
    return np.asarray(coloured)


def _flat_and_dark(brightest: NDArray[np.float32]) -> bool:
    """Return whether a dark pixel has eight neighbours of its value, as in a mask of classes."""
    lowest, highest = (
        of(brightest, size=3) for of in (scipy.ndimage.minimum_filter, scipy.ndimage.maximum_filter)
    )
    return bool(((lowest == highest) & (brightest > 0) & (brightest < _HALF)).any())

"""Which pixels a mask marks: all that are not background, whatever their colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anomalist.core.errors import InputError

__all__ = ["marked"]

_HALF = 127.5  # of 255
_NOISE = 64  # in a JPEG, what lies below is taken for the ringing of its compression
# Pixels of a region, and of 255: what is smaller and darker, beside bright regions, is noise.
_SPECK = 4
_FAINT = 8
_CLASSES = 64  # more colours than this are no classes of defects, but shades
_WAY_OUT = "save it as PNG with 0 for background and 255 for what is marked"


def marked(values: NDArray[np.float32], *, exact: bool) -> NDArray[np.bool_]:
    """Return which pixels a mask marks.

    Black is background. Where every region that is not black reaches half of the range somewhere,
    its edges are anti-aliased, and a pixel is marked from half of the range on. Where a region
    stays darker throughout, the values are classes of defects (1, 2, 3, ...; colours), and all that
    is not black is marked.

    Args:
        values: float32 ``[h, w]`` or ``[h, w, 3]``, 0 to 255.
        exact: whether the file keeps values as they were written, which a JPEG does not.

    Returns:
        bool ``[h, w]``.

    Raises:
        InputError: nothing is marked, or dark regions of a mask are shades and so neither marked
            nor not.
    """
    brightest = values if values.ndim == 2 else values.max(axis=2)
    bright = brightest >= _HALF
    coloured = brightest > (0 if exact else _NOISE)
    if not coloured.any():
        raise InputError(
            "the mask marks no pixel, all are black: mark the defect, or move the image to the "
            "good ones if it has none"
        )
    regions, count = ndimage.label(coloured, np.ones((3, 3)))
    each = np.arange(1, count + 1)
    tops = np.asarray(ndimage.maximum(brightest, regions, each))
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    specks = (sizes <= _SPECK) & (tops <= _FAINT)  # what resizing leaves beside a mark
    if (
        bright.any()
        and (tops[~specks] >= _HALF).all()
        and not (exact and _flat_and_dark(brightest))
    ):
        return np.asarray(bright)
    flat = values.reshape(-1, 1 if values.ndim == 2 else values.shape[2])
    if not exact or len(np.unique(flat, axis=0)) > _CLASSES:
        raise InputError(
            "the mask has dark regions of many shades, which are neither marked nor not: "
            f"{_WAY_OUT}"
        )
    return np.asarray(coloured)


def _flat_and_dark(brightest: NDArray[np.float32]) -> bool:
    """Return whether a dark pixel has eight neighbours of its value: then it is a class."""
    lowest, highest = (
        of(brightest, size=3) for of in (ndimage.minimum_filter, ndimage.maximum_filter)
    )
    return bool(((lowest == highest) & (brightest > 0) & (brightest < _HALF)).any())

"""The largest anomalous region of an image, in pixels of its file."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray

from anomalist.image_files.frame import Frame

__all__ = ["Region", "in_file", "largest_region", "mask_in_file"]

_TINY = 1e-6  # of a pixel: rounding errors of the scale do not enlarge a box
_NEIGHBOURS = np.ones((3, 3), np.bool_)  # pixels that touch at a corner belong together


class Region(NamedTuple):
    """A connected region: its bounding box and its area, in pixels."""

    left: int
    top: int
    width: int
    height: int
    area: int


def largest_region(mask: NDArray[np.bool_], place: Frame | None = None) -> Region | None:
    """Return the connected region of a mask with the most pixels, or None.

    Args:
        mask: bool ``[H, W]``.
        place: the frame of the image; its padding is not searched. None: there is none.
    """
    if place is not None:
        inside = np.zeros_like(mask)
        rows = slice(place.top, place.top + place.size[1])
        columns = slice(place.left, place.left + place.size[0])
        inside[rows, columns] = mask[rows, columns]
        mask = inside
    if not mask.any():
        return None
    labels, count = scipy.ndimage.label(mask, _NEIGHBOURS)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    largest = int(areas.argmax())
    rows, columns = scipy.ndimage.find_objects(labels, largest)[largest - 1]
    return Region(
        left=columns.start,
        top=rows.start,
        width=columns.stop - columns.start,
        height=rows.stop - rows.start,
        area=int(areas[largest]),
    )


def in_file(region: Region, place: Frame, size: tuple[int, int]) -> Region:
    """Return a region in whole pixels of the file: the smallest box that contains it.

    Args:
        region: in pixels of the model's image.
        place: the frame of the image.
        size: width and height of the file's image.
    """
    left, top, right, bottom = place.box
    across = (right - left) / place.size[0]
    down = (bottom - top) / place.size[1]
    first_x = left + (region.left - place.left) * across
    first_y = top + (region.top - place.top) * down
    x, width = _whole(first_x, region.width * across, size[0])
    y, height = _whole(first_y, region.height * down, size[1])
    area = round(region.area * across * down)
    return Region(left=x, top=y, width=width, height=height, area=min(max(1, area), width * height))


def _whole(start: float, length: float, most: int) -> tuple[int, int]:
    """Return the first pixel and the number of pixels, at least one, within ``0..most``."""
    first = min(max(0, math.floor(start + _TINY)), most - 1)
    last = min(max(first + 1, math.ceil(start + length - _TINY)), most)
    return first, last - first


def mask_in_file(
    mask: NDArray[np.bool_],
    place: Frame,
    size: tuple[int, int],
) -> NDArray[np.bool_]:
    """Return a mask at the size of the file; parts that the model did not see are unmarked.

    Args:
        mask: bool ``[H, W]``, of the model's image.
        place: the frame of the image.
        size: width and height of the file's image.

    Returns:
        bool ``[height, width]``.
    """
    left, top, right, bottom = place.box
    x = (np.arange(size[0]) + 0.5 - left) * place.size[0] / (right - left)
    y = (np.arange(size[1]) + 0.5 - top) * place.size[1] / (bottom - top)
    columns = np.floor(x).astype(np.int64)
    rows = np.floor(y).astype(np.int64)
    seen_x = (columns >= 0) & (columns < place.size[0])
    seen_y = (rows >= 0) & (rows < place.size[1])
    columns = columns.clip(0, place.size[0] - 1) + place.left
    rows = rows.clip(0, place.size[1] - 1) + place.top
    full: NDArray[np.bool_] = mask[rows[:, None], columns] & seen_y[:, None] & seen_x
    return full

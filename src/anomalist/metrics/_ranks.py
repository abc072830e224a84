"""Exact counts of the normal pixels above each anomalous pixel, from one sort of the normal pixels.

Every pixel metric needs, for each anomalous pixel, the number of normal pixels with a higher score
and with an equal or higher score. Sorting floats with NumPy is faster than most other passes over
them. The normal scores are therefore sorted once, in place, and the anomalous scores are looked up
in blocks that fit the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anomalist.metrics._arrays import Bool, Float, Int

BLOCK = 1 << 17  # pixels processed at once: temporary arrays fit the processor's cache
STRETCH = 1 << 13  # points looked up at once

Rates = NDArray[np.float64]


def blocks(n: int, pixels: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield slices of about ``size`` pixels over ``n`` images of ``pixels`` each."""
    step = max(1, size // pixels)
    return (slice(start, start + step) for start in range(0, n, step))


def sorted_normals(maps: Float, masks: Bool) -> Float:
    """Return the scores of the normal pixels, ascending, without a second copy.

    Args:
        maps: scores [N, H, W].
        masks: [N, H, W], true = anomalous.
    """
    count = masks.size - np.count_nonzero(masks)
    normals = np.empty(count, dtype=maps.dtype)
    end = 0
    for part in blocks(len(maps), maps[0].size):
        values = maps[part][~masks[part]]
        normals[end : end + len(values)] = values
        end += len(values)
    normals.sort()
    return normals


def normals_above(points: Float, normals: Float) -> Iterator[tuple[slice, Int, Int]]:
    """Count the normal scores above, and at or above, each point, in blocks.

    Args:
        points: [P], ascending.
        normals: [Q], ascending.

    Yields:
        a slice of ``points``, and for each point the numbers of normal scores > and >= it.
    """
    low = 0
    for start in range(0, len(points), STRETCH):
        part = slice(start, start + STRETCH)
        stretch = points[part]
        high = _place(normals, stretch[-1], "right")
        near = normals[low:high]
        reach = len(normals) - low - np.searchsorted(near, stretch)
        over = reach.copy()
        # Ties are rare among floats, so only they need the second search.
        tied = np.flatnonzero(reach > len(normals) - high)
        tied = tied[normals[len(normals) - reach[tied]] == stretch[tied]]
        above = np.searchsorted(near, stretch[tied], side="right")
        over[tied] = len(normals) - low - above
        yield part, over, reach
        low = _place(normals, stretch[-1], "left")


def _place(normals: Float, point: Any, side: Literal["left", "right"]) -> int:
    return int(np.searchsorted(normals, point, side))


def area_left_of(limit: float, start: Rates, end: Rates) -> Rates:
    """Return the area up to ``limit`` under curves that rise from 0 at ``start`` to 1 at ``end``.

    The rise is linear. Start and end differ if an anomalous score is tied with normal ones. If both
    are left of the limit, the area is limit - (start + end) / 2. If the limit cuts the ramp, the
    area is a triangle.
    """
    inside = np.maximum(limit - start, 0)
    triangle = inside**2 / np.maximum(2 * (end - start), np.finfo(np.float64).tiny)
    area: Rates = np.where(end <= limit, limit - (start + end) / 2, triangle)
    return area

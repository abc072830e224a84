"""Exact counts of the normal pixels around each anomalous one, without sorting all normal pixels.

Each pixel metric needs, for every anomalous pixel, how many normal pixels score above it and how
many at least as high. Defect pixels are few and normal pixels many, so the score axis is cut into
buckets much finer than the gaps between anomalous scores. Rounding never swaps two scores, so a
normal pixel in a bucket without an anomalous score needs no comparison, only counting; the few
others are sorted. Where anomalous pixels are many the buckets cannot help, and all is sorted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anomalist.metrics._arrays import Bool, Float, Int

BLOCK = 1 << 17  # pixels handled at a time: their temporaries stay in the processor's cache
BUCKETS = 1 << 21  # at most; more would no longer fit the cache
PER_POINT = 8  # buckets for each anomalous score: at most about 1 in 8 normal pixels is sorted

_STRETCH = 4096  # points searched at a time

Rates = NDArray[np.float64]
Bucket = Callable[[Float], NDArray[np.int32]]


def blocks(n: int, pixels: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield slices over ``n`` images of ``pixels`` each that hold about ``size`` pixels."""
    step = max(1, size // pixels)
    return (slice(start, start + step) for start in range(0, n, step))


def normal_pixels(
    maps: Float,
    masks: Bool,
    floor: float = -np.inf,
) -> Iterator[Float]:
    """Yield the scores [*] of the normal pixels that are at least ``floor``, block by block."""
    for part in blocks(len(maps), maps[0].size):
        values = maps[part]
        keep = ~masks[part]
        if floor > -np.inf:
            keep &= values >= floor
        yield values[keep]


def normals_above(
    points: Float,
    maps: Float,
    masks: Bool,
    floor: float = -np.inf,
) -> tuple[Int, Int]:
    """Count the normal pixels above, and at or above, each of ``points``.

    Args:
        points: scores [P], rising, all at least ``floor``.
        maps: scores [N, H, W].
        masks: [N, H, W], true = anomalous.
        floor: normal pixels below it are passed over.

    Returns:
        Two arrays [P]: normal pixels with score > point, and with score >= point.
    """
    bucketing = _bucketing(points)
    parts = normal_pixels(maps, masks, floor)
    if bucketing is None:
        clear = np.zeros(len(points), dtype=np.int64)
        most = int(maps.size - np.count_nonzero(masks))
        rest = _gathered(parts, most, maps.dtype)
    else:
        bucket, count = bucketing
        clear, rest = _counted(points, bucket, count, parts)
    rest.sort()
    first = _search(rest, points, "left")
    equal = np.zeros(len(points), dtype=np.int64)
    if len(rest):
        # Ties are rare among floats: the second search is for them only.
        nearest = rest[np.minimum(first, len(rest) - 1)]
        tied = np.flatnonzero(nearest == points)
        equal[tied] = _search(rest, points[tied], "right") - first[tied]
    reach = clear + (len(rest) - first)
    return reach - equal, reach


def _gathered(parts: Iterator[Float], most: int, dtype: Any) -> Float:
    """Return the parts, ``most`` numbers at the most, joined without holding them twice."""
    joined = np.empty(most, dtype=dtype)
    end = 0
    for values in parts:
        joined[end : end + len(values)] = values
        end += len(values)
    return joined[:end]


def _counted(
    points: Float,
    bucket: Bucket,
    count: int,
    parts: Iterator[Float],
) -> tuple[Int, Float]:
    """Return how many normal pixels are above each point by their bucket, and those to sort."""
    table = _table(bucket(points), count)
    gaps = np.zeros(len(points) + 1, dtype=np.int64)
    unclear = []
    for values in parts:
        below = table[bucket(values)]
        shared = below < 0
        unclear.append(values[shared])
        gaps += np.bincount(below[~shared], minlength=len(gaps))
    # gaps[r] normal pixels have exactly r points below them: they are above point i if r > i.
    return gaps[1:][::-1].cumsum()[::-1], np.concatenate(unclear)


def _search(rest: Float, points: Float, side: Literal["left", "right"]) -> Int:
    """Return ``np.searchsorted`` of rising ``points``, by stretches that fit the cache."""
    edges = np.append(np.searchsorted(rest, points[::_STRETCH], side), len(rest))
    places = np.empty(len(points), dtype=np.int64)
    start = 0
    for low, high in itertools.pairwise(edges):
        part = slice(start, start + _STRETCH)
        places[part] = low + np.searchsorted(rest[low:high], points[part], side)
        start += _STRETCH
    return places


def _bucketing(points: Float) -> tuple[Bucket, int] | None:
    """Return a monotone map from scores to 0 ... count - 1, and count; None if it would not help.

    Bucket 0 is below all points, where most normal pixels of a good detector are. The top bucket
    is beyond the 99th percentile, so that one far score does not stretch the others.
    """
    low = points[0]
    high = points[int(0.99 * (len(points) - 1))]
    wanted = PER_POINT * len(points)
    count = min(1 << wanted.bit_length(), BUCKETS)
    with np.errstate(over="ignore", divide="ignore"):
        scale = points.dtype.type(count) / (high - low)
    if wanted > 2 * BUCKETS or not 0 < scale < np.inf:
        return None

    def bucket(values: Float) -> NDArray[np.int32]:
        with np.errstate(over="ignore"):  # infinity ends in the top bucket
            places: Float = np.subtract(values, low)
            places *= scale
        places += places.dtype.type(1)
        np.clip(places, 0, count + 1, out=places)
        return places.astype(np.int32)

    return bucket, count + 2


def _table(places: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return the number of points below each bucket; -1 for a bucket that contains a point."""
    held = np.bincount(places, minlength=count)
    table = np.cumsum(held, dtype=np.int32)
    table[held > 0] = -1
    return table


def area_left_of(limit: float, start: Rates, end: Rates) -> Rates:
    """Return the area up to ``limit`` under curves that rise from 0 at ``start`` to 1 at ``end``.

    The rise is linear. Start and end differ where an anomalous score is tied with normal ones.
    Where both are left of the limit, the area is limit - (start + end) / 2; a ramp that the limit
    cuts leaves a triangle.
    """
    inside = np.maximum(limit - start, 0)
    triangle = inside**2 / np.maximum(2 * (end - start), np.finfo(np.float64).tiny)
    area: Rates = np.where(end <= limit, limit - (start + end) / 2, triangle)
    return area

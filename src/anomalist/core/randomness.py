"""Randomness as a value: a draw is a function of (seed, purpose, index), not of earlier draws.

Each index has a SplitMix64 stream (Steele, Lea & Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014) that starts at a hash of seed, purpose and index. The draws of image *i*
therefore do not depend on the batch, the order or the number of processes, and a few array
operations draw a whole batch.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["derive", "generator", "normal", "resampling", "uniform"]

_STEP = np.uint64(0x9E3779B97F4A7C15)  # the increment and the two multipliers of SplitMix64
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_BLOCK = 1 << 15  # numbers drawn at once: temporary arrays fit the processor's cache


def derive(seed: int, purpose: str) -> int:
    """Return a 63-bit number from ``seed`` and ``purpose``, to seed another library."""
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a NumPy generator for a single choice, such as a split or a shuffle."""
    return np.random.Generator(np.random.Philox(derive(seed, purpose)))


def resampling(seed: int) -> np.random.Generator:
    """Return a NumPy generator for a bootstrap, seeded only by the number.

    It has no purpose string, because the intervals of stored results depend on these draws.
    """
    return np.random.default_rng(seed)


def uniform(
    seed: int,
    purpose: str,
    index: NDArray[np.int64],
    count: int,
) -> NDArray[np.float32]:
    """Draw ``count`` numbers in [0, 1) for each index.

    Args:
        seed: any integer.
        purpose: name of the use; different purposes have independent draws.
        index: int ``[N]``, the number of each image in its data set.
        count: numbers per image.

    Returns:
        float32 ``[N, count]``, multiples of 2^-24. A smaller ``count`` gives the first of these
        numbers.
    """
    start = _mix(
        np.uint64(derive(seed, purpose)) ^ _mix(np.asarray(index).astype(np.uint64) * _STEP)
    )
    words = (count + 1) // 2
    steps = np.arange(1, words + 1, dtype=np.uint64) * _STEP
    out = np.empty((len(start), count), np.float32)
    rows = max(1, _BLOCK // max(words, 1))
    for first in range(0, len(start), rows):
        block = _mix(start[first : first + rows, None] + steps)
        halves = block.view(np.uint32)[:, :count]
        halves >>= np.uint32(8)  # 24 bits fill a float32's mantissa exactly
        np.multiply(halves, np.float32(2**-24), out=out[first : first + rows], casting="unsafe")
    return out


def normal(
    seed: int,
    purpose: str,
    index: NDArray[np.int64],
    count: int,
) -> NDArray[np.float32]:
    """Draw ``count`` standard normal numbers per index (Box & Muller, 1958), at most +-5.8.

    Arguments and shape are those of :func:`uniform`, but another ``count`` gives other numbers,
    because they are computed in pairs.
    """
    pairs = (count + 1) // 2
    draws = uniform(seed, purpose, index, 2 * pairs)
    radius = np.sqrt(np.float32(-2) * np.log(np.float32(1) - draws[:, :pairs]))
    angle = np.float32(2 * np.pi) * draws[:, pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :count]


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function, in place on a fresh array."""
    z = z ^ (z >> np.uint64(30))
    z *= _MIX_1
    z ^= z >> np.uint64(27)
    z *= _MIX_2
    z ^= z >> np.uint64(31)
    return z

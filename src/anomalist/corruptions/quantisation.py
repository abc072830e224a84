"""Quantises square blocks, so that detail is lost and block borders show: JPEG artefacts.

The image is divided into 8 x 8 blocks. The position of the grid is drawn for each image, and blocks
at the border may be smaller. In a quantised block, each coefficient of the discrete cosine
transform at frequencies i, j is rounded to a multiple of ``step`` (1 + i + j); the quantisation
tables of JPEG also increase with frequency. Channels are processed separately.

Strength: ``share`` = severity, the fraction of the blocks that are quantised, rounded up. Each
image has one random order of its blocks; a higher share quantises the same blocks and more.

Source: JPEG, Wallace, Communications of the ACM 1991; JPEG compression of ImageNet-C, Hendrycks &
Dietterich, ICLR 2019.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import pick

__all__ = ["Quantisation"]

_SIDE = 8


class Quantisation(Corruption):
    """Quantise a fraction of the image's blocks."""

    physical: ClassVar[str] = "share"

    share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of the blocks that are quantised",
    )
    step: float = Field(
        0.2,
        gt=0,
        description="quantisation step of the lowest coefficient, which is 8 in a white block",
    )

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Quantise the first blocks of each image's random order."""
        h, w = images.shape[2:]
        grid = pick(uniform(seed, "quantisation/grid", index, 2), _SIDE)
        rows = _transforms(h)
        columns = _transforms(w)
        down = rows.matrix[grid[:, 0], None]
        across = columns.matrix[grid[:, 1], None]
        coefficients = down @ images @ across.transpose(0, 1, 3, 2)
        size = 1 + rows.frequency[grid[:, 0], :, None] + columns.frequency[grid[:, 1], None, :]
        size = (np.float32(self.step) * size)[:, None]
        coefficients /= size
        np.rint(coefficients, out=coefficients)
        coefficients *= size
        changed = down.transpose(0, 1, 3, 2) @ coefficients @ across
        hit = _hit(rows.block[grid[:, 0]], columns.block[grid[:, 1]], strength, seed, index)
        return np.where(hit[:, None], np.clip(changed, 0, 1, out=changed), images)


class _Transforms(NamedTuple):
    """The division of an axis into blocks, for each of the eight grid positions."""

    # [8, length, length], the orthonormal cosine transform of each block.
    matrix: NDArray[np.float32]
    frequency: NDArray[np.float32]  # [8, length], 0 up to 8, of each coefficient
    block: NDArray[np.int64]  # [8, length], the number of each position's block


@lru_cache(maxsize=32)
def _transforms(length: int) -> _Transforms:
    matrix = np.zeros((_SIDE, length, length), np.float32)
    frequency = np.zeros((_SIDE, length), np.float32)
    block = (np.arange(length) + np.arange(_SIDE)[:, None]) // _SIDE
    for grid in range(_SIDE):
        for number in range(block[grid, -1] + 1):
            inside = np.flatnonzero(block[grid] == number)
            part = slice(inside[0], inside[-1] + 1)
            matrix[grid, part, part] = scipy.fft.dct(np.eye(len(inside)), axis=0, norm="ortho")
            frequency[grid, part] = np.arange(len(inside)) * (_SIDE / len(inside))
    return _Transforms(matrix, frequency, block)


def _hit(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    share: float,
    seed: int,
    index: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Mark the pixels of the quantised blocks: bool ``[n, H, W]``.

    Args:
        rows: the number of each row's block, ``[n, H]``.
        columns: the number of each column's block, ``[n, W]``.
        share: fraction of the blocks that are quantised.
        seed: seed of the draws.
        index: the number of each image in its data set.
    """
    n = len(rows)
    most = [(blocks.shape[1] + 2 * _SIDE - 2) // _SIDE for blocks in (rows, columns)]
    draws = uniform(seed, "quantisation/block", index, most[0] * most[1]).reshape(n, *most)
    count = rows[:, -1] + 1, columns[:, -1] + 1
    draws[
        (np.arange(most[0]) >= count[0][:, None])[:, :, None]
        | (np.arange(most[1]) >= count[1][:, None])[:, None]
    ] = 2
    rank = np.argsort(np.argsort(draws.reshape(n, -1), axis=1, kind="stable"), axis=1)
    first = rank < np.ceil(np.round(share * count[0] * count[1], 9))[:, None]
    marked: NDArray[np.bool_] = first.reshape(n, *most)[
        np.arange(n)[:, None, None], rows[:, :, None], columns[:, None]
    ]
    return marked

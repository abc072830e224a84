"""Overlapping tiles: score images of high resolution piece by piece, with one map of the whole.

Neighbouring tiles overlap. In the outer quarter of an overlap a tile has no weight, because its
map is affected by its border; in the middle half the weights of both tiles change linearly. The
map of the whole image therefore has no seams. It equals the map of an untiled image wherever a
pixel of the map depends on nothing farther away than a quarter of the overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from anomalist.core.config import Config
from anomalist.core.errors import InputError

__all__ = ["GRID", "MapOfTiles", "Tiling"]

GRID = 32  # tiles start at multiples of it, so that grids of features agree


class Tiling(Config):
    """The size of tiles and of their overlap, in pixels."""

    side: int = Field(ge=GRID, description="height and width of a tile")
    overlap: int = Field(ge=0, description="pixels shared by neighbouring tiles")

    @model_validator(mode="after")
    def _on_grid(self) -> Tiling:
        if self.side % GRID or self.overlap % GRID or self.overlap > self.side // 2:
            raise InputError(
                f"tile and overlap must be multiples of {GRID}, and the overlap at most half of "
                f"the tile; got {self.side} and {self.overlap}"
            )
        return self

    def padded(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return an image ``[C, H, W]``, mirrored at its right and lower border to full tiles."""
        missing = [_up_to_grid(length, self.side) - length for length in image.shape[1:]]
        if not any(missing):
            return image
        return np.pad(image, ((0, 0), (0, missing[0]), (0, missing[1])), mode="symmetric")

    def places(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return the top left corners of the tiles of a padded image of ``shape`` (H, W)."""
        rows, columns = (self._starts(length) for length in shape)
        return [(row, column) for row in rows for column in columns]

    def tiles(
        self,
        image: NDArray[Any],
        at_once: int,
    ) -> Iterator[tuple[list[tuple[int, int]], NDArray[Any]]]:
        """Yield batches of tiles of a padded image ``[C, H, W]`` with their corners."""
        places = self.places(image.shape[1:])
        for first in range(0, len(places), at_once):
            corners = places[first : first + at_once]
            parts = [image[:, y : y + self.side, x : x + self.side] for y, x in corners]
            yield corners, np.stack(parts)

    def _starts(self, length: int) -> list[int]:
        step = self.side - self.overlap
        return [*range(0, length - self.side, step), length - self.side]


class MapOfTiles:
    """The map of an image, put together from maps of its tiles."""

    def __init__(self, tiling: Tiling, folds: int, shape: tuple[int, ...]) -> None:
        """Begin with an empty map for each of several detectors.

        Args:
            tiling: the tiles.
            folds: K, the number of detectors.
            shape: height and width of the padded image.
        """
        self._tiling = tiling
        self._shape = shape
        self._sum = np.zeros((folds, *shape), np.float32)
        self._weight = np.zeros(shape, np.float32)

    def add(self, corner: tuple[int, int], maps: NDArray[np.float32]) -> None:
        """Add the maps of a tile, float32 ``[K, side, side]``, at its top left corner."""
        side = self._tiling.side
        rows = self._ramp(corner[0], self._shape[0])
        columns = self._ramp(corner[1], self._shape[1])
        weight = rows[:, None] * columns
        place = slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side)
        self._sum[:, *place] += weight * maps
        self._weight[place] += weight

    def whole(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the maps ``[K, H, W]`` of the image without its padding; called once."""
        self._sum /= self._weight
        return self._sum[:, : shape[0], : shape[1]]

    def _ramp(self, start: int, length: int) -> NDArray[np.float32]:
        """Return the weights of a tile along one side, 1 at the border of the image."""
        side = self._tiling.side
        quarter = self._tiling.overlap / 4
        place = np.arange(side) + 0.5
        ramp = np.ones(side)
        if quarter and start > 0:
            ramp = np.minimum(ramp, (place - quarter) / (2 * quarter))
        if quarter and start + side < length:
            ramp = np.minimum(ramp, (side - place - quarter) / (2 * quarter))
        return ramp.clip(0, 1).astype(np.float32)


def _up_to_grid(length: int, least: int) -> int:
    return max(least, -(-length // GRID) * GRID)

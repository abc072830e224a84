"""Sets full rows or columns to white or black: broken lines of a sensor or a scanner.

Strength: ``lines`` = ceil(severity x half), where half is half the shorter side, rounded down, but
at least 1, so severity 1 covers half of a square image. Each image has one random order of its rows
and columns, and the first ``lines`` of them change. A higher number of lines includes the lines of
every lower number.

Source: the stripe of MNIST-C, Mu & Gilmer, 2019, which is one broad band.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import order

__all__ = ["Stripes"]


class Stripes(Corruption):
    """Overwrite ``lines`` full rows or columns."""

    physical: ClassVar[str] = "lines"

    lines: int | None = Field(None, ge=0, description="number of rows or columns")
    direction: Literal["rows", "columns", "either"] = Field(
        "either", description="direction of the lines; 'either' draws it for each image"
    )
    value: Literal["white", "black"] = Field("white", description="colour of the lines")

    def most(self, shape: tuple[int, int]) -> int:
        """Return half the shorter side."""
        return max(min(shape) // 2, 1)

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Overwrite the first lines of each image's random order."""
        n, _, h, w = images.shape
        draws = uniform(seed, "stripes", index, 1 + h + w)
        rows = _first(draws[:, 1 : 1 + h], int(strength))
        columns = _first(draws[:, 1 + h :], int(strength))
        across = {
            "rows": np.ones(n, bool),
            "columns": np.zeros(n, bool),
            "either": draws[:, 0] < 0.5,
        }
        is_row = across[self.direction][:, None, None]
        hit = (rows[:, :, None] & is_row) | (columns[:, None, :] & ~is_row)
        changed: NDArray[np.float32] = (
            np.maximum(images, hit[:, None]) if self.value == "white" else images * ~hit[:, None]
        )
        return changed


def _first(draws: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Mark the ``count`` smallest draws of each row; ties go to the earlier draw."""
    marked = np.zeros(draws.shape, np.bool_)
    np.put_along_axis(marked, order(draws)[:, :count], True, axis=1)
    return marked

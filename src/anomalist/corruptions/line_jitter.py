"""Shifts single rows sideways: a shaking scanner, unsynchronised video lines.

Strength: ``lines`` = ceil(severity x height). Each image has one random order of its rows. The
first ``lines`` rows shift left or right, with wrap-around, each by its own random 1 to width / 8
pixels. A higher number of lines includes the rows of every lower number.

Source: line jitter of video restoration, Kokaram, "Motion picture restoration", 1998.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.randomness import uniform
from anomalist.corruptions._base import Corruption
from anomalist.corruptions._sampling import order, pick

__all__ = ["LineJitter"]


class LineJitter(Corruption):
    """Shift ``lines`` rows, each by a random distance."""

    physical: ClassVar[str] = "lines"

    lines: int | None = Field(None, ge=0, description="number of shifted rows")

    def most(self, shape: tuple[int, int]) -> int:
        """Return the height."""
        return shape[0]

    def change(
        self,
        images: NDArray[np.float32],
        strength: float,
        seed: int,
        index: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Shift the first rows of each image's random order."""
        n, _, h, w = images.shape
        draws = uniform(seed, "line_jitter", index, 2 * h)
        rows = order(draws[:, :h])[:, : int(strength)]
        reach = max(w // 8, 1)
        slip = pick(np.take_along_axis(draws[:, h:], rows, axis=1), 2 * reach)
        slip = np.where(slip < reach, slip - reach, slip - reach + 1)  # never 0
        image = np.arange(n)[:, None]
        taken = np.concatenate([images[image, :, rows]] * 2, axis=-1)  # [n, lines, C, 2 W]
        windows = np.lib.stride_tricks.sliding_window_view(taken, w, axis=3)
        out = images.copy()
        out[image, :, rows] = windows[image, np.arange(rows.shape[1]), :, slip % w]
        return out

"""The scale of small maps: 64 levels, so that a page can draw masks at any threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalist.core.config import Config

__all__ = ["LEVELS", "MapScale"]

LEVELS = 64


class MapScale(Config):
    """How the values of maps become levels, and which values mark a pixel at which rate.

    Attributes:
        quantity: what the values mean.
        edges: the 63 values between levels, increasing: a pixel has level j if j edges are below
            its value. The threshold at which the results were made is one of them, so that the
            masks there are exact.
        chosen: that threshold; None without one.
        rates: false-alarm rates.
        thresholds: the value above which a pixel is marked at each rate.
    """

    quantity: str
    edges: tuple[float, ...]
    chosen: float | None = None
    rates: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()

    @classmethod
    def make(
        cls,
        quantity: str,
        ends: tuple[float, float],
        chosen: float | None,
        rates: Sequence[float] = (),
        thresholds: Sequence[float] = (),
    ) -> Self:
        """Return a scale with evenly spaced edges.

        Args:
            quantity: what the values mean.
            ends: values that a picture shows as nothing and at full strength. The range is
                extended if a threshold lies outside.
            chosen: the threshold at which masks are exact; None if there is none.
            rates: false-alarm rates.
            thresholds: the value above which a pixel is marked at each rate.
        """
        known = [*thresholds, *([] if chosen is None else [chosen])]
        low = float(min([ends[0], *known]))
        high = float(max([ends[1], *known]))
        if high <= low:
            high = low + 1e-6 * max(1.0, abs(low))
        edges = np.linspace(low, high, LEVELS - 1)
        if chosen is not None:
            edges[np.abs(edges - chosen).argmin()] = chosen
        return cls(
            quantity=quantity,
            edges=tuple(edges.tolist()),
            chosen=chosen,
            rates=tuple(map(float, rates)),
            thresholds=tuple(map(float, thresholds)),
        )

    def levels(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the levels, 0 to 63, of the values of maps."""
        levels: NDArray[np.uint8] = np.searchsorted(self.edges, values, side="left").astype(
            np.uint8
        )
        return levels

    def level_above(self, threshold: float) -> int:
        """Return the lowest level of the pixels that a threshold marks, to the nearest edge."""
        return int(np.abs(np.array(self.edges) - threshold).argmin()) + 1

    def level_at(self, rate: float) -> int:
        """Return the lowest level of the pixels that are marked at a false-alarm rate."""
        if not self.rates:
            return LEVELS
        order = np.argsort(self.rates)
        rates = np.log(np.array(self.rates)[order])
        thresholds = np.array(self.thresholds)[order]
        value = np.interp(np.log(max(rate, 1e-12)), rates, thresholds)
        return self.level_above(float(value))

"""Conformal risk control: a pixel threshold that limits the share of normal pixels marked.

Images are exchangeable, but the pixels of an image are not: a quantile of all pixels guarantees
nothing. Let L_i(t) be the share of the pixels of normal image i above t, which decreases in t and
is at most 1. The threshold is the smallest t with::

    n / (n + 1) mean of L_i(t) + 1 / (n + 1) <= rate

The expected share of marked pixels of a new normal image is then at most ``rate`` (Angelopoulos,
Bates, Fisch, Lei & Schuster, "Conformal risk control", ICLR 2024, theorem 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration.split import check_enough

__all__ = ["MarkedShare"]

_POINTS = 400  # candidate thresholds
_LOWEST_SHARE = 1e-6


@dataclass(frozen=True)
class MarkedShare:
    """The mean share of pixels above each of several thresholds, over n normal images.

    Attributes:
        thresholds: float32 ``[T]``, ascending.
        shares: float64 ``[T]``, the mean over images of the share of pixels above each.
        count: n.
    """

    thresholds: NDArray[np.float32]
    shares: NDArray[np.float64]
    count: int

    @classmethod
    def of(cls, maps: Iterable[NDArray[np.float32]], pixels: NDArray[np.float32]) -> Self:
        """Return the shares of maps.

        Args:
            maps: one map per held-out normal image, ``[H, W]``.
            pixels: values of some of these maps, whose quantiles become the candidate thresholds.
                The choice of candidates does not affect the guarantee.
        """
        levels = 1 - np.logspace(0, np.log10(_LOWEST_SHARE), _POINTS - 1)
        thresholds = np.unique(np.quantile(pixels, levels).astype(np.float32))
        total = np.zeros(len(thresholds))
        count = 0
        highest = -np.inf
        for one in maps:
            values = np.sort(one, axis=None)
            above = len(values) - np.searchsorted(values, thresholds, side="right")
            total += above / len(values)
            count += 1
            highest = max(highest, float(values[-1]))
        if highest > thresholds[-1]:  # no pixel is above the last threshold
            thresholds = np.append(thresholds, np.float32(highest))
            total = np.append(total, 0.0)
        return cls(thresholds, total / count, count)

    def threshold(self, rate: float) -> float:
        """Return the threshold for an expected share of marked normal pixels of at most ``rate``.

        Args:
            rate: in (0, 1).

        Raises:
            InputError: there are fewer than 1 / rate - 1 images.
        """
        check_enough(self.count, rate)
        # Rounded like the ranks of ``split``, so that both need the same number of images.
        bound = np.round(self.count * self.shares + 1, 9)
        meets = np.flatnonzero(bound <= np.round(rate * (self.count + 1), 9))
        first = int(meets[0]) if len(meets) else -1
        return float(self.thresholds[first])

"""A test for drift: do the incoming images as a whole still look like the calibration images?

Each new score is ranked among the calibration scores and all earlier scores, with ties broken at
random. If the images are exchangeable, these ranks are independent and uniform (Vovk, Nouretdinov &
Gammerman, "Testing exchangeability on-line", ICML 2003). The test bets against that: a capital of 1
is multiplied by a bet on each rank p, which is 1 on average if p is uniform. The capital then
exceeds 1 / rate at any time with a probability of at most ``rate`` (Ville, 1939). It may therefore
be looked at after every image.

The bets are those of the Simple Jumper (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson & Gammerman,
"Retrain or not retrain: conformal test martingales for change-point detection", COPA 2021)::

    f_e(p) = 1 + e (p - 1/2)

A share ``J`` of the capital moves between the slopes e after each image, so that late changes are
noticed as well.
"""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.core.randomness import uniform

__all__ = ["DriftTest"]

_SLOPES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
_JUMP = 0.01
_SMALLEST = 1e-100  # of the capital, so that it can recover after any loss


class DriftTest:
    """The running test.

    Attributes:
        seen: number of new scores.
        evidence: the capital; drift is noticed when it first reaches 1 / rate.
        noticed_at: number of the score, from 1, at which it first reached 1 / rate; None before.
    """

    def __init__(self, normal: NDArray[np.float32], rate: float = 0.01, seed: int = 0) -> None:
        """Begin with the scores of held-out normal images.

        Args:
            normal: ``[n]``, of images that the detector was not fitted on.
            rate: probability of a false warning, at any time, in (0, 1).
            seed: seed of the random choice among equal scores.

        Raises:
            InputError: the rate is not in (0, 1).
        """
        if not 0 < rate < 1:
            raise InputError(f"the rate of false warnings must lie between 0 and 1, got {rate:g}")
        self.rate = rate
        self.seen = 0
        self.evidence = 1.0
        self.noticed_at: int | None = None
        self._sorted = sorted(normal.tolist())
        self._seed = seed
        self._capital = np.full(len(_SLOPES), 1 / len(_SLOPES))

    def update(self, scores: NDArray[np.float32]) -> None:
        """Add new scores, in the order in which the images came."""
        index = np.arange(self.seen, self.seen + len(scores))
        draws = uniform(self._seed, "drift", index, 1)[:, 0].tolist()
        for score, draw in zip(scores.tolist(), draws, strict=True):
            self._bet(self._rank(score, draw))

    def _rank(self, score: float, draw: float) -> float:
        """Return the rank of a score in [0, 1]: small for a high score."""
        first = bisect.bisect_left(self._sorted, score)
        last = bisect.bisect_right(self._sorted, score, first)
        higher = len(self._sorted) - last
        equal = last - first + 1
        self._sorted.insert(last, score)
        return (higher + draw * equal) / len(self._sorted)

    def _bet(self, p: float) -> None:
        moved = (1 - _JUMP) * self._capital + _JUMP * self._capital.mean()
        self._capital = np.maximum(moved * (1 + _SLOPES * (p - 0.5)), _SMALLEST)
        self.evidence = float(self._capital.sum())
        self.seen += 1
        if self.noticed_at is None and self.evidence >= 1 / self.rate:
            self.noticed_at = self.seen

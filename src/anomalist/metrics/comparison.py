"""Comparison: is one setting better than another, judged by the same seeds of both?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from anomalist.errors import InputError

__all__ = ["Comparison", "holm", "paired"]


class Comparison(NamedTuple):
    """A paired difference over seeds.

    Attributes:
        difference: mean of other - reference.
        low: lower end of Student's t interval of the difference.
        high: its upper end.
        effect: Cohen's d_z, the mean difference over its standard deviation; None where that is 0 and the mean not.
        p: of the two-sided paired t-test.
        n: pairs.
    """

    difference: float
    low: float
    high: float
    effect: float | None
    p: float
    n: int


def paired(reference: ArrayLike, other: ArrayLike, confidence: float = 0.95) -> Comparison:
    """Compare two settings by pairs (Student, 1908; effect size: Cohen, 1988).

    Where all differences are the same, the test has no scale to judge by: p is 1 if they are 0, else 0.

    Args:
        reference: ``[n]``, one value a seed.
        other: ``[n]``, the same seeds' values in the other setting.
        confidence: of the interval, in (0, 1).

    Raises:
        InputError: the lengths differ, there are fewer than two pairs, or a value is not finite.
    """
    first, second = np.asarray(reference, np.float64), np.asarray(other, np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        shapes = f"{list(first.shape)} and {list(second.shape)}"
        raise InputError(f"a paired comparison takes two or more pairs, [n] and [n], got {shapes}")
    difference = second - first
    if not np.all(np.isfinite(difference)):
        raise InputError("a paired comparison takes finite values; leave unfinished seeds out")
    n, mean, spread = len(difference), float(difference.mean()), float(difference.std(ddof=1))
    if spread <= 1e-12 * max(1.0, abs(mean)):
        return Comparison(mean, mean, mean, 0.0 if mean == 0 else None, float(mean == 0), n)
    test = stats.ttest_rel(second, first)
    interval = test.confidence_interval(confidence)
    return Comparison(mean, float(interval.low), float(interval.high), mean / spread, float(test.pvalue), n)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted so that the chance of any false finding stays at the level (Holm, 1979).

    The k-th smallest of m is multiplied by m - k + 1, is never below a smaller one's, and at most 1.

    Args:
        p_values: ``[m]`` in [0, 1].

    Raises:
        InputError: a value outside [0, 1].
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise InputError("holm takes p-values [m] in [0, 1]")
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted

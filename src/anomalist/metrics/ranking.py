"""Ranking: do detectors differ over many data sets, and which of them cannot be told apart?

The protocol of J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7,
2006: ranks within each data set, Friedman's test of whether any differ, then which pairs do, by
    Nemenyi's critical difference of
mean ranks or by Wilcoxon's signed-rank test with Holm's correction. The latter looks at a pair
alone; a difference of mean ranks depends on who else takes part (Benavoli, Corani & Mangili, JMLR
17, 2016).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used
from numpy.typing import ArrayLike, NDArray

from anomalist.errors import InputError
from anomalist.metrics.comparison import NOTHING, holm

__all__ = ["Ranking", "cliques", "nemenyi_distance", "rank", "wilcoxon_p", "wins"]


class Ranking(NamedTuple):
    """How k detectors rank over N data sets.

    Attributes:
        ranks: ``[k]``, the mean rank of each; 1 is best, equal values share theirs.
        statistic: Friedman's chi-squared; None for two detectors, for which Wilcoxon's test is all
            that is needed.
        p: of Friedman's test; None for two.
        distance: Nemenyi's critical difference: mean ranks that are nearer than this are not told
            apart.
        pairs: ``[k, k]``, Holm-corrected p-values of Wilcoxon's signed-rank test, 1 on the
            diagonal.
        least: the smallest corrected p-value that N data sets can give at all, for the clearest of
            the pairs.
        n: data sets.
    """

    ranks: NDArray[np.float64]
    statistic: float | None
    p: float | None
    distance: float
    pairs: NDArray[np.float64]
    least: float
    n: int


def rank(values: ArrayLike, alpha: float = 0.05) -> Ranking:
    """Rank detectors over data sets and test whether they differ.

    Args:
        values: ``[N, k]``, the metric of each of k detectors on each of N data sets; higher is
            better.
        alpha: the level of the critical difference, in (0, 1).

    Raises:
        InputError: fewer than two data sets or detectors, a value that is not finite, or ``alpha``
            outside (0, 1).
    """
    given = np.asarray(values, np.float64)
    if given.ndim != 2 or min(given.shape) < 2 or not np.all(np.isfinite(given)):
        raise InputError(
            f"a ranking takes finite values [N, k] of two or more each, got {list(given.shape)}"
        )
    levels = np.stack([_levels(row) for row in given])
    n, k = levels.shape
    ranks = scipy.stats.rankdata(-levels, axis=1).mean(axis=0)
    statistic = p = None
    if k > 2 and np.ptp(levels, axis=1).any():
        friedman = scipy.stats.friedmanchisquare(*levels.T)
        statistic, p = float(friedman.statistic), float(friedman.pvalue)
    elif k > 2:  # all are equal everywhere
        statistic, p = 0.0, 1.0
    pairs = _all_pairs(given / max(1.0, float(np.abs(given).max())))
    least = min(1.0, 2.0 ** (1 - n) * k * (k - 1) / 2)
    return Ranking(ranks, statistic, p, nemenyi_distance(k, n, alpha), pairs, least, n)


def nemenyi_distance(k: int, n: int, alpha: float = 0.05) -> float:
    """Return the critical difference of the mean ranks of k detectors over n data sets (Demsar 2006, section 3.2.2).

    It is q sqrt(k (k + 1) / (6 n)), q the studentised range for infinitely many degrees of freedom
    over sqrt(2).

    Raises:
        InputError: fewer than two detectors, no data set, or ``alpha`` outside (0, 1).
    """
    if k < 2 or n < 1 or not 0 < alpha < 1:
        raise InputError(
            f"a critical difference takes k >= 2, n >= 1 and alpha in (0, 1), got {k}, {n}, {alpha}"
        )
    q = scipy.stats.studentized_range.ppf(1 - alpha, k, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(k * (k + 1) / (6 * n)))


def cliques(ranks: ArrayLike, alike: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Return the groups of detectors that are not told apart: runs of neighbours by rank, none within another.

    Args:
        ranks: ``[k]``, mean ranks.
        alike: ``[k, k]``, whether two detectors are not told apart.

    Returns:
        the detectors' numbers, best rank first; groups of one are left out.
    """
    order = np.argsort(np.asarray(ranks), kind="stable")
    found: list[tuple[int, ...]] = []
    last = 0
    for first in range(len(order)):
        end = first + 1
        while end < len(order) and all(alike[order[end], other] for other in order[first:end]):
            end += 1
        if end > max(first + 1, last):
            found.append(tuple(int(one) for one in order[first:end]))
        last = max(last, end)
    return found


def wins(values: ArrayLike) -> NDArray[np.int64]:
    """Return on how many data sets each detector is better than each other: ``[k, k]``, row against column.

    Args:
        values: ``[N, k]``, higher is better; values nearer than 1e-12 are equal.
    """
    given = np.asarray(values, np.float64)
    better: NDArray[np.int64] = np.sum(given[:, :, None] - given[:, None, :] > NOTHING, axis=0)
    return better


def wilcoxon_p(differences: ArrayLike) -> float:
    """Return the exact two-sided p-value of Wilcoxon's signed-rank test, ties and zeros included.

    Magnitudes nearer to each other than 1e-12 (of the largest, where that is above 1) share the
    mean of their ranks. Zeros are ranked with the others and then dropped (Pratt, JASA 54, 1959).
    Under the null hypothesis every other difference is positive or negative with probability 1/2,
    so the distribution of the rank sum is a convolution. Ranks are multiples of 1/2: doubled they
    are whole numbers, and the sum is exact for any number of ties.

    Args:
        differences: ``[n]``, finite.

    Returns:
        p in (0, 1]; 1 where all differences are zero.

    Raises:
        InputError: no difference, or one that is not finite.
    """
    given = np.asarray(differences, np.float64)
    if given.ndim != 1 or not given.size or not np.all(np.isfinite(given)):
        raise InputError(
            f"Wilcoxon's test takes finite differences [n], one or more, got {list(given.shape)}"
        )
    # The zero in front is the level that a difference must exceed to count as one.
    levels = _levels(np.append(0.0, np.abs(given)))
    nonzero = levels[1:] > levels[0]
    doubled = np.rint(2 * scipy.stats.rankdata(levels[1:])).astype(np.int64)
    upper = int(doubled[nonzero & (given > 0)].sum())
    total = int(doubled[nonzero].sum())
    chances = _rank_sum_chances(tuple(sorted(doubled[nonzero].tolist())))
    return min(1.0, 2 * float(chances[: min(upper, total - upper) + 1].sum()))


@lru_cache(maxsize=64)
def _rank_sum_chances(doubled: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the chance of each value 0, 1, ... of the sum over a random half of these doubled ranks."""
    chances = np.zeros(sum(doubled) + 1)
    chances[0] = 1.0
    reached = 0
    for one in doubled:
        with_it = chances[: reached + 1] / 2
        chances[: reached + 1] = with_it
        chances[one : one + reached + 1] += with_it
        reached += one
    return chances


def _levels(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return whole numbers that order ``values`` [n]; neighbours nearer than rounding share one.

    Subtracting metrics leaves errors of about 1e-16, so equal differences must not be compared as
    floats. A gap of more than 1e-12 parts two levels; for values above 1 it is 1e-12 of the
    largest.
    """
    order = np.argsort(values, kind="stable")
    gap = NOTHING * max(1.0, float(np.abs(values).max()))
    rising = np.append(0, np.cumsum(np.diff(values[order]) > gap))
    levels = np.empty(len(values), dtype=np.int64)
    levels[order] = rising
    return levels


def _all_pairs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Holm-corrected p-values of Wilcoxon's test for every pair of columns, ``[k, k]``."""
    k = values.shape[1]
    where = list(combinations(range(k), 2))
    p_values = [wilcoxon_p(values[:, one] - values[:, two]) for one, two in where]
    out = np.ones((k, k))
    for (one, two), p in zip(where, holm(p_values), strict=True):
        out[one, two] = out[two, one] = p
    return out

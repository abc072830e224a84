"""Ranking: do detectors differ over many data sets, and which of them cannot be told apart?

The protocol of J. Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006: ranks
within each data set, Friedman's test of whether any differ, then which pairs do, by Nemenyi's critical difference of
mean ranks or by Wilcoxon's signed-rank test with Holm's correction. The latter looks at a pair alone; a difference of
mean ranks depends on who else takes part (Benavoli, Corani & Mangili, JMLR 17, 2016).
"""

from __future__ import annotations

import math
import warnings
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used
from numpy.typing import ArrayLike, NDArray

from anomalist.errors import InputError
from anomalist.metrics.comparison import NOTHING, holm

__all__ = ["Ranking", "cliques", "nemenyi_distance", "rank", "wins"]


class Ranking(NamedTuple):
    """How k detectors rank over N data sets.

    Attributes:
        ranks: ``[k]``, the mean rank of each; 1 is best, equal values share theirs.
        statistic: Friedman's chi-squared; None for two detectors, for which Wilcoxon's test is all that is needed.
        p: of Friedman's test; None for two.
        distance: Nemenyi's critical difference: mean ranks that are nearer than this are not told apart.
        pairs: ``[k, k]``, Holm-corrected p-values of Wilcoxon's signed-rank test, 1 on the diagonal.
        least: the smallest corrected p-value that N data sets can give at all, for the clearest of the pairs.
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
        values: ``[N, k]``, the metric of each of k detectors on each of N data sets; higher is better.
        alpha: the level of the critical difference, in (0, 1).

    Raises:
        InputError: fewer than two data sets or detectors, a value that is not finite, or ``alpha`` outside (0, 1).
    """
    given = np.asarray(values, np.float64)
    if given.ndim != 2 or min(given.shape) < 2 or not np.all(np.isfinite(given)):
        raise InputError(f"a ranking takes finite values [N, k] of two or more each, got {list(given.shape)}")
    rounded = np.round(given / NOTHING) * NOTHING  # differences below it are rounding, not effects
    n, k = rounded.shape
    ranks = scipy.stats.rankdata(-rounded, axis=1).mean(axis=0)
    statistic = p = None
    if k > 2 and np.ptp(rounded, axis=1).any():
        found = scipy.stats.friedmanchisquare(*rounded.T)
        statistic, p = float(found.statistic), float(found.pvalue)
    elif k > 2:  # all are equal everywhere
        statistic, p = 0.0, 1.0
    pairs = _wilcoxon(rounded)
    least = min(1.0, 2.0 ** (1 - n) * k * (k - 1) / 2)
    return Ranking(ranks, statistic, p, nemenyi_distance(k, n, alpha), pairs, least, n)


def nemenyi_distance(k: int, n: int, alpha: float = 0.05) -> float:
    """Return the critical difference of the mean ranks of k detectors over n data sets (Demsar 2006, section 3.2.2).

    It is q sqrt(k (k + 1) / (6 n)), q the studentised range for infinitely many degrees of freedom over sqrt(2).

    Raises:
        InputError: fewer than two detectors, no data set, or ``alpha`` outside (0, 1).
    """
    if k < 2 or n < 1 or not 0 < alpha < 1:
        raise InputError(f"a critical difference takes k >= 2, n >= 1 and alpha in (0, 1), got {k}, {n}, {alpha}")
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


def _wilcoxon(values: NDArray[np.float64]) -> NDArray[np.float64]:
    k = values.shape[1]
    where = list(combinations(range(k), 2))
    found = []
    for one, two in where:
        difference = values[:, one] - values[:, two]
        if not difference.any():
            found.append(1.0)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small samples with ties, for which it takes the normal distribution
            found.append(float(scipy.stats.wilcoxon(difference, zero_method="pratt").pvalue))
    out = np.ones((k, k))
    for (one, two), p in zip(where, holm(found), strict=True):
        out[one, two] = out[two, one] = p
    return out

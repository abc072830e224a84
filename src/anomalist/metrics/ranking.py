"""Ranking: do detectors differ over many data sets, and which pairs of them do?

The protocol is that of J. Demsar, "Statistical comparisons of classifiers over multiple data sets",
JMLR 7, 2006. Detectors are ranked within each data set; Friedman's test shows whether any of them
differ; Nemenyi's critical difference of mean ranks, or Wilcoxon's signed-rank test with Holm's
correction, shows which pairs differ. Wilcoxon's test uses only the two detectors of a pair, whereas
a difference of mean ranks depends on the other detectors (Benavoli, Corani & Mangili, JMLR 17,
2016).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError
from anomalist.metrics.comparison import NOTHING, holm

__all__ = ["Ranking", "cliques", "nemenyi_distance", "rank", "wilcoxon_p", "wins"]


class Ranking(NamedTuple):
    """The ranking of k detectors over N data sets.

    Attributes:
        ranks: ``[k]``, mean ranks; 1 is best, equal values share the mean of their ranks.
        statistic: Friedman's chi-squared; None for two detectors, for which Wilcoxon's test is
            sufficient.
        p: p-value of Friedman's test; None for two detectors.
        distance: Nemenyi's critical difference: detectors whose mean ranks are closer than this do
            not differ significantly.
        pairs: ``[k, k]``, Holm-corrected p-values of Wilcoxon's signed-rank test, 1 on the
            diagonal.
        least: the smallest corrected p-value that is possible with N data sets.
        n: number of data sets.
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
        alpha: significance level of the critical difference, in (0, 1).

    Raises:
        InputError: fewer than two data sets or detectors, a value that is not finite, or ``alpha``
            outside (0, 1).
    """
    given = np.asarray(values, np.float64)
    if given.ndim != 2 or min(given.shape) < 2 or not np.all(np.isfinite(given)):
        raise InputError(
            f"a ranking needs finite values [N, k], N and k at least 2, got {list(given.shape)}"
        )
    levels = np.stack([_levels(row) for row in given])
    n, k = levels.shape
    ranks = scipy.stats.rankdata(-levels, axis=1).mean(axis=0)
    statistic, p = _friedman(levels)
    largest = float(np.abs(given).max())
    number_of_pairs = k * (k - 1) / 2
    return Ranking(
        ranks=ranks,
        statistic=statistic,
        p=p,
        distance=nemenyi_distance(k, n, alpha),
        pairs=_all_pairs(given / max(1.0, largest)),
        least=min(1.0, 2.0 ** (1 - n) * number_of_pairs),
        n=n,
    )


def _friedman(levels: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Return statistic and p-value of Friedman's test on levels [N, k]; None for two detectors."""
    if levels.shape[1] == 2:
        return None, None
    if not np.ptp(levels, axis=1).any():  # all detectors are equal everywhere
        return 0.0, 1.0
    friedman = scipy.stats.friedmanchisquare(*levels.T)
    return float(friedman.statistic), float(friedman.pvalue)


def nemenyi_distance(k: int, n: int, alpha: float = 0.05) -> float:
    """Return the critical difference of mean ranks (Demsar 2006, section 3.2.2).

    It is q sqrt(k (k + 1) / (6 n)), where q is the quantile of the studentised range for infinitely
    many degrees of freedom, divided by sqrt(2).

    Args:
        k: number of detectors.
        n: number of data sets.
        alpha: significance level.

    Raises:
        InputError: fewer than two detectors, no data set, or ``alpha`` outside (0, 1).
    """
    if k < 2 or n < 1 or not 0 < alpha < 1:
        raise InputError(
            f"a critical difference needs k >= 2, n >= 1 and alpha in (0, 1), got {k}, {n}, {alpha}"
        )
    q = scipy.stats.studentized_range.ppf(1 - alpha, k, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(k * (k + 1) / (6 * n)))


def cliques(ranks: ArrayLike, alike: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Return the maximal groups of consecutive detectors that do not differ significantly.

    Args:
        ranks: ``[k]``, mean ranks.
        alike: ``[k, k]``, whether two detectors do not differ significantly.

    Returns:
        the indices of the detectors, best rank first, of groups of at least two.
    """
    order = np.argsort(np.asarray(ranks), kind="stable")
    groups: list[tuple[int, ...]] = []
    last = 0
    for first in range(len(order)):
        end = first + 1
        while end < len(order) and alike[order[end], order[first:end]].all():
            end += 1
        if end > max(first + 1, last):
            groups.append(tuple(order[first:end].tolist()))
        last = max(last, end)
    return groups


def wins(values: ArrayLike) -> NDArray[np.int64]:
    """Return the number of data sets on which row i is better than column j, ``[k, k]``.

    Args:
        values: ``[N, k]``, higher is better; differences below 1e-12 count as equal.
    """
    given = np.asarray(values, np.float64)
    differences = given[:, :, None] - given[:, None, :]
    better: NDArray[np.int64] = np.sum(differences > NOTHING, axis=0)
    return better


def wilcoxon_p(differences: ArrayLike) -> float:
    """Return the exact two-sided p-value of Wilcoxon's signed-rank test, with ties and zeros.

    Magnitudes that differ by less than 1e-12 (relative to the largest, if it is above 1) share the
    mean of their ranks. Zeros are ranked with the others and then dropped (Pratt, JASA 54, 1959).
    Under the null hypothesis each remaining difference is positive or negative with probability
    1/2, so the distribution of the rank sum is a convolution. Ranks are multiples of 1/2, so
    doubled ranks are integers and the distribution is exact for any number of ties.

    Args:
        differences: ``[n]``, finite.

    Returns:
        p in (0, 1]; 1 if all differences are zero.

    Raises:
        InputError: there are no differences, or one is not finite.
    """
    given = np.asarray(differences, np.float64)
    if given.ndim != 1 or not given.size or not np.all(np.isfinite(given)):
        raise InputError(
            f"Wilcoxon's test needs finite differences [n], at least one, got {list(given.shape)}"
        )
    # The zero at the front is the level that a difference must exceed to be nonzero.
    levels = _levels(np.append(0.0, np.abs(given)))
    nonzero = levels[1:] > levels[0]
    doubled = np.rint(2 * scipy.stats.rankdata(levels[1:])).astype(np.int64)
    upper = int(doubled[nonzero & (given > 0)].sum())
    total = int(doubled[nonzero].sum())
    chances = _rank_sum_chances(tuple(sorted(doubled[nonzero].tolist())))
    smaller = min(upper, total - upper)
    tail = float(chances[: smaller + 1].sum())
    return min(1.0, 2 * tail)


@lru_cache(maxsize=64)
def _rank_sum_chances(doubled: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the probability of each sum 0, 1, ... of doubled ranks under the null hypothesis."""
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
    """Return integers that order ``values`` [n]; values that are equal up to rounding share one.

    Differences of metrics have rounding errors of about 1e-16, so they must not be compared for
    equality as floats. A gap of more than 1e-12 separates two levels; for values above 1 the gap is
    relative to the largest.
    """
    order = np.argsort(values, kind="stable")
    gap = NOTHING * max(1.0, float(np.abs(values).max()))
    is_next = np.diff(values[order]) > gap
    rising = np.append(0, np.cumsum(is_next))
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

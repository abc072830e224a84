"""Comparison: is one setting better than another, judged by the same seeds of both, and what may be said of it?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from anomalist.errors import InputError

__all__ = [
    "Comparison",
    "MeanInterval",
    "Trend",
    "compare_to_reference",
    "describe",
    "holm",
    "mean_interval",
    "paired",
    "trend",
    "verdict",
]

Claim = Literal["greater", "less"]
Verdict = Literal["supported", "contradicted", "open"]
Label = TypeVar("Label", bound=Hashable)

NOTHING = 1e-12  # differences of metrics below this are rounding, not effects


class MeanInterval(NamedTuple):
    """A mean over seeds.

    Attributes:
        mean: of the values.
        low: lower end of Student's t interval; None for one seed, which shows no spread.
        high: its upper end; None for one seed.
        n: seeds.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


class Comparison(NamedTuple):
    """A paired difference over seeds.

    Attributes:
        difference: mean of other - reference.
        low: lower end of Student's t interval of the difference, not corrected for other comparisons.
        high: its upper end.
        effect: Cohen's d_z, the mean difference over its standard deviation; None where that is 0 and the mean not.
        p: of the two-sided paired t-test.
        n: pairs.
        p_holm: ``p`` corrected for the family; None where there was none.
    """

    difference: float
    low: float
    high: float
    effect: float | None
    p: float
    n: int
    p_holm: float | None = None


class Trend(NamedTuple):
    """A linear trend over levels, paired over seeds.

    Attributes:
        slope: mean over seeds of the change in value per unit of level.
        low: lower end of Student's t interval of the slope.
        high: its upper end.
        effect: Cohen's d_z of the slopes; None where they are all the same and not 0.
        p: of the two-sided t-test that the mean slope is 0.
        n: seeds.
        rank_correlation: mean over seeds of Kendall's tau-b between level and value, in [-1, 1]: 1 where every seed
            rises at every step, near 0 for a course that rises and falls. A seed of constant values counts as 0.
    """

    slope: float
    low: float
    high: float
    effect: float | None
    p: float
    n: int
    rank_correlation: float


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> MeanInterval:
    """Return the mean over seeds with Student's t interval (Student, 1908).

    Equal values give an interval of no width: the seeds show no spread. It may leave a metric's range.

    Args:
        values: ``[n]``, one a seed.
        confidence: of the interval, in (0, 1).

    Raises:
        InputError: there are no values, one is not finite, or ``confidence`` is outside (0, 1).
    """
    given = np.asarray(values, np.float64)
    _confidence(confidence)
    if given.ndim != 1 or not given.size or not np.all(np.isfinite(given)):
        raise InputError(f"a mean over seeds takes finite values [n], one or more, got {list(given.shape)}")
    n, mean = len(given), float(given.mean())
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * given.std(ddof=1) / math.sqrt(n))
    return MeanInterval(mean, mean - half, mean + half, n)


def paired(reference: ArrayLike, other: ArrayLike, confidence: float = 0.95) -> Comparison:
    """Compare two settings by pairs (Student, 1908; effect size: Cohen, 1988).

    Where all differences are the same, the test has no scale to judge by: p is 1 if they are 0 (or mere rounding, below
    1e-12), else 0, the limit of the test as the spread goes to 0. That limit ignores n; :func:`verdict` does not.

    Args:
        reference: ``[n]``, one value a seed.
        other: ``[n]``, the same seeds' values in the other setting.
        confidence: of the interval, in (0, 1).

    Raises:
        InputError: the lengths differ, there are fewer than two pairs, a value is not finite, or ``confidence`` is
            outside (0, 1).
    """
    first, second = np.asarray(reference, np.float64), np.asarray(other, np.float64)
    _confidence(confidence)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        shapes = f"{list(first.shape)} and {list(second.shape)}"
        raise InputError(f"a paired comparison takes two or more pairs, [n] and [n], got {shapes}")
    if not (np.all(np.isfinite(first)) and np.all(np.isfinite(second))):
        raise InputError("a paired comparison takes finite values; leave unfinished seeds out")
    difference = second - first
    n, mean, spread = len(difference), float(difference.mean()), float(difference.std(ddof=1))
    if spread <= NOTHING * max(1.0, abs(mean)):
        alike = abs(mean) <= NOTHING
        return Comparison(mean, mean, mean, 0.0 if alike else None, float(alike), n)
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


def compare_to_reference(
    groups: Mapping[Label, ArrayLike], reference: Label, confidence: float = 0.95
) -> dict[Label, Comparison]:
    """Compare each group with one of them by pairs, Holm-corrected over these comparisons.

    Args:
        groups: label -> ``[n]``, one value a seed, the seeds in the same order in every group.
        reference: the label of the group that the others are held against.
        confidence: of the intervals, in (0, 1).

    Returns:
        A comparison for every other label, in the mapping's order, with ``p_holm``.

    Raises:
        InputError: ``reference`` is not among the groups, or as for :func:`paired`.
    """
    if reference not in groups:
        raise InputError(f"the reference {reference!r} is not among the groups {list(groups)!r}")
    base = groups[reference]
    found = {label: paired(base, values, confidence) for label, values in groups.items() if label != reference}
    adjusted = holm([one.p for one in found.values()])
    return {label: one._replace(p_holm=float(p)) for (label, one), p in zip(found.items(), adjusted, strict=True)}


def trend(levels: ArrayLike, values: ArrayLike, confidence: float = 0.95) -> Trend:
    """Test whether values rise or fall with a level: a t-test over seeds of each seed's least-squares slope.

    A seed's slope is one number, so that the correlation of its values does no harm (summary measures: Matthews et
    al., BMJ 1990). A slope that is not 0 does not make the course monotone: read ``rank_correlation`` beside it.

    Args:
        levels: ``[k]``, two or more distinct ones; give log2 of what doubles from step to step, such as a bottleneck.
        values: ``[n, k]``, a row a seed, two or more.
        confidence: of the interval, in (0, 1).

    Raises:
        InputError: shapes do not fit, there are fewer than two seeds or distinct levels, a value is not finite, or
            ``confidence`` is outside (0, 1).
    """
    x, y = np.asarray(levels, np.float64), np.asarray(values, np.float64)
    if x.ndim != 1 or y.ndim != 2 or y.shape[1] != len(x) or len(y) < 2:
        raise InputError(f"a trend takes levels [k] and values [n >= 2, k], got {list(x.shape)} and {list(y.shape)}")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))) or len(np.unique(x)) < 2:
        raise InputError("a trend takes finite values at two or more distinct levels; leave unfinished seeds out")
    centred = x - x.mean()
    slopes = y @ centred / (centred @ centred)
    found = paired(np.zeros(len(y)), slopes, confidence)
    taus = [stats.kendalltau(x, row).statistic if np.ptp(row) > 0 else 0.0 for row in y]
    return Trend(*found[:6], rank_correlation=float(np.mean(taus)))


def verdict(found: Comparison | Trend, claim: Claim, alpha: float = 0.05) -> Verdict:
    """Return what a comparison says of a claim about its direction.

    ``open`` unless p (Holm's, where there is one) is below ``alpha``; then the sign decides. Where all seeds differ by
    exactly the same and the t-test has no scale, p is at least the sign test's 2^(1 - n): five seeds prove nothing.

    Args:
        found: what :func:`paired`, :func:`compare_to_reference` or :func:`trend` returned.
        claim: ``greater``: the other setting's values are greater, or values rise with the level; or ``less``.
        alpha: the chance of a verdict other than ``open`` where there is no difference, in (0, 1).

    Raises:
        InputError: another claim, or ``alpha`` is outside (0, 1).
    """
    if claim not in ("greater", "less") or not 0 < alpha < 1:
        raise InputError(f"a verdict takes the claim greater or less and alpha in (0, 1), got {claim!r} and {alpha}")
    if _judged(found)[0] >= alpha:
        return "open"
    return "supported" if (_size(found) > 0) == (claim == "greater") else "contradicted"


def describe(
    found: Comparison | Trend, subject: str, metric: str, claim: Claim, statement: str, alpha: float = 0.05
) -> str:
    """Say in one sentence what was found and what it makes of a statement, and no more.

    For example: "bottleneck 4 against 32 on stripes: AUROC lower by 0.012 [0.009, 0.015], p = 0.0003 (Holm): the data
    contradict 'smaller bottlenecks are more sensitive'".

    Args:
        found: as for :func:`verdict`.
        subject: what was compared with what, and where.
        metric: the name of the values.
        claim: the direction that the statement implies, as for :func:`verdict`.
        statement: the claim in words.
        alpha: as for :func:`verdict`.

    Raises:
        InputError: as for :func:`verdict`.
    """
    says = verdict(found, claim, alpha)
    size, low, high = _size(found), found.low, found.high
    # At least two digits of the interval's half width, so that a small effect is not printed as 0.000.
    scale = (high - low) / 2 if high - low > NOTHING else abs(size)
    digits = min(9, max(3, 1 - math.floor(math.log10(scale)))) if scale > NOTHING else 3
    per = " per unit of level" if isinstance(found, Trend) else ""
    if says == "open":
        gap = f"{'changes' if per else 'differs'} by {size:+.{digits}f}{per} [{low:+.{digits}f}, {high:+.{digits}f}]"
    elif size > 0:
        gap = f"higher by {size:.{digits}f}{per} [{low:.{digits}f}, {high:.{digits}f}]"
    else:
        gap = f"lower by {-size:.{digits}f}{per} [{-high:.{digits}f}, {-low:.{digits}f}]"
    p, how = _judged(found)
    # Enough digits that the printed p lies on the side of alpha that the verdict says.
    text = next(t for d in range(2, 18) if (float(t := f"{p:.{d}g}") < alpha) == (p < alpha))
    test = f"{'p < 0.0001' if p < 1e-4 <= alpha else f'p = {text}'}{how}"
    made = {"supported": "support", "contradicted": "contradict", "open": "leave open"}[says]
    return f"{subject}: {metric} {gap}, {test}: the data {made} '{statement}'"


def _size(found: Comparison | Trend) -> float:
    return found.slope if isinstance(found, Trend) else found.difference


def _judged(found: Comparison | Trend) -> tuple[float, str]:
    """Return the p-value that a verdict goes by, and what to call it."""
    corrected = None if isinstance(found, Trend) else found.p_holm
    p, how = (found.p, "") if corrected is None else (corrected, " (Holm)")
    if found.effect is None and p < 2.0 ** (1 - found.n):
        return 2.0 ** (1 - found.n), f" (sign test, all {found.n} seeds alike)"
    return p, how


def _confidence(value: float) -> None:
    if not 0 < value < 1:
        raise InputError(f"confidence: {value} is outside (0, 1)")

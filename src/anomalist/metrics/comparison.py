"""Paired comparison: is one setting better than another on the same seeds?"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError

__all__ = [
    "Comparison",
    "Direction",
    "MeanInterval",
    "Verdict",
    "describe",
    "holm",
    "mean_interval",
    "paired",
    "verdict",
]

Direction = Literal["greater", "less"]
Verdict = Literal["supported", "contradicted", "open"]

NOTHING = 1e-12  # smaller differences of metrics are rounding errors


class MeanInterval(NamedTuple):
    """A mean over seeds.

    Attributes:
        mean: mean of the values.
        low: lower end of Student's t interval; None for a single seed.
        high: its upper end; None for a single seed.
        n: number of seeds.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


class Comparison(NamedTuple):
    """A paired difference over seeds.

    Attributes:
        difference: mean of other - reference.
        low: lower end of Student's t interval of the difference, not corrected for other
            comparisons.
        high: its upper end.
        effect: Cohen's d_z, the mean difference over its standard deviation; None if the deviation
            is 0 and the mean is not.
        p: p-value of the two-sided paired t-test that the difference is ``null``.
        n: number of pairs.
        null: the difference under the null hypothesis: 0, or a margin.
        p_holm: ``p`` corrected for the family; None without a correction.
    """

    difference: float
    low: float
    high: float
    effect: float | None
    p: float
    n: int
    null: float = 0.0
    p_holm: float | None = None


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> MeanInterval:
    """Return the mean over seeds with Student's t interval (Student, 1908).

    If all values are equal, the interval has width 0. It may exceed the range of the metric; tables
    clip it.

    Args:
        values: ``[n]``, one per seed.
        confidence: confidence level of the interval, in (0, 1).

    Raises:
        InputError: there are no values, one is not finite, or ``confidence`` is outside (0, 1).
    """
    given = np.asarray(values, np.float64)
    _confidence(confidence)
    if given.ndim != 1 or not given.size or not np.all(np.isfinite(given)):
        raise InputError(
            f"a mean over seeds needs finite values [n], at least one, got {list(given.shape)}"
        )
    n = len(given)
    mean = float(given.mean())
    if n == 1:
        return MeanInterval(mean, None, None, 1)
    quantile = scipy.stats.t.ppf((1 + confidence) / 2, n - 1)
    half = float(quantile * given.std(ddof=1) / math.sqrt(n))
    return MeanInterval(mean, mean - half, mean + half, n)


def paired(
    reference: ArrayLike,
    other: ArrayLike,
    confidence: float = 0.95,
    *,
    null: float = 0.0,
) -> Comparison:
    """Compare two settings by pairs (Student, 1908; effect size: Cohen, 1988).

    If all differences are equal, the test has no scale: p is 1 if they are ``null`` (up to
    rounding, 1e-12), else 0, the limit of the test for a spread of 0. This limit ignores n;
    :func:`verdict` does not.

    Args:
        reference: ``[n]``, one value per seed.
        other: ``[n]``, the values of the same seeds in the other setting.
        confidence: confidence level of the interval, in (0, 1).
        null: the difference under the null hypothesis; a margin other than 0 tests whether a change
            is large enough to matter.

    Raises:
        InputError: the lengths differ, there are fewer than two pairs, a value is not finite, or
            ``confidence`` is outside (0, 1).
    """
    first = np.asarray(reference, np.float64)
    second = np.asarray(other, np.float64)
    _confidence(confidence)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        shapes = f"{list(first.shape)} and {list(second.shape)}"
        raise InputError(f"a paired comparison needs at least two pairs, [n] and [n], got {shapes}")
    if not (np.all(np.isfinite(first)) and np.all(np.isfinite(second))):
        raise InputError("a paired comparison needs finite values; exclude unfinished seeds")
    difference = second - first
    n = len(difference)
    mean = float(difference.mean())
    spread = float(difference.std(ddof=1))
    if spread <= NOTHING * max(1.0, abs(mean)):
        effect = 0.0 if abs(mean) <= NOTHING else None
        p = 1.0 if abs(mean - null) <= NOTHING else 0.0
        return Comparison(mean, mean, mean, effect, p, n, null)
    test = scipy.stats.ttest_1samp(difference, null)
    low, high = test.confidence_interval(confidence)
    effect = mean / spread
    return Comparison(mean, float(low), float(high), effect, float(test.pvalue), n, null)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values, which control the family-wise error rate (Holm, 1979).

    The k-th smallest of m values is multiplied by m - k + 1. It is at least the adjusted value of
    each smaller one, and at most 1.

    Args:
        p_values: ``[m]`` in [0, 1].

    Raises:
        InputError: a value outside [0, 1].
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise InputError("holm needs p-values [m] in [0, 1]")
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    rising = np.maximum.accumulate(p[order] * factors)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(rising, 1)
    return adjusted


def verdict(
    comparison: Comparison,
    claim: Direction,
    alpha: float = 0.05,
) -> Verdict:
    """Return the verdict of a comparison on a claim about its direction.

    The verdict is ``open`` unless p (Holm's, if there is one) is below ``alpha``; then the sign
    decides. If all seeds differ by exactly the same amount, the t-test has no scale, and p is at
    least that of the sign test, 2^(1 - n). Five seeds are then never significant.

    Args:
        comparison: the result of :func:`paired`.
        claim: ``greater`` (the difference is greater than ``comparison.null``) or ``less``.
        alpha: significance level, in (0, 1).

    Raises:
        InputError: another claim, or ``alpha`` is outside (0, 1).
    """
    if claim not in ("greater", "less") or not 0 < alpha < 1:
        raise InputError(
            f"a verdict needs the claim greater or less and alpha in (0, 1), got {claim!r} and "
            f"{alpha}"
        )
    p, _ = _decisive_p(comparison)
    if p >= alpha:
        return "open"
    direction = "greater" if comparison.difference > comparison.null else "less"
    return "supported" if direction == claim else "contradicted"


def describe(
    comparison: Comparison,
    subject: str,
    metric: str,
    alpha: float = 0.05,
) -> str:
    """Return the result of a comparison in one sentence.

    For example: "bottleneck 4 against 32: AUROC lower by 0.012 [0.009, 0.015], d = -2.9, p = 0.0003
    (Holm)".

    Args:
        comparison: see :func:`verdict`.
        subject: description of the compared settings.
        metric: name of the metric. Its values are in [0, 1], so the interval is clipped to [-1, 1].
        alpha: see :func:`verdict`; a difference that is not significant is described as neither
            higher nor lower.

    Raises:
        InputError: see :func:`verdict`.
    """
    size = comparison.difference
    # The difference of two metrics in [0, 1] lies in [-1, 1].
    low = max(comparison.low, -1.0)
    high = min(comparison.high, 1.0)
    digits = _digits(size, low, high)
    is_open = verdict(comparison, "greater", alpha) == "open"
    if is_open or comparison.null != 0:
        gap = f"differs by {size:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    elif size > 0:
        gap = f"higher by {size:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    else:
        gap = f"lower by {-size:.{digits}f} [{-high:.{digits}f}, {-low:.{digits}f}]"
    effect = ""
    if comparison.effect is not None:
        effect = f", d = {comparison.effect:+.1f}"
    p, test = _decisive_p(comparison)
    margin = f" against {comparison.null:+g}" if comparison.null else ""
    return f"{subject}: {metric} {gap}{effect}, {_p_text(p, alpha)}{test}{margin}"


def _digits(size: float, low: float, high: float) -> int:
    """Return the number of decimals that shows at least two digits of the interval's half width.

    Small effects are therefore not printed as 0.000.
    """
    scale = (high - low) / 2 if high - low > NOTHING else abs(size)
    if scale <= NOTHING:
        return 3
    return min(9, max(3, 1 - math.floor(math.log10(scale))))


def _p_text(p: float, alpha: float) -> str:
    """Return p as text, with enough digits to be on the same side of alpha as the verdict."""
    if p < 1e-4 <= alpha:
        return "p < 0.0001"
    digits = 2
    text = f"{p:.2g}"
    while (float(text) < alpha) != (p < alpha):
        digits += 1
        text = f"{p:.{digits}g}"
    return f"p = {text}"


def _decisive_p(comparison: Comparison) -> tuple[float, str]:
    """Return the p-value that decides, and the name of its test."""
    p = comparison.p
    test = ""
    if comparison.p_holm is not None:
        p = comparison.p_holm
        test = " (Holm)"
    width = abs(comparison.high - comparison.low)
    sign_test = 2.0 ** (1 - comparison.n)
    if width <= NOTHING and p < sign_test:
        return sign_test, f" (sign test, all {comparison.n} seeds alike)"
    return p, test


def _confidence(value: float) -> None:
    if not 0 < value < 1:
        raise InputError(f"confidence: {value} is outside (0, 1)")

"""Detection thresholds: the severity at which a psychometric curve reaches an AUROC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError
from anomalist.core.randomness import resampling
from anomalist.metrics.psychometric import (
    Curve,
    Psychometric,
    fit_curve,
    fit_psychometric,
    rising_severities,
)

__all__ = ["Bootstrap", "Threshold", "bootstrap_psychometric", "detection_threshold"]

Array = NDArray[np.float64]

LEVELS = (0.75, 0.95)
_MISFIT = 0.02  # residual that is reported, because intervals show only the spread of seeds
_GRID = 50  # number of severities of the band
_COVERAGE = 0.95


class Threshold(NamedTuple):
    """The severity at which the AUROC reaches a level.

    Attributes:
        level: the AUROC.
        value: the severity; None if no measured severity reaches the level.
        low: lower end of the interval over resampled seeds; the smallest measured severity if it
            may be lower.
        high: upper end; None (open) if too many resamples do not reach the level.
        below: whether the smallest measured severity already reaches the level; ``value`` is then
            this severity.
        reason: why a number is None or uncertain, as text; None without remarks.
        reached: fraction of the resamples that reach the level; None without resamples.
    """

    level: float
    value: float | None
    low: float | None
    high: float | None
    below: bool
    reason: str | None = None
    reached: float | None = None


class Bootstrap(NamedTuple):
    """A fit with its uncertainty.

    Attributes:
        fit: the fit to all seeds.
        grid: ``[g]``, severities.
        low: ``[g]``, lower end of the pointwise 95 % band of the AUROC; None for a single seed.
        high: its upper end.
        thresholds: one per level.
    """

    fit: Psychometric
    grid: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    thresholds: tuple[Threshold, ...]


def detection_threshold(fit: Psychometric, level: float) -> Threshold:
    """Return the severity at which a fit reaches a level, without an interval.

    Args:
        fit: the result of :func:`anomalist.metrics.psychometric.fit_psychometric`.
        level: an AUROC in (0.5, 1).

    Raises:
        InputError: ``level`` is outside (0.5, 1).
    """
    if not 0.5 < level < 1:
        raise InputError(f"a detection threshold needs a level in (0.5, 1), got {level}")
    threshold = _threshold(fit.curve, level, fit.severity)
    misfit = None
    if fit.curve.rmse > _MISFIT:
        misfit = f"the curve misses the means by {fit.curve.rmse:.3f}"
    below = None
    if threshold.below:
        below = f"reached at the smallest severity, {fit.severity[0]:g}, or below"
    missed = None
    if threshold.value is None:
        missed = _not_reached(fit, level)
    return threshold._replace(reason=_join(below, missed, misfit))


def bootstrap_psychometric(
    severity: ArrayLike,
    auroc: ArrayLike,
    levels: Sequence[float] = LEVELS,
    *,
    seed: int = 0,
    resamples: int = 500,
) -> Bootstrap:
    """Fit a curve with a 95 % band and threshold intervals, by resampling the seeds.

    Plain percentile intervals are too narrow for ten seeds. They are expanded by the ratio of
    Student's t to the normal distribution (expanded percentile interval: Hesterberg, The American
    Statistician 2015). Resamples that do not reach the level count as above the largest severity
    and are not excluded. A single seed has no intervals.

    Resamples stay within the range of the seeds, which contains the median with probability 1 -
    2^(1 - n). Few seeds therefore cannot reach 95 %, which ``reason`` reports. Simulated coverage
    of a threshold: 3 seeds 74 %, 5 seeds 90 %, 10 seeds 95 %.

    Args:
        severity: ``[k]``, see :func:`anomalist.metrics.psychometric.fit_psychometric`.
        auroc: ``[n, k]``, a row per seed.
        levels: AUROCs in (0.5, 1).
        seed: seed of the resampling.
        resamples: number of resamples, at least two.

    Raises:
        InputError: see ``fit_psychometric`` and :func:`detection_threshold`, or fewer than two
            resamples.
    """
    if resamples < 2:
        raise InputError(f"resamples: {resamples} is too few; give at least 2, or better 500")
    s, y = rising_severities(severity, auroc)
    n = len(y)
    fit = fit_psychometric(s, y)
    grid = np.linspace(s[0], s[-1], _GRID)
    places = tuple(grid.tolist())
    plain = [detection_threshold(fit, level) for level in levels]
    if n == 1:
        alone = [_with_remark(one, "one seed shows no spread") for one in plain]
        return Bootstrap(fit, places, None, None, tuple(alone))
    curves = list(_resampled(s, y, fit.curve, seed, resamples))
    tail = _expanded_tail(n)
    band = np.sort([curve.at(grid) for curve in curves], axis=0)
    low = tuple(_quantile(band, tail).tolist())
    high = tuple(_quantile(band, 1 - tail).tolist())
    few = _few_seeds(n)
    thresholds = []
    for threshold in plain:
        with_interval = _add_interval(threshold, curves, fit.severity, tail)
        thresholds.append(_with_remark(with_interval, few))
    return Bootstrap(fit, places, low, high, tuple(thresholds))


def _expanded_tail(n: int) -> float:
    """Return the lower tail of the expanded percentile interval of n seeds."""
    t = scipy.stats.t.ppf((1 - _COVERAGE) / 2, n - 1)
    return float(scipy.stats.norm.cdf(t * np.sqrt(n / (n - 1))))


def _quantile(ordered: Array, share: float) -> Array:
    """Return a quantile of sorted values along the first axis."""
    return np.asarray(ordered[round(share * (len(ordered) - 1))])


def _few_seeds(n: int) -> str | None:
    """Return a remark if n seeds cannot reach the coverage, else None."""
    most = 1 - 2.0 ** (1 - n)
    if most >= _COVERAGE:
        return None
    return f"of {n} seeds the interval covers at most {most:.0%}, not {_COVERAGE:.0%}"


def _resampled(
    s: Array,
    y: Array,
    whole: Curve,
    seed: int,
    resamples: int,
) -> Iterator[Curve]:
    """Yield the fits to seeds drawn with replacement."""
    rng = resampling(seed)
    # The fit of a resample is near that of all seeds.
    start = (float(np.log(whole.scale)), whole.shape, whole.ceiling)
    for _ in range(resamples):
        drawn = y[rng.integers(0, len(y), len(y))]
        yield fit_curve(s, drawn.mean(axis=0), start)


def _threshold(
    curve: Curve,
    level: float,
    measured: Sequence[float],
) -> Threshold:
    value = _within(curve, level, measured)
    return Threshold(
        level=level,
        value=float(value) if np.isfinite(value) else None,
        low=None,
        high=None,
        below=bool(value <= measured[0]),
    )


def _within(curve: Curve, level: float, measured: Sequence[float]) -> float:
    """Return the severity that reaches the level, at least the smallest; infinity if none does."""
    value = curve.reaches(level)
    if value is None or value > measured[-1]:
        return np.inf
    return max(value, measured[0])


def _add_interval(
    threshold: Threshold,
    curves: Sequence[Curve],
    measured: Sequence[float],
    tail: float,
) -> Threshold:
    """Return a threshold with the interval from the curves of the resamples."""
    draws = np.sort([_within(curve, threshold.level, measured) for curve in curves])
    low = float(_quantile(draws, tail))
    high = float(_quantile(draws, 1 - tail))
    missed = int(np.sum(np.isinf(draws)))
    start = end = None
    if low <= measured[0]:
        start = f"the interval may begin below {measured[0]:g}"
    if np.isinf(high) and threshold.value is not None:  # else the remark on the fit reports it
        end = f"open above: {missed} of {len(draws)} resamples do not reach it"
    return threshold._replace(
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        reason=_join(threshold.reason, start, end),
        reached=1 - missed / len(draws),
    )


def _not_reached(fit: Psychometric, level: float) -> str:
    """Return a remark on the highest AUROC of the fit and of the means."""
    greatest = fit.severity[-1]
    last = f"{fit.curve.at(greatest):.3f}"
    remark = f"not reached: {last} at the greatest severity, {greatest:g}"
    best = int(np.argmax(fit.auroc))
    if fit.auroc[best] >= level:  # a monotone curve must not hide this
        remark += (
            f", but the mean itself is {fit.auroc[best]:.3f} at {fit.severity[best]:g}: go by the "
            "points"
        )
    return remark


def _with_remark(threshold: Threshold, remark: str | None) -> Threshold:
    return threshold._replace(reason=_join(threshold.reason, remark))


def _join(*remarks: str | None) -> str | None:
    return "; ".join(filter(None, remarks)) or None

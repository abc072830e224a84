"""Psychometric curves: how detection grows with severity, and the severity at which it reaches a level.

As an observer's answers are fitted in psychophysics (Wichmann & Hill, "The psychometric function:
I", Perception & Psychophysics 2001), with chance at 1/2 and a ceiling that need not be 1:

    AUROC(s) = 1/2 + (ceiling - 1/2) (1 - exp(-(s / scale)^shape))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used
from numpy.typing import ArrayLike, NDArray

from anomalist.errors import InputError

__all__ = [
    "Bootstrap",
    "Curve",
    "Psychometric",
    "Threshold",
    "bootstrap_psychometric",
    "detection_threshold",
    "energy_at",
    "fit_curve",
    "fit_psychometric",
]

Array = NDArray[np.float64]
LEVELS = (0.75, 0.95)
_SHAPES = (0.2, 10.0)  # beyond them a curve is flat or a step on any measured scale
_MISFIT = 0.02  # a residual worth a word: intervals show the seeds' spread, not a misfit


class Curve(NamedTuple):
    """A fitted curve, never falling.

    Attributes:
        scale: severity at which 63 % of the way to the ceiling is gone.
        shape: steepness.
        ceiling: the AUROC that it tends to, in [0.5, 1].
        rmse: root mean squared residual of the mean AUROCs: large where the course falls or has a
            kink.
    """

    scale: float
    shape: float
    ceiling: float
    rmse: float

    def at(self, severity: ArrayLike) -> Array:
        """Return the AUROC at severities of any shape."""
        return _model(
            np.array([np.log(self.scale), self.shape, self.ceiling]),
            np.asarray(severity, np.float64),
        )

    def reaches(self, level: float) -> float | None:
        """Return the severity at which the AUROC is ``level``, or None if the ceiling lies below it."""
        if level >= self.ceiling:
            return None
        rest = -np.log1p(-(level - 0.5) / (self.ceiling - 0.5))
        return float(self.scale * rest ** (1 / self.shape))


class Psychometric(NamedTuple):
    """A curve fitted to several seeds, beside what it was fitted to.

    Attributes:
        severity: ``[k]``, as measured, rising.
        auroc: ``[k]``, the means over seeds there.
        n: seeds.
        curve: the fitted curve.
        isotonic: ``[k]``, the non-falling values of at least 0.5 that lie nearest to ``auroc``
            (isotonic regression).
        isotonic_rmse: their residual, the least of any monotone fit: large where the course falls
            or is below 0.5.
    """

    severity: tuple[float, ...]
    auroc: tuple[float, ...]
    n: int
    curve: Curve
    isotonic: tuple[float, ...]
    isotonic_rmse: float


class Threshold(NamedTuple):
    """The severity at which a level is reached; None stands for "not within the measured severities".

    Attributes:
        level: the AUROC.
        value: the severity.
        low: lower end of the interval over resampled seeds; the smallest measured severity if it
            may lie below.
        high: upper end; None (open) if too many of the resamples do not reach the level.
        below: whether the level is passed at the smallest measured severity already: then ``value``
            is that one.
        reason: why a number is None or not the end that it seems, in words; None if there is
            nothing to say.
        reached: share of the resamples that reach the level; None without resamples.
    """

    level: float
    value: float | None
    low: float | None
    high: float | None
    below: bool
    reason: str | None = None
    reached: float | None = None


class Bootstrap(NamedTuple):
    """A fit, the pointwise 95 % band ``[g]`` of its AUROC on a grid ``[g]`` (None for one seed), and its thresholds."""

    fit: Psychometric
    grid: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    thresholds: tuple[Threshold, ...]


def fit_curve(severity: ArrayLike, auroc: ArrayLike) -> Curve:
    """Fit the curve to mean AUROCs by least squares.

    Args:
        severity: ``[k]``, above 0, three or more.
        auroc: ``[k]`` in [0, 1].

    Raises:
        InputError: too few points, lengths that differ, or values out of range.
    """
    s, y = np.asarray(severity, np.float64), np.asarray(auroc, np.float64)
    if s.ndim != 1 or s.shape != y.shape or len(s) < 3:
        raise InputError(
            f"a psychometric curve takes three or more points [k] and [k], got {s.shape} and "
            f"{y.shape}"
        )
    if not (np.all((s > 0) & np.isfinite(s)) and np.all((y >= 0) & (y <= 1))):
        raise InputError("a psychometric curve takes severities above 0 and AUROCs in [0, 1]")
    middles, ceiling = np.log(np.quantile(s, (0, 0.5))), float(np.clip(y.max(), 0.51, 0.99))
    return min(
        (_fit(s, y, (middle, shape, ceiling)) for middle in middles for shape in (1, 3)),
        key=lambda c: c.rmse,
    )


def _fit(s: Array, y: Array, start: tuple[float, float, float]) -> Curve:
    bounds = ([np.log(s.min()) - 5, _SHAPES[0], 0.5], [np.log(s.max()) + 5, _SHAPES[1], 1.0])
    found = scipy.optimize.least_squares(
        lambda p: _model(p, s) - y, np.clip(start, *bounds), bounds=bounds
    )
    log_scale, shape, ceiling = (float(value) for value in found.x)
    return Curve(float(np.exp(log_scale)), shape, ceiling, float(np.sqrt(np.mean(found.fun**2))))


def fit_psychometric(severity: ArrayLike, auroc: ArrayLike) -> Psychometric:
    """Fit the curve to several seeds, and hold it against the best of all fits that never fall.

    Args:
        severity: ``[k]``, above 0, three or more, all distinct, in any order.
        auroc: ``[n, k]`` in [0, 1], a row a seed.

    Raises:
        InputError: shapes that do not fit, equal severities, or as for :func:`fit_curve`.
    """
    s, y = _measured(severity, auroc)
    mean = y.mean(axis=0)
    best = np.maximum(
        scipy.optimize.isotonic_regression(mean).x, 0.5
    )  # clipped, it is the best of those above chance
    rmse = float(np.sqrt(np.mean((best - mean) ** 2)))
    return Psychometric(
        tuple(s.tolist()),
        tuple(mean.tolist()),
        len(y),
        fit_curve(s, mean),
        tuple(best.tolist()),
        rmse,
    )


def detection_threshold(fit: Psychometric, level: float) -> Threshold:
    """Return where a fit reaches a level, within the measured severities and without an interval.

    Args:
        fit: of :func:`fit_psychometric`.
        level: an AUROC in (0.5, 1).

    Raises:
        InputError: another level.
    """
    if not 0.5 < level < 1:
        raise InputError(f"a detection threshold takes a level in (0.5, 1), got {level}")
    found = _threshold(fit.curve, [], level, fit.severity, 0.5)
    misfit = (
        f"the curve misses the means by {fit.curve.rmse:.3f}" if fit.curve.rmse > _MISFIT else None
    )
    if found.value is not None:
        below = (
            f"reached at the smallest severity, {fit.severity[0]:g}, or below"
            if found.below
            else None
        )
        return found._replace(reason=_join(below, misfit))
    reason = (
        f"not reached: {fit.curve.at(fit.severity[-1]):.3f} at the greatest severity, "
        f"{fit.severity[-1]:g}"
    )
    best = int(np.argmax(fit.auroc))
    if fit.auroc[best] >= level:  # what a curve that never falls must not hide
        reason += (
            f", but the mean itself is {fit.auroc[best]:.3f} at {fit.severity[best]:g}: go "
            "by the points"
        )
    return found._replace(reason=_join(reason, misfit))


def bootstrap_psychometric(
    severity: ArrayLike,
    auroc: ArrayLike,
    levels: Sequence[float] = LEVELS,
    *,
    seed: int = 0,
    resamples: int = 500,
) -> Bootstrap:
    """Fit, with a 95 % band and an interval for each threshold from seeds drawn with replacement.

    The percentiles are moved out as Student's t is wider than the normal, since plain ones are too
    narrow for ten seeds (expanded percentile interval: Hesterberg, The American Statistician 2015).
    A resample that does not reach the level counts as beyond the greatest severity and is never
    left out. One seed has no intervals.

    No resample leaves the range of the seeds, which holds a median with probability 1 - 2^(1 - n):
    so few seeds cannot reach 95 %, and ``reason`` says so. Simulated coverage of a threshold: 3
    seeds 74 %, 5 seeds 90 %, 10 seeds 95 %.

    Args:
        severity: ``[k]``, as for :func:`fit_psychometric`.
        auroc: ``[n, k]``, a row a seed.
        levels: AUROCs in (0.5, 1).
        seed: of the resampling.
        resamples: two or more.

    Raises:
        InputError: as for :func:`fit_psychometric` and :func:`detection_threshold`, or fewer than
            two resamples.
    """
    if resamples < 2:
        raise InputError(f"resamples: {resamples} is too few; give at least 2, better 500")
    s, y = _measured(severity, auroc)
    fit, n, grid = fit_psychometric(s, y), len(y), np.linspace(s[0], s[-1], 50)
    found = [detection_threshold(fit, level) for level in levels]
    if n == 1:
        alone = (
            one._replace(reason=_join(one.reason, "one seed shows no spread")) for one in found
        )
        return Bootstrap(fit, tuple(grid.tolist()), None, None, tuple(alone))
    curves = list(_resampled(s, y, fit.curve, seed, resamples))
    tail = float(scipy.stats.norm.cdf(scipy.stats.t.ppf(0.025, n - 1) * np.sqrt(n / (n - 1))))
    band = np.sort([curve.at(grid) for curve in curves], axis=0)
    low, high = (tuple(band[round(q * (resamples - 1))].tolist()) for q in (tail, 1 - tail))
    ranges = [_threshold(fit.curve, curves, level, fit.severity, tail) for level in levels]
    most = 1 - 2.0 ** (1 - n)
    few = f"of {n} seeds the interval covers at most {most:.0%}, not 95%" if most < 0.95 else None
    told = [
        new._replace(reason=_join(old.reason, new.reason, few))
        for old, new in zip(found, ranges, strict=True)
    ]
    return Bootstrap(fit, tuple(grid.tolist()), low, high, tuple(told))


def energy_at(severity: ArrayLike, severities: ArrayLike, energies: ArrayLike) -> Array:
    """Return the mean changed energy at severities between the measured ones: one scale for unlike corruptions.

    Cubic and monotone (Fritsch & Carlson, SIAM J. Numer. Anal. 1980), through the nearest values
    that never fall.

    Args:
        severity: of any shape, within the measured ones.
        severities: ``[k]`` measured, two or more, all distinct.
        energies: ``[k]``, such as the mean squared change of a pixel.

    Raises:
        InputError: shapes that do not fit, values that are not finite, or a severity beyond the
            measured ones.
    """
    s, e, wanted = (np.asarray(given, np.float64) for given in (severities, energies, severity))
    if (
        s.ndim != 1
        or s.shape != e.shape
        or len(np.unique(s)) < max(2, len(s))
        or not np.all(np.isfinite(s + e))
    ):
        raise InputError(
            f"energies are finite, at two or more distinct severities, got {s.shape} and {e.shape}"
        )
    if not np.all((wanted >= s.min()) & (wanted <= s.max())):
        raise InputError(f"energies are known for severities from {s.min():g} to {s.max():g} alone")
    order = np.argsort(s)
    rising = scipy.optimize.isotonic_regression(e[order]).x
    return np.asarray(scipy.interpolate.PchipInterpolator(s[order], rising)(wanted), np.float64)


def _measured(severity: ArrayLike, auroc: ArrayLike) -> tuple[Array, Array]:
    s, y = np.asarray(severity, np.float64), np.asarray(auroc, np.float64)
    if (
        s.ndim != 1
        or y.ndim != 2
        or y.shape[1] != len(s)
        or not y.size
        or len(np.unique(s)) < len(s)
    ):
        raise InputError(
            f"a psychometric curve takes distinct severities [k], AUROCs [n, k]; got {s.shape}, "
            f"{y.shape}"
        )
    if not np.all((y >= 0) & (y <= 1)):  # a mean could hide it
        raise InputError("a psychometric curve takes AUROCs in [0, 1]; leave unfinished seeds out")
    order = np.argsort(s)
    return s[order], np.ascontiguousarray(y[:, order])  # a mean's last bits depend on the layout


def _resampled(s: Array, y: Array, whole: Curve, seed: int, resamples: int) -> Iterator[Curve]:
    rng = np.random.default_rng(seed)
    start = (
        float(np.log(whole.scale)),
        whole.shape,
        whole.ceiling,
    )  # a resample's fit lies near the whole's
    for _ in range(resamples):
        yield _fit(s, y[rng.integers(0, len(y), len(y))].mean(axis=0), start)


def _threshold(
    whole: Curve, curves: list[Curve], level: float, measured: Sequence[float], tail: float
) -> Threshold:
    def within(curve: Curve) -> float:
        found = curve.reaches(level)
        return np.inf if found is None or found > measured[-1] else max(found, measured[0])

    value = within(whole)
    middle, below = float(value) if np.isfinite(value) else None, bool(value <= measured[0])
    if not curves:
        return Threshold(level, middle, None, None, below)
    draws = np.sort([within(curve) for curve in curves])
    low, high = (draws[round(q * (len(draws) - 1))] for q in (tail, 1 - tail))
    left, right = (float(end) if np.isfinite(end) else None for end in (low, high))
    missed = int(np.sum(np.isinf(draws)))
    start = f"the interval may begin below {measured[0]:g}" if low <= measured[0] else None
    cut = (
        right is None and middle is not None
    )  # where the fit itself does not reach it, that is said already
    end = f"open above: {missed} of {len(draws)} resamples do not reach it" if cut else None
    return Threshold(level, middle, left, right, below, _join(start, end), 1 - missed / len(draws))


def _join(*notes: str | None) -> str | None:
    return "; ".join(filter(None, notes)) or None


def _model(parameters: Array, severity: Array) -> Array:
    log_scale, shape, ceiling = parameters
    with np.errstate(over="ignore"):
        rise = -np.expm1(-((severity / np.exp(log_scale)) ** shape))
    return np.asarray(0.5 + (ceiling - 0.5) * rise, np.float64)

"""Psychometric curves: how detection grows with severity, and the severity at which it reaches a level.

As an observer's answers are fitted in psychophysics (Wichmann & Hill, "The psychometric function: I", Perception &
Psychophysics 2001), with chance at 1/2 and a ceiling that need not be 1:

    AUROC(s) = 1/2 + (ceiling - 1/2) (1 - exp(-(s / scale)^shape))
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from anomalist.errors import InputError

__all__ = ["Curve", "Threshold", "fit_curve", "thresholds"]

_SHAPES = (0.2, 10.0)  # beyond them a curve is flat or a step on any measured scale


class Curve(NamedTuple):
    """A fitted curve, never falling.

    Attributes:
        scale: severity at which 63 % of the way to the ceiling is gone.
        shape: steepness.
        ceiling: AUROC at the greatest severity, in [0.5, 1].
        rmse: root mean squared residual of the mean AUROCs: what a falling or kinked course shows itself by.
    """

    scale: float
    shape: float
    ceiling: float
    rmse: float

    def at(self, severity: ArrayLike) -> NDArray[np.float64]:
        """Return the AUROC at severities of any shape."""
        return _model(np.array([np.log(self.scale), self.shape, self.ceiling]), np.asarray(severity, np.float64))

    def reaches(self, level: float) -> float | None:
        """Return the severity at which the AUROC is ``level``, or None if the ceiling lies below it."""
        if level >= self.ceiling:
            return None
        rest = -np.log1p(-(level - 0.5) / (self.ceiling - 0.5))
        return float(self.scale * rest ** (1 / self.shape))


class Threshold(NamedTuple):
    """The severity at which a level is reached; None stands for "not within the measured severities".

    Attributes:
        level: the AUROC.
        value: the severity.
        low: 2.5 % point over resampled seeds.
        high: 97.5 % point; None if more than 2.5 % of the resamples do not reach the level.
        below: whether the level is passed at the smallest measured severity already: then ``value`` is that one.
    """

    level: float
    value: float | None
    low: float | None
    high: float | None
    below: bool


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
        raise InputError(f"a psychometric curve takes three or more points [k] and [k], got {s.shape} and {y.shape}")
    if not (np.all(s > 0) and np.all((y >= 0) & (y <= 1))):
        raise InputError("a psychometric curve takes severities above 0 and AUROCs in [0, 1]")
    middles, ceiling = np.log(np.quantile(s, (0, 0.5))), float(np.clip(y.max(), 0.51, 0.99))
    return min((_fit(s, y, (middle, shape, ceiling)) for middle in middles for shape in (1, 3)), key=lambda c: c.rmse)


def _fit(s: NDArray[np.float64], y: NDArray[np.float64], start: tuple[float, float, float]) -> Curve:
    bounds = ([np.log(s.min()) - 5, _SHAPES[0], 0.5], [np.log(s.max()) + 5, _SHAPES[1], 1.0])
    found = least_squares(lambda p: _model(p, s) - y, np.clip(start, *bounds), bounds=bounds)
    log_scale, shape, ceiling = (float(value) for value in found.x)
    return Curve(float(np.exp(log_scale)), shape, ceiling, float(np.sqrt(np.mean(found.fun**2))))


def thresholds(
    severity: ArrayLike,
    auroc: ArrayLike,
    levels: tuple[float, ...] = (0.75, 0.95),
    *,
    seed: int = 0,
    resamples: int = 200,
) -> list[Threshold]:
    """Return the severity at which each level is reached, with an interval from resampled seeds.

    Nothing is said beyond the measured severities.

    Args:
        severity: ``[k]``, above 0.
        auroc: ``[n, k]``, a row a seed.
        levels: AUROCs above 0.5.
        seed: of the resampling.
        resamples: how many.

    Raises:
        InputError: as for :func:`fit_curve`.
    """
    s, y = np.asarray(severity, np.float64), np.asarray(auroc, np.float64)
    if y.ndim != 2 or not y.size:
        raise InputError(f"thresholds take AUROCs [seeds, severities], got {y.shape}")
    rng = np.random.default_rng(seed)
    whole = fit_curve(s, y.mean(axis=0))
    start = (np.log(whole.scale), whole.shape, whole.ceiling)  # a resample's fit lies near the whole's
    curves = [_fit(s, y[rng.integers(0, len(y), len(y))].mean(axis=0), start) for _ in range(resamples)]
    return [_threshold(whole, curves, level, s.min(), s.max()) for level in levels]


def _threshold(whole: Curve, curves: list[Curve], level: float, smallest: float, greatest: float) -> Threshold:
    def within(curve: Curve) -> float:
        found = curve.reaches(level)
        return np.inf if found is None or found > greatest else max(found, smallest)

    value = within(whole)
    draws = np.sort([within(curve) for curve in curves])
    low, high = (draws[round(q * (len(draws) - 1))] for q in (0.025, 0.975))
    middle, left, right = (float(end) if np.isfinite(end) else None for end in (value, low, high))
    return Threshold(level, middle, left, right, below=bool(value <= smallest))


def _model(parameters: NDArray[np.float64], severity: NDArray[np.float64]) -> NDArray[np.float64]:
    log_scale, shape, ceiling = parameters
    with np.errstate(over="ignore"):
        rise = -np.expm1(-((severity / np.exp(log_scale)) ** shape))
    result: NDArray[np.float64] = 0.5 + (ceiling - 0.5) * rise
    return result

"""Psychometric curves: how detection grows with severity.

The model is the curve that psychophysics fits to an observer's responses (Wichmann & Hill, "The
psychometric function: I", Perception & Psychophysics 2001), with chance level 1/2 and a ceiling
that may be below 1::

    AUROC(s) = 1/2 + (ceiling - 1/2) (1 - exp(-(s / scale)^shape))
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError

__all__ = [
    "Curve",
    "Psychometric",
    "energy_at",
    "fit_curve",
    "fit_psychometric",
    "rising_severities",
]

Array = NDArray[np.float64]
Start = tuple[float, float, float]

_SHAPES = (0.2, 10.0)  # beyond these a curve is flat or a step on any measured scale
_SCALE_ROOM = 5.0  # the scale may exceed the measured severities by a factor of exp(5)
_FEWEST_POINTS = 3


class Curve(NamedTuple):
    """A fitted monotone curve.

    Attributes:
        scale: severity at which the AUROC has reached 63 % of the way to the ceiling.
        shape: steepness.
        ceiling: limit of the AUROC, in [0.5, 1].
        rmse: root mean squared residual of the mean AUROCs; large if they decrease or have a kink.
    """

    scale: float
    shape: float
    ceiling: float
    rmse: float

    def at(self, severity: ArrayLike) -> Array:
        """Return the AUROC at severities of any shape."""
        parameters = np.array([np.log(self.scale), self.shape, self.ceiling])
        return _model(parameters, np.asarray(severity, np.float64))

    def reaches(self, level: float) -> float | None:
        """Return the severity at which the AUROC is ``level``; None if the ceiling is lower."""
        if level >= self.ceiling:
            return None
        rest = -np.log1p(-(level - 0.5) / (self.ceiling - 0.5))
        return float(self.scale * rest ** (1 / self.shape))


class Psychometric(NamedTuple):
    """A curve fitted to several seeds, with its data.

    Attributes:
        severity: ``[k]``, measured severities, ascending.
        auroc: ``[k]``, means over seeds.
        n: number of seeds.
        curve: the fitted curve.
        isotonic: ``[k]``, isotonic regression of ``auroc``, with values of at least 0.5.
        isotonic_rmse: its residual, the smallest of any monotone fit; large if the means decrease
            or are below 0.5.
    """

    severity: tuple[float, ...]
    auroc: tuple[float, ...]
    n: int
    curve: Curve
    isotonic: tuple[float, ...]
    isotonic_rmse: float


def fit_curve(
    severity: ArrayLike,
    auroc: ArrayLike,
    start: Start | None = None,
) -> Curve:
    """Fit the curve to mean AUROCs by least squares.

    Args:
        severity: ``[k]``, above 0, at least three.
        auroc: ``[k]`` in [0, 1].
        start: initial logarithm of the scale, shape and ceiling; None: the best of four fits with
            different initial values.

    Raises:
        InputError: too few points, different lengths, or values out of range.
    """
    s = np.asarray(severity, np.float64)
    y = np.asarray(auroc, np.float64)
    if s.ndim != 1 or s.shape != y.shape or len(s) < _FEWEST_POINTS:
        raise InputError(
            f"a psychometric curve needs at least three points [k] and [k], got {s.shape} and "
            f"{y.shape}"
        )
    if not (np.all((s > 0) & np.isfinite(s)) and np.all((y >= 0) & (y <= 1))):
        raise InputError("a psychometric curve needs severities above 0 and AUROCs in [0, 1]")
    if start is not None:
        return _fit_from(start, s, y)
    ceiling = float(np.clip(y.max(), 0.51, 0.99))
    fits = []
    for log_scale in np.log(np.quantile(s, (0, 0.5))):
        for shape in (1, 3):
            fits.append(_fit_from((log_scale, shape, ceiling), s, y))
    return min(fits, key=lambda curve: curve.rmse)


def fit_psychometric(severity: ArrayLike, auroc: ArrayLike) -> Psychometric:
    """Fit the curve to several seeds, and compare it with the best monotone fit.

    Args:
        severity: ``[k]``, above 0, at least three, distinct, in any order.
        auroc: ``[n, k]`` in [0, 1], a row per seed.

    Raises:
        InputError: invalid shapes, equal severities, or see :func:`fit_curve`.
    """
    s, y = rising_severities(severity, auroc)
    mean = y.mean(axis=0)
    # Clipping gives the best monotone fit above chance.
    isotonic = np.maximum(scipy.optimize.isotonic_regression(mean).x, 0.5)
    isotonic_rmse = float(np.sqrt(np.mean((isotonic - mean) ** 2)))
    return Psychometric(
        severity=tuple(s.tolist()),
        auroc=tuple(mean.tolist()),
        n=len(y),
        curve=fit_curve(s, mean),
        isotonic=tuple(isotonic.tolist()),
        isotonic_rmse=isotonic_rmse,
    )


def rising_severities(severity: ArrayLike, auroc: ArrayLike) -> tuple[Array, Array]:
    """Return severities ``[k]`` in ascending order and their AUROCs ``[n, k]``.

    Args:
        severity: ``[k]``, all distinct.
        auroc: ``[n, k]`` in [0, 1], a row per seed.

    Raises:
        InputError: invalid shapes, equal severities, or AUROCs out of range.
    """
    s = np.asarray(severity, np.float64)
    y = np.asarray(auroc, np.float64)
    fits = s.ndim == 1 and y.ndim == 2 and y.size > 0 and y.shape[1] == len(s)
    if not fits or len(np.unique(s)) < len(s):
        raise InputError(
            f"a psychometric curve needs distinct severities [k], AUROCs [n, k]; got {s.shape}, "
            f"{y.shape}"
        )
    if not np.all((y >= 0) & (y <= 1)):  # the mean could be in range
        raise InputError("a psychometric curve needs AUROCs in [0, 1]; exclude unfinished seeds")
    order = np.argsort(s)
    return s[order], np.ascontiguousarray(y[:, order])  # a mean's last bits depend on the layout


def energy_at(
    severity: ArrayLike,
    severities: ArrayLike,
    energies: ArrayLike,
) -> Array:
    """Interpolate the mean changed energy at severities.

    Energy is a scale on which different corruptions are comparable. The interpolation is cubic and
    monotone (Fritsch & Carlson, SIAM J. Numer. Anal. 1980), through the isotonic regression of the
    measured energies.

    Args:
        severity: severities of any shape, within the measured range.
        severities: ``[k]``, measured, at least two, distinct.
        energies: ``[k]``, such as the mean squared change of a pixel.

    Raises:
        InputError: invalid shapes, values that are not finite, or a severity outside the measured
            range.
    """
    s = np.asarray(severities, np.float64)
    e = np.asarray(energies, np.float64)
    wanted = np.asarray(severity, np.float64)
    fits = s.ndim == 1 and s.shape == e.shape and len(s) >= 2
    if not fits or len(np.unique(s)) < len(s) or not np.all(np.isfinite(s + e)):
        raise InputError(
            f"energies must be finite at two or more distinct severities, got {s.shape}, {e.shape}"
        )
    if not np.all((wanted >= s.min()) & (wanted <= s.max())):
        raise InputError(f"energies are known only for severities from {s.min():g} to {s.max():g}")
    order = np.argsort(s)
    rising = scipy.optimize.isotonic_regression(e[order]).x
    interpolator = scipy.interpolate.PchipInterpolator(s[order], rising)
    return np.asarray(interpolator(wanted), np.float64)


def _fit_from(start: Start, s: Array, y: Array) -> Curve:
    lowest = [np.log(s.min()) - _SCALE_ROOM, _SHAPES[0], 0.5]
    highest = [np.log(s.max()) + _SCALE_ROOM, _SHAPES[1], 1.0]
    solution = scipy.optimize.least_squares(
        lambda parameters: _model(parameters, s) - y,
        np.clip(start, lowest, highest),
        bounds=(lowest, highest),
    )
    log_scale, shape, ceiling = solution.x
    rmse = np.sqrt(np.mean(solution.fun**2))
    return Curve(float(np.exp(log_scale)), float(shape), float(ceiling), float(rmse))


def _model(parameters: Array, severity: Array) -> Array:
    log_scale, shape, ceiling = parameters
    with np.errstate(over="ignore"):
        rise = -np.expm1(-((severity / np.exp(log_scale)) ** shape))
    return np.asarray(0.5 + (ceiling - 0.5) * rise, np.float64)

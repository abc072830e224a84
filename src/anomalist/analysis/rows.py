"""Rows of a study: flat rows, and means over seeds with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from anomalist.metrics.comparison import mean_interval
from anomalist.models import SEEN

__all__ = ["Flat", "averaged", "flatten", "model_label", "points", "sections"]

Flat = dict[str, Any]


def flatten(row: dict[str, Any]) -> Flat:
    """Return a trial's row with flat columns: ``task.corruption``, ``auroc`` and others.

    A metric has three columns: its value and the ends of its interval within the trial, for example
    ``auroc_low`` and ``auroc_high``.
    """
    flat: Flat = {"trial": row["trial"]}
    for name, value in row["config"].items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": _plain(item) for key, item in value.items()}
        else:
            flat[name] = _plain(value)
    flat |= row["facts"]
    flat["model.name"] = model_label(row)
    flat["model"] = model_label(row, "model")
    for name, estimate in row["metrics"].items():
        flat[name] = estimate["value"]
        flat[f"{name}_low"] = estimate["low"]
        flat[f"{name}_high"] = estimate["high"]
    return flat


def model_label(row: dict[str, Any], fact: str | None = None) -> str:
    """Return the label of a row's detector, see :attr:`anomalist.models.Detector.label`.

    Args:
        row: the row of a trial.
        fact: ``"model"`` to include the options.
    """
    name = str(row["facts"].get(fact) or row["config"]["model"]["name"])  # old rows lack the fact
    return name + SEEN if "trained_on" in row["facts"] else name


def averaged(
    table: Sequence[Flat],
    axis: str,
    keep: Sequence[str],
    metric: str,
) -> list[Flat]:
    """Return the mean of a metric over the values of an axis, such as the ten digits of a seed.

    Args:
        table: flat rows.
        axis: the column to average over.
        keep: the columns that distinguish rows.
        metric: the column of values.

    Returns:
        rows with ``keep`` and ``metric``, for groups with all values of the axis.
    """
    axis_values = {row.get(axis) for row in table}
    groups: dict[tuple[Any, ...], dict[Any, float]] = {}
    for row in table:
        if row.get(metric) is not None:
            group = groups.setdefault(_key(row, keep), {})
            group[row.get(axis)] = float(row[metric])
    means = []
    for key, values in groups.items():
        if set(values) == axis_values:
            mean = sum(values.values()) / len(values)
            means.append(dict(zip(keep, key, strict=True)) | {metric: mean})
    return means


def sections(table: Sequence[Flat], axes: Sequence[str]) -> list[tuple[str, list[Flat]]]:
    """Return the rows of each combination of the axes' values.

    Each combination has a title, for example ``"labelled=0.01, contamination=0"``.
    """
    parts: dict[str, list[Flat]] = {}
    for row in table:
        settings = [f"{axis.rpartition('.')[2]}={row.get(axis) or 0:g}" for axis in axes]
        parts.setdefault(", ".join(settings), []).append(row)
    return list(parts.items())


def points(
    table: Sequence[Flat],
    axes: Sequence[str],
    metric: str,
    confidence: float = 0.95,
) -> list[Flat]:
    """Return the mean of a metric over seeds, for every combination of the axes' values.

    Args:
        table: flat rows.
        axes: the columns that distinguish points.
        metric: the column of values; rows without it are ignored.
        confidence: confidence level of the interval.

    Returns:
        a row per point: the axes, ``mean``, Student's t interval ``low`` and ``high`` (None for a
        single seed), clipped to [0, 1], ``n``, and the raw ``values``.
    """
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in table:
        if row.get(metric) is not None:
            groups.setdefault(_key(row, axes), []).append(float(row[metric]))
    result = []
    for key, values in groups.items():
        interval = mean_interval(values, confidence)
        if interval.low is not None and interval.high is not None:
            interval = interval._replace(low=max(0.0, interval.low), high=min(1.0, interval.high))
        point = dict(zip(axes, key, strict=True)) | interval._asdict()
        result.append(point | {"values": values})
    return result


def _key(row: Flat, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in columns)


def _plain(value: Any) -> Any:
    """Return a list as text, so that each column has one type."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return " ".join(map(str, value))
    return value

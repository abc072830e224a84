"""Tables of a study: every raw row, flat, and the mean over seeds of each point with its interval."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from anomalist.detector import SEEN
from anomalist.files import make_folder, replacing
from anomalist.metrics.comparison import mean_interval

__all__ = ["averaged", "flatten", "model_label", "points", "sections", "write", "write_csv"]

Flat = dict[str, Any]


def flatten(row: dict[str, Any]) -> Flat:
    """Return a trial's row as one level of columns, such as ``task.corruption``, ``model.bottleneck`` or ``auroc``.

    A metric has three columns: its value, and its interval within the trial as ``auroc_low`` and
    ``auroc_high``.
    """
    flat: Flat = {"trial": row["trial"]}
    for name, value in row["config"].items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{name}.{key}".rstrip("."): _plain(item) for key, item in inner}
    flat |= row["facts"] | {"model.name": model_label(row), "model": model_label(row, "model")}
    for name, found in row["metrics"].items():
        flat |= {name: found["value"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
    return flat


def model_label(row: dict[str, Any], fact: str | None = None) -> str:
    """Return a row's detector as reports print it, see :attr:`anomalist.detector.Detector.label`.

    Args:
        row: a trial's row.
        fact: ``"model"`` for its options beside its name.
    """
    name = row["facts"].get(fact) or row["config"]["model"]["name"]  # older rows lack the fact
    return str(name) + SEEN * ("trained_on" in row["facts"])


def averaged(table: Sequence[Flat], axis: str, keep: Sequence[str], metric: str) -> list[Flat]:
    """Return the mean of a metric over the values of an axis, such as a seed's ten digits, as one row each.

    Args:
        table: flat rows.
        axis: the column that is averaged over.
        keep: the columns that tell rows apart.
        metric: a column.

    Returns:
        rows of ``keep`` and ``metric``, for those groups that have all values of the axis.
    """
    values = {row.get(axis) for row in table}
    groups: dict[tuple[Any, ...], dict[Any, float]] = {}
    for row in table:
        if row.get(metric) is not None:
            groups.setdefault(tuple(row.get(name) for name in keep), {})[row.get(axis)] = float(
                row[metric]
            )
    return [
        dict(zip(keep, key, strict=True)) | {metric: sum(found.values()) / len(found)}
        for key, found in groups.items()
        if set(found) == values
    ]


def sections(table: Sequence[Flat], axes: Sequence[str]) -> list[tuple[str, list[Flat]]]:
    """Return the rows of each combination of the axes' values, headed e.g. ``"labelled=0.01, contamination=0"``."""
    found: dict[str, list[Flat]] = {}
    for row in table:
        title = ", ".join(f"{axis.rpartition('.')[2]}={row.get(axis) or 0:g}" for axis in axes)
        found.setdefault(title, []).append(row)
    return list(found.items())


def points(
    table: Sequence[Flat], axes: Sequence[str], metric: str, confidence: float = 0.95
) -> list[Flat]:
    """Return, for every combination of the axes' values, the mean of a metric over its rows, the seeds.

    Args:
        table: flat rows.
        axes: columns.
        metric: a column; rows without it are passed over.
        confidence: of the interval.

    Returns:
        a row a point: the axes, ``mean``, Student's t interval ``low`` and ``high`` (None for a
        single seed), cut to [0, 1], the range of every metric, ``n``, and the raw ``values``.
    """
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in table:
        if row.get(metric) is not None:
            groups.setdefault(tuple(row.get(axis) for axis in axes), []).append(float(row[metric]))
    found = []
    for key, values in groups.items():
        interval = mean_interval(values, confidence)
        if interval.low is not None and interval.high is not None:
            interval = interval._replace(low=max(0.0, interval.low), high=min(1.0, interval.high))
        found.append(dict(zip(axes, key, strict=True)) | interval._asdict() | {"values": values})
    return found


def write(table: Sequence[Flat], folder: Path, name: str) -> list[Path]:
    """Write the raw rows as ``NAME.csv`` and, where pyarrow is installed, ``NAME.parquet``; return the paths."""
    make_folder(folder)
    written = [folder / f"{name}.csv"]
    write_csv(table, written[0])
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return written
    written.append(folder / f"{name}.parquet")
    with replacing(written[1]) as temporary:
        whole = {column: [row.get(column) for row in table] for column in _columns(table)}
        parquet.write_table(pyarrow.table(whole), temporary)
    return written


def write_csv(table: Sequence[Flat], path: Path) -> None:
    """Write rows as CSV, a column for whatever any of them has; None is an empty cell."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, _columns(table), lineterminator="\n")
        out.writeheader()
        out.writerows(table)


def _columns(table: Sequence[Flat]) -> list[str]:
    return list(dict.fromkeys(column for row in table for column in row))


def _plain(value: Any) -> Any:
    """Return a list as text, so that a column has one type."""
    return (
        " ".join(map(str, value))
        if isinstance(value, Iterable) and not isinstance(value, str)
        else value
    )

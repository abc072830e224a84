"""Rows of a benchmark in one CSV, per detector, task and seed; also for reference rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anomalist.analysis.rows import Flat
from anomalist.core.errors import InputError
from anomalist.metrics.table import shown_in

__all__ = ["Place", "make", "matching", "read"]

_ENDS = {"": "value", "_low": "low", "_high": "high"}  # suffixes of a metric's columns
_METRICS = tuple(metric.key for metric in shown_in("benchmark"))
_NUMBERS = tuple(f"{metric}{end}" for metric in _METRICS for end in _ENDS)
_COSTS = ("fit_s", "images_per_s", "threads")
_TEXTS = ("suite", "group", "task", "task_sha256", "model")
_MAX_BYTES = 100 << 20


class Place(NamedTuple):
    """The task of a row.

    Attributes:
        group: group in the suite.
        task: short name of the task.
        task_sha256: identity of the task, see :func:`anomalist.exchange.task_hash`.
    """

    group: str
    task: str
    task_sha256: str


def make(
    suite: str,
    version: int | None,
    place: Place,
    model: str,
    seed: int,
    metrics: Mapping[str, Any],
    **more: Any,
) -> Flat:
    """Return a row.

    Args:
        suite: name of the suite; empty for a row without a suite.
        version: version of the suite; None for a row without a suite.
        place: the task.
        model: label of the detector in reports.
        seed: seed of the trial.
        metrics: ``value``, ``low`` and ``high`` by key; metrics that a benchmark does not show are
            dropped.
        more: ``fit_s``, ``images_per_s``, ``threads`` and ``duplicates``, if known.
    """
    row: Flat = {"suite": suite, "version": version, **place._asdict()}
    row |= {"seed": seed, "model": model}
    for key in _METRICS:
        estimate = metrics.get(key)
        for end, part in _ENDS.items():
            row[key + end] = None if estimate is None else estimate[part]
    return row | {name: more.get(name) for name in (*_COSTS, "duplicates")}


def read(path: Path) -> list[Flat]:
    """Return the rows of a file that a benchmark or ``anomalist evaluate`` wrote.

    Raises:
        InputError: the file cannot be read, lacks a column, or contains an invalid value.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a table of results; give a rows.csv")
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file: {error}") from None
    columns = lines[0] if lines else {}
    missing = [name for name in (*_TEXTS, "version", "seed", *_NUMBERS) if name not in columns]
    if missing:
        raise InputError(
            f"{path} has no column {missing[0]!r}; give the rows.csv of a benchmark or an "
            "evaluation"
        )
    return [_typed(line, f"{path}, line {number}") for number, line in enumerate(lines, start=2)]


def matching(
    rows: Iterable[Flat],
    suite: str,
    version: int,
    places: Sequence[Place],
    seeds: int,
) -> tuple[list[Flat], int]:
    """Return the rows that are comparable with a suite, and the number of other rows.

    A row is comparable if it belongs to this suite and version, or to no suite, and the hash of its
    task is in ``places``.

    Args:
        rows: the result of :func:`read`.
        suite: name of the suite.
        version: version of the suite.
        places: the tasks of the suite with available data.
        seeds: number of seeds to compare: 0, 1, …
    """
    here = {place.task_sha256: place for place in places}
    kept: list[Flat] = []
    excluded = 0
    for row in rows:
        place = here.get(row["task_sha256"])
        is_other_suite = row["suite"] and (row["suite"], row["version"]) != (suite, version)
        if place is None or is_other_suite or row["seed"] >= seeds:
            excluded += 1
        else:
            kept.append(row | place._asdict() | {"suite": suite, "version": version})
    return kept, excluded


def _typed(line: Mapping[str, str], where: str) -> Flat:
    row: Flat = {name: line[name] or "" for name in _TEXTS}
    model = row["model"]
    if not model or not model.isprintable() or "|" in model:
        raise InputError(
            f"{where}: model must be a name of printable characters without |, got {model!r}"
        )
    for name in ("version", "seed"):
        row[name] = _whole_number(line.get(name), f"{where}: {name}")
    for name in _NUMBERS:
        row[name] = _number(line.get(name), f"{where}: {name}", most=1.0)
    for name in (*_COSTS, "duplicates"):
        row[name] = _number(line.get(name), f"{where}: {name}")
    if row["seed"] is None or row["auroc"] is None:
        raise InputError(f"{where}: seed and auroc must not be empty")
    return row


def _whole_number(text: str | None, where: str) -> int | None:
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise InputError(f"{where} must be a non-negative integer, got {text!r}")
    return value


def _number(
    text: str | None,
    where: str,
    *,
    most: float = math.inf,
) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most or value == math.inf:
        wanted = "a number in [0, 1]" if most == 1 else "a non-negative number"
        raise InputError(f"{where} must be {wanted}, got {text!r}")
    return value

"""Rows of a benchmark: one a detector, task and seed, in one CSV, which is also what reference results are kept in."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anomalist.errors import InputError
from anomalist.studies.tables import Flat

__all__ = ["METRICS", "Place", "make", "matching", "read"]

METRICS = {"auroc": "AUROC", "average_precision": "AP", "aupro": "AUPRO"}
_ENDS = ("", "_low", "_high")
_NUMBERS = tuple(f"{metric}{end}" for metric in METRICS for end in _ENDS)
_COSTS = ("fit_s", "images_per_s", "threads")
_MOST_BYTES = 100 << 20


class Place(NamedTuple):
    """Where a row belongs.

    Attributes:
        group: of the suite.
        task: its short name.
        task_sha256: what tells it from others, see :func:`anomalist.frozen.task_hash`.
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
        suite: its name; empty for a row that belongs to none.
        version: of the suite; None for such a row.
        place: the task.
        model: the detector, as reports print it.
        seed: of the trial.
        metrics: name to ``value``, ``low`` and ``high``; those that are not of a benchmark are left
            out.
        more: ``fit_s``, ``images_per_s``, ``threads`` and ``duplicates``, where known.
    """
    row: Flat = {
        "suite": suite,
        "version": version,
        **place._asdict(),
        "seed": seed,
        "model": model,
    }
    for name in METRICS:
        found = metrics.get(name)
        row |= {
            f"{name}{end}": None if found is None else found[end[1:] or "value"] for end in _ENDS
        }
    return row | {name: more.get(name) for name in (*_COSTS, "duplicates")}


def read(path: Path) -> list[Flat]:
    """Return the rows of a file that a benchmark or ``anomalist evaluate`` wrote.

    Raises:
        InputError: it cannot be read, lacks a column, or holds a value that is none of that
            column's.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than any table of results; name a rows.csv")
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file: {error}") from None
    wanted = ("suite", "version", "group", "task", "task_sha256", "seed", "model", *_NUMBERS)
    if missing := [name for name in wanted if not lines or name not in lines[0]]:
        raise InputError(
            f"{path} has no column {missing[0]!r}; name the rows.csv of a benchmark, or an "
            "evaluation's row"
        )
    return [_typed(line, f"{path}, line {number}") for number, line in enumerate(lines, start=2)]


def _typed(line: Mapping[str, str], where: str) -> Flat:
    row: Flat = {
        name: line[name] or "" for name in ("suite", "group", "task", "task_sha256", "model")
    }
    if not row["model"].isprintable() or not row["model"] or "|" in row["model"]:
        raise InputError(
            f"{where}: model must be a name of printable characters without |, got {row['model']!r}"
        )
    row["version"] = _number(line, "version", where, whole=True)
    row["seed"] = _number(line, "seed", where, whole=True)
    for name in _NUMBERS:
        row[name] = _number(line, name, where, most=1.0)
    for name in (*_COSTS, "duplicates"):
        row[name] = _number(line, name, where)
    if row["seed"] is None or row["auroc"] is None:
        raise InputError(f"{where}: seed and auroc must be there")
    return row


def _number(
    line: Mapping[str, Any], name: str, where: str, *, whole: bool = False, most: float = math.inf
) -> Any:
    text = line.get(name) or ""
    try:
        value = None if text == "" else int(text) if whole else float(text)
        if (
            value is None
            or 0 <= value <= most < math.inf
            or (0 <= value < math.inf and most == math.inf)
        ):
            return value
    except ValueError:
        pass
    wanted = (
        "a whole number"
        if whole
        else "a number in [0, 1]"
        if most == 1
        else "a number of 0 or more"
    )
    raise InputError(f"{where}: {name} must be {wanted}, got {text!r}")


def matching(
    rows: Iterable[Flat], suite: str, version: int, places: Sequence[Place], seeds: int
) -> tuple[list[Flat], int]:
    """Return those rows that may stand beside a suite's own, under its names, and how many may not.

    A row may if it is of this suite and version, or of none, and its task's hash is one of the
    suite's here.

    Args:
        rows: what :func:`read` returned.
        suite: the suite's name.
        version: its version.
        places: its tasks, those whose data are here.
        seeds: how many are compared: 0, 1, …
    """
    here = {place.task_sha256: place for place in places}
    kept, left = [], 0
    for row in rows:
        place = here.get(row["task_sha256"])
        if (
            place is None
            or row["seed"] >= seeds
            or (row["suite"] and (row["suite"], row["version"]) != (suite, version))
        ):
            left += 1
        else:
            kept.append(row | place._asdict() | {"suite": suite, "version": version})
    return kept, left

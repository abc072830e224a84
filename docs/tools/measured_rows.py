"""Measured rows: the files in docs/measured/, read and written."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent.parent
MEASURED = DOCS / "measured"
COSTS = ("fit_s", "images_per_s")


class Row(NamedTuple):
    """One measured value.

    Attributes:
        model: the detector, as its spec.
        metric: what was measured, such as ``auroc`` (percent) or ``fit_s``.
        task: what it was measured on; empty for costs.
        value: the mean over seeds.
        half_width: half of Student's 95 % interval over seeds; None for one seed and for costs.
        seeds: how many; None for costs.
    """

    model: str
    metric: str
    task: str
    value: float
    half_width: float | None
    seeds: int | None


def read(name: str) -> list[Row]:
    """Return the rows of ``docs/measured/NAME.csv``."""
    rows = []
    for line in read_csv(MEASURED / f"{name}.csv"):
        half = line["half_width"]
        seeds = line["seeds"]
        row = Row(
            model=line["model"],
            metric=line["metric"],
            task=line["task"],
            value=float(line["value"]),
            half_width=float(half) if half else None,
            seeds=int(seeds) if seeds else None,
        )
        rows.append(row)
    return rows


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV file, by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(
    path: Path,
    columns: Sequence[str],
    lines: Sequence[Mapping[str, object]],
) -> None:
    """Write the chosen columns of lines as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)


def write(name: str, rows: Sequence[Row]) -> None:
    """Write rows to ``docs/measured/NAME.csv``."""
    with (MEASURED / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in rows:
            digits = 2 if row.task else 1
            half = "" if row.half_width is None else f"{row.half_width:.2f}"
            seeds = "" if row.seeds is None else row.seeds
            value = f"{row.value:.{digits}f}"
            writer.writerow([row.model, row.metric, row.task, value, half, seeds])


def of_model(rows: Sequence[Row], model: str) -> dict[tuple[str, str], Row]:
    """Return a detector's rows by metric and task."""
    return {(row.metric, row.task): row for row in rows if row.model == model}


def models(rows: Sequence[Row]) -> list[str]:
    """Return the detectors, in the file's order."""
    return list(dict.fromkeys(row.model for row in rows))

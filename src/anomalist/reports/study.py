"""The report of a study, made from its rows without torch: raw table, points, claims, figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anomalist._version import __version__
from anomalist.analysis import rows
from anomalist.analysis.comparisons import Fitted, claim_markdown, compare, psychometrics
from anomalist.analysis.layout import Layout
from anomalist.analysis.leaderboard import Cost, leaderboard, median_costs, spent
from anomalist.analysis.rows import Flat
from anomalist.core.errors import InputError
from anomalist.core.files import is_writable, make_folder, write_json, write_table, write_text
from anomalist.core.hashing import json_hash
from anomalist.metrics.table import Metric, shown_in
from anomalist.reports.output import Output
from anomalist.running.store import Store

__all__ = ["is_current", "remake", "report"]

_TESTED = {  # facts about a study's trials in its report, by column
    "model": "detector",
    "task.dataset": "data",
    "task.kind": "task",
    "task.corruption": "anomaly",
    "task.train": "training images",
    "task.calibration": "held out",
    "task.test": "normal test images",
}


@dataclass(frozen=True)
class _Stored:
    """The stored results of a study's trials.

    Attributes:
        rows: rows of finished trials.
        failures: messages of failed trials, by key.
        table: the rows, flattened.
        costs: costs of each detector.
        sha256: hash of the rows and failures.
    """

    rows: list[dict[str, Any]]
    failures: dict[str, str]
    table: list[Flat]
    costs: dict[str, Cost]
    sha256: str


def report(
    layout: Layout,
    keys: Sequence[str],
    results: Path,
    formats: Sequence[str] = (),
) -> None:
    """Write the tables of a study to ``studies/`` and its figures to ``plots/``.

    The files are ``NAME.csv``, ``.parquet`` and ``.md``, ``NAME_vs_auc.png``,
    ``NAME_vs_aupro.png``, and ``NAME.json``. The latter contains the layout and the names of the
    trials; :func:`remake` writes the report again from it.

    Args:
        layout: the arrangement of the points, and the claims.
        keys: the names of the study's trials.
        results: the folder that contains ``trials/``, ``studies/`` and ``plots/``.
        formats: further formats of figures and tables: ``"svg"``, ``"pdf"``, ``"tex"``.
    """
    stored = _read(keys, results)
    folder = make_folder(results / "studies")
    output = Output(results / "plots", formats, results / "tables")
    output.clear(f"{layout.name}_*")  # of earlier rows
    if stored.table:
        write_table(folder / f"{layout.name}.csv", stored.table)
    text = _head(layout, stored.table, len(keys), stored.failures)
    if layout.columns:
        text += _leaderboards(layout, stored, output)
    else:
        text += _curves(layout, stored, output)
    write_text(folder / f"{layout.name}.md", "\n".join(text) + "\n")
    # This file is written last: it shows that the report is complete.
    write_json(folder / f"{layout.name}.json", _description(layout, keys, stored.sha256))


def is_current(layout: Layout, keys: Sequence[str], results: Path) -> bool:
    """Return whether the report in ``results`` was made from this layout and the same rows."""
    try:
        kept = json.loads((results / "studies" / f"{layout.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(kept == _description(layout, keys, _read(keys, results).sha256))


def remake(name: str, results: Path, formats: Sequence[str] = ()) -> None:
    """Write the report of a study again, from its stored rows.

    Args:
        name: name of the study.
        results: the folder that :func:`report` wrote to.
        formats: further formats, as for :func:`report`.

    Raises:
        InputError: no such study was run in ``results``, or its description is damaged.
    """
    path = results / "studies" / f"{name}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        layout = Layout(**kept["layout"])
        keys = list(kept["trials"])
    except FileNotFoundError:
        raise InputError(
            f"no study {name!r} in {str(results)!r}: run `anomalist study {name}` first"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(path)!r} is damaged ({error}); run `anomalist study {name}` again"
        ) from None
    if not is_writable(results):
        line = f"{results} is read-only: this is the existing report"
        print(line, file=sys.stderr, flush=True)
        return
    report(layout, keys, results, formats)


def _read(keys: Sequence[str], results: Path) -> _Stored:
    store = Store(results / "trials")
    stored = [(store.row(key), store.failure(key)) for key in keys]
    finished = [row for row, _ in stored if row is not None]
    failures = {
        key: failure["error"]
        for key, (_, failure) in zip(keys, stored, strict=True)
        if failure is not None
    }
    spendings = [
        {"model": rows.model_label(row, "model"), **spent(row, store.side(row["trial"]))}
        for row in finished
    ]
    return _Stored(
        rows=finished,
        failures=failures,
        table=[rows.flatten(row) for row in finished],
        costs=median_costs(spendings),
        sha256=json_hash(stored),
    )


def _description(
    layout: Layout,
    keys: Sequence[str],
    sha256: str,
) -> dict[str, Any]:
    return {
        "anomalist": __version__,
        "layout": layout.model_dump(mode="json"),
        "trials": list(keys),
        "rows_sha256": sha256,
    }


def _leaderboards(layout: Layout, stored: _Stored, output: Output) -> list[str]:
    """Draw one figure per metric and section, and return their tables."""
    from anomalist.reports import study_pictures, study_tables  # Matplotlib loads slowly

    assert layout.columns is not None
    text: list[str] = []
    for metric in (*shown_in("study"), *shown_in("leaderboard")):
        if not rows.points(stored.table, layout.axes, metric.key):
            continue
        for section, part in rows.sections(stored.table, layout.sections):
            standings = leaderboard(part, layout.columns, metric.key)
            title = f"{_heading(metric)}: {section}" if section else _heading(metric)
            suffix = f"_{section.replace(', ', '_')}" if section else ""
            name = f"{layout.name}{suffix}_{metric.file_name}"
            make = partial(study_tables.standings_table, standings, layout.columns, stored.costs)
            note = study_tables.standings_note(stored.costs)
            text += ["", f"## {title}", "", output.table(name, make), "", note]
            picture = study_pictures.against_cost(standings, stored.costs, title)
            output.figure(picture, f"{name}_vs_cost")
    return text


def _curves(layout: Layout, stored: _Stored, output: Output) -> list[str]:
    """Draw one figure per metric, and return tables, claims and thresholds."""
    from anomalist.reports import study_pictures, study_tables

    table = stored.table
    fits: list[Fitted] = []
    if layout.levels:
        fits = psychometrics(table, layout.x, layout.lines, layout.levels)
    text: list[str] = []
    for metric in shown_in("study"):
        points = rows.points(table, layout.axes, metric.key)
        if not points:
            continue
        fitted = fits if metric.key == "auroc" else []
        name = metric.label
        curves = study_pictures.curves(points, layout.x, layout.lines, name, fitted)
        output.figure(curves, f"{layout.name}_vs_{metric.file_name}")
        make = partial(study_tables.points_table, points, layout.axes, name)
        table_name = f"{layout.name}_{metric.file_name}"
        text += ["", f"## {name}", "", output.table(table_name, make)]
        for claim in layout.claims:
            contrasts = compare(table, layout.axes, claim, metric.key)
            text += ["", *claim_markdown(contrasts, claim, name)]
    if fits:
        make = partial(study_tables.thresholds_table, fits, layout.lines)
        thresholds = output.table(f"{layout.name}_thresholds", make)
        text += ["", "## Detection thresholds", "", thresholds]
    return text


def _heading(metric: Metric) -> str:
    return metric.label[0].upper() + metric.label[1:]


def _head(
    layout: Layout,
    table: Sequence[Flat],
    total: int,
    failures: Mapping[str, str],
) -> list[str]:
    text = [f"# Study: {layout.name}", "", f"{len(table)} of {total} trials are finished."]
    text += _tested(table)
    leaks = [row["duplicates"] for row in table if row.get("duplicates")]
    if leaks:
        text.append(
            f"{len(leaks)} trials have test images that are also training images, at most "
            f"{max(leaks)}: see the column `duplicates`."
        )
    if failures:
        text += ["", f"{len(failures)} failed:"]
        text += [f"- `{key}`: {message}" for key, message in failures.items()]
    if layout.claims:
        text += [
            "",
            "Comparisons are paired over seeds: t-test and Cohen's d_z (d), with Holm's correction "
            "within each corruption.",
        ]
    return text


def _tested(table: Sequence[Flat]) -> list[str]:
    """Return a sentence about what was tested: detectors, data and sizes."""
    facts = []
    for column, name in _TESTED.items():
        values = list(dict.fromkeys(row[column] for row in table if row.get(column) is not None))
        if len(values) > 1:
            facts.append(f"{len(values)} values of {name}")
        elif values and isinstance(values[0], str):
            facts.append(f"{name} `{values[0]}`")
        elif values:
            facts.append(f"{values[0]:,} {name}")
    return ["", f"Tested: {', '.join(facts)}."] if facts else []

"""The report of a study, made from its rows: a raw table, points, claims, plots; without torch."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalist._version import __version__
from anomalist.analysis import rows
from anomalist.analysis.comparisons import Fitted, claim_markdown, compare, psychometrics
from anomalist.analysis.layout import Layout
from anomalist.analysis.leaderboard import Cost, leaderboard, median_costs, spent
from anomalist.analysis.rows import Flat
from anomalist.core.errors import InputError
from anomalist.core.files import is_writable, make_folder, write_json, write_text
from anomalist.core.hashing import json_hash
from anomalist.metrics.table import Metric, shown_in
from anomalist.running.store import Store

__all__ = ["is_current", "remake", "report"]

_TESTED = {  # facts that are reported about a study's trials, by column
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
    """What is stored of a study's trials.

    Attributes:
        rows: of finished trials.
        failures: messages of failed ones, by key.
        table: the rows, flat.
        costs: of each detector.
        sha256: of the rows and failures.
    """

    rows: list[dict[str, Any]]
    failures: dict[str, str]
    table: list[Flat]
    costs: dict[str, Cost]
    sha256: str


def report(layout: Layout, keys: Sequence[str], results: Path) -> None:
    """Write the tables of a study to ``studies/`` and its pictures to ``plots/``.

    Written are ``NAME.csv``, ``.parquet`` and ``.md``, ``NAME_vs_auc.png`` and its AUPRO twin, and
    ``NAME.json`` with the layout and the trials' names, from which all of it can be made again.

    Args:
        layout: how the points are arranged, and the claims.
        keys: the names of the study's trials.
        results: the folder that holds ``trials/``, ``studies/`` and ``plots/``.
    """
    stored = _read(keys, results)
    folder = make_folder(results / "studies")
    plots = make_folder(results / "plots")
    if stored.table:
        rows.write(stored.table, folder, layout.name)
    text = _head(layout, stored.table, len(keys), stored.failures)
    if layout.columns:
        text += _leaderboards(layout, stored, plots)
    else:
        text += _curves(layout, stored, plots)
    write_text(folder / f"{layout.name}.md", "\n".join(text) + "\n")
    # Written last: it says that all else is there.
    write_json(folder / f"{layout.name}.json", _description(layout, keys, stored.sha256))


def is_current(layout: Layout, keys: Sequence[str], results: Path) -> bool:
    """Return whether the report in ``results`` is of this layout and these very rows."""
    try:
        kept = json.loads((results / "studies" / f"{layout.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(kept == _description(layout, keys, _read(keys, results).sha256))


def remake(name: str, results: Path) -> None:
    """Make the report of a study again, from what is stored.

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
        line = f"{results} can only be read: this is the report as it was made"
        print(line, file=sys.stderr, flush=True)
        return
    report(layout, keys, results)


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


def _leaderboards(layout: Layout, stored: _Stored, plots: Path) -> list[str]:
    """Write a picture per metric and section, and return their tables."""
    from anomalist.reports import study_pictures, study_tables  # Matplotlib loads slowly
    from anomalist.reports.pages import save

    assert layout.columns is not None
    text: list[str] = []
    for metric in (*shown_in("study"), *shown_in("leaderboard")):
        if not rows.points(stored.table, layout.axes, metric.key):
            continue
        for section, part in rows.sections(stored.table, layout.sections):
            standings = leaderboard(part, layout.columns, metric.key)
            title = f"{_heading(metric)}: {section}" if section else _heading(metric)
            table = study_tables.standings_table(standings, layout.columns, stored.costs)
            text += ["", f"## {title}", "", table]
            suffix = f"_{section.replace(', ', '_')}" if section else ""
            name = f"{layout.name}{suffix}_{metric.file_name}_vs_cost.png"
            save(study_pictures.against_cost(standings, stored.costs, title), plots / name)
    return text


def _curves(layout: Layout, stored: _Stored, plots: Path) -> list[str]:
    """Write a picture per metric, and return tables, claims and thresholds."""
    from anomalist.reports import study_pictures, study_tables
    from anomalist.reports.pages import save

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
        save(curves, plots / f"{layout.name}_vs_{metric.file_name}.png")
        markdown = study_tables.points_table(points, layout.axes, name, "github")
        text += ["", f"## {name}", "", markdown]
        for claim in layout.claims:
            contrasts = compare(table, layout.axes, claim, metric.key)
            text += ["", *claim_markdown(contrasts, claim, name)]
    if fits:
        thresholds = study_tables.thresholds_table(fits, layout.lines)
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
            f"{len(leaks)} tested on training images too, {max(leaks)} at most: see the column "
            "`duplicates`."
        )
    if failures:
        text += ["", f"{len(failures)} failed:"]
        text += [f"- `{key}`: {message}" for key, message in failures.items()]
    if layout.claims:
        text += [
            "",
            "Comparisons are paired over seeds (t-test, d: Cohen's d_z), Holm-corrected within a "
            "corruption.",
        ]
    return text


def _tested(table: Sequence[Flat]) -> list[str]:
    """Return what was tested: detectors, data and sizes, as far as all trials agree in them."""
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

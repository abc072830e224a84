"""Report: what is made of a study's rows: a raw table, points with intervals, claims in words, plots; without torch."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalist._version import __version__
from anomalist.errors import InputError
from anomalist.files import is_writable, make_folder, write_json, write_text
from anomalist.studies import tables
from anomalist.studies.comparisons import compare, psychometrics, said
from anomalist.studies.layout import Layout
from anomalist.studies.leaderboard import costs, leaderboard
from anomalist.studies.store import Store

__all__ = ["is_current", "remake", "report"]

METRICS = {"auroc": ("AUROC", "auc"), "aupro": ("AUPRO", "aupro")}  # its name, and its picture's
LEADERBOARDS = METRICS | {"pixel_auroc": ("Pixel AUROC", "pixel_auc")}


def report(layout: Layout, keys: Sequence[str], results: Path) -> None:
    """Write ``studies/NAME.csv``, ``.parquet`` and ``.md``, and ``plots/NAME_vs_auc.png`` and its AUPRO twin.

    ``studies/NAME.json`` keeps the layout and the trials' names, so that all of it can be made
    again from rows alone.

    Args:
        layout: how the points are laid out, and the claims.
        keys: the names of the study's trials.
        results: the folder that holds ``trials/``, ``studies/`` and ``plots/``.
    """
    from anomalist.reports import (
        studies as pictures,
    )  # Matplotlib, which a finished study does not need
    from anomalist.reports.pages import save

    store = Store(results / "trials")
    stored = [(store.row(key), store.failure(key)) for key in keys]
    rows = [row for row, _ in stored if row is not None]
    table = [tables.flatten(row) for row in rows]
    failures = {
        key: failure["error"]
        for key, (_, failure) in zip(keys, stored, strict=True)
        if failure is not None
    }
    folder, plots = make_folder(results / "studies"), make_folder(results / "plots")
    (folder / f"{layout.name}.json").unlink(
        missing_ok=True
    )  # written last: it says that all else is there
    if table:
        tables.write(table, folder, layout.name)
    text = _head(layout, table, len(keys), failures)
    fits = psychometrics(table, layout.x, layout.lines, layout.levels) if layout.levels else []
    cost = costs(store, rows) if layout.columns else {}
    for metric, (name, short) in (LEADERBOARDS if layout.columns else METRICS).items():
        points = tables.points(table, layout.axes, metric)
        if not points:
            continue
        if layout.columns:
            for section, part in tables.sections(table, layout.sections):
                standings = leaderboard(part, layout.columns, metric)
                title, suffix = (mark + section if section else "" for mark in (": ", "_"))
                text += [
                    "",
                    f"## {name}{title}",
                    "",
                    pictures.standings_table(standings, layout.columns, cost),
                ]
                picture = pictures.against_cost(standings, cost, name + title)
                save(
                    picture, plots / f"{layout.name}{suffix.replace(', ', '_')}_{short}_vs_cost.png"
                )
            continue
        curves = pictures.curves(
            points, layout.x, layout.lines, name, fits if metric == "auroc" else ()
        )
        save(curves, plots / f"{layout.name}_vs_{short}.png")
        text += ["", f"## {name}", "", pictures.points_table(points, layout.axes, name, "github")]
        for claim in layout.claims:
            text += ["", *said(compare(table, layout.axes, claim, metric), claim, name)]
    if fits:
        text += ["", "## Detection thresholds", "", pictures.thresholds_table(fits, layout.lines)]
    write_text(folder / f"{layout.name}.md", "\n".join(text) + "\n")
    write_json(folder / f"{layout.name}.json", _description(layout, keys, stored))


def is_current(layout: Layout, keys: Sequence[str], results: Path) -> bool:
    """Return whether the report in ``results`` is of this layout and these very rows, so that none needs to be made."""
    try:
        kept = json.loads((results / "studies" / f"{layout.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    store = Store(results / "trials")
    return bool(
        kept == _description(layout, keys, [(store.row(key), store.failure(key)) for key in keys])
    )


def _description(
    layout: Layout, keys: Sequence[str], stored: Iterable[tuple[Any, Any]]
) -> dict[str, Any]:
    found = hashlib.sha256()
    for row_and_failure in stored:
        found.update(json.dumps(row_and_failure, sort_keys=True).encode())
    rows = {"trials": list(keys), "rows_sha256": found.hexdigest()}
    return {"anomalist": __version__, "layout": layout.model_dump(mode="json"), **rows}


def remake(name: str, results: Path) -> None:
    """Make the report of a study again, from what is stored.

    Raises:
        InputError: no such study was run in ``results``, or its description is damaged.
    """
    path = results / "studies" / f"{name}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        layout, keys = Layout(**kept["layout"]), list(kept["trials"])
    except FileNotFoundError:
        raise InputError(
            f"no study {name!r} in {str(results)!r}: run `anomalist study {name}` first"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{str(path)!r} is damaged ({error}); run `anomalist study {name}` again"
        ) from None
    if not is_writable(results):
        print(
            f"{results} can only be read: this is the report as it was made",
            file=sys.stderr,
            flush=True,
        )
        return
    report(layout, keys, results)


def _head(
    layout: Layout, table: Sequence[tables.Flat], total: int, failures: Mapping[str, str]
) -> list[str]:
    text = [f"# Study: {layout.name}", "", f"{len(table)} of {total} trials are finished."]
    text += _tested(table)
    if leaks := [row["duplicates"] for row in table if row.get("duplicates")]:
        text += [
            f"{len(leaks)} tested on training images too, {max(leaks)} at most: see the column "
            "`duplicates`."
        ]
    if failures:
        text += [
            "",
            f"{len(failures)} failed:",
            *(f"- `{key}`: {message}" for key, message in failures.items()),
        ]
    if layout.claims:
        text += [
            "",
            "Comparisons are paired over seeds (t-test, d: Cohen's d_z), Holm-corrected within a "
            "corruption.",
        ]
    return text


def _tested(table: Sequence[tables.Flat]) -> list[str]:
    """Return what was tested: detectors, data and sizes, as far as all trials agree in them."""
    names = {
        "model": "detector",
        "task.dataset": "data",
        "task.kind": "task",
        "task.corruption": "anomaly",
        "task.train": "training images",
        "task.calibration": "held out",
        "task.test": "normal test images",
    }
    facts = []
    for column, name in names.items():
        values = list(dict.fromkeys(row[column] for row in table if row.get(column) is not None))
        if len(values) == 1:
            facts.append(
                f"{name} `{values[0]}`" if isinstance(values[0], str) else f"{values[0]:,} {name}"
            )
        elif values:
            facts.append(f"{len(values)} values of {name}")
    return ["", f"Tested: {', '.join(facts)}."] if facts else []

"""Take new results over into the documentation.

    python docs/tools/keep_rows.py baseline results
        the main job: its rows, and the figures of the guide; run it with --format svg
    python docs/tools/keep_rows.py study difficulty results
        a study of curves: its rows, report and figures
    python docs/tools/keep_rows.py suite quick
        a benchmark: its report and figures, again from docs/benchmark/NAME.csv
    python docs/tools/keep_rows.py detectors one_class results/studies/one_class.csv
        a study or suite of detectors: means over seeds of the detectors in the file

Then run make_tables.py.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measured_rows
from measured_rows import DOCS, MEASURED, Row

FIGURES = {  # of the main job, by the name that the guide uses
    "plots/auroc_vs_severity.svg": "auroc_vs_severity.svg",
    "plots/score_histograms.svg": "score_histograms.svg",
    "plots/roc.svg": "roc.svg",
    "anomalies/patch_occlusion.svg": "panel_hole.svg",
}
METRICS = ("auroc", "aupro", "pixel_auroc")
# For each file of docs/measured: the column of tasks in the rows, and what precedes a task's name.
TASK_COLUMN = {
    "one_class": ("task.normal_classes", "digit "),
    "blind_spot": ("task.corruption", ""),
    "tiles": ("task", ""),
    "xrays": ("task", ""),
}
RENAMED = {
    "all": "both",
    "blowhole;crack": "both",
    "blowhole crack": "both",
    "PneumoniaMNIST": "pneumonia",
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("baseline")
    command.add_argument("results", type=Path)
    command = commands.add_parser("study")
    command.add_argument("name")
    command.add_argument("results", type=Path)
    command = commands.add_parser("suite")
    command.add_argument("name")
    command = commands.add_parser("detectors")
    command.add_argument("name", choices=TASK_COLUMN)
    command.add_argument("rows", type=Path)
    command.add_argument("--costs", action="store_true", help="also replace seconds and rates")
    arguments = parser.parse_args()
    if arguments.command == "baseline":
        keep_baseline(arguments.results)
    elif arguments.command == "study":
        keep_study(arguments.name, arguments.results)
    elif arguments.command == "suite":
        write_suite(arguments.name)
    else:
        keep_detectors(arguments.name, arguments.rows, costs=arguments.costs)


def keep_baseline(results: Path) -> None:
    """Copy the rows and figures of the main job."""
    columns = ("score", "setting", "metric", "value", "low", "high", "n", "excluded")
    lines = measured_rows.read_csv(results / "metrics.csv")
    for line in lines:
        for name in ("value", "low", "high"):
            line[name] = f"{float(line[name]):.6g}"
    measured_rows.write_csv(MEASURED / "baseline.csv", columns, lines)
    for source, name in FIGURES.items():
        shutil.copyfile(results / source, DOCS / "figures" / name)
        print(f"figures/{name}")


def keep_study(name: str, results: Path) -> None:
    """Copy a study's rows and figures, and split its report into a page per metric."""
    folder = DOCS / "findings"
    lines = measured_rows.read_csv(results / "studies" / f"{name}.csv")
    columns = [column for column in lines[0] if len({line[column] for line in lines}) > 1]
    measured_rows.write_csv(folder / f"{name}.csv", columns, lines)  # without constant columns
    for figure in sorted((results / "plots").glob(f"{name}_vs_*.svg")):
        shutil.copyfile(figure, folder / figure.name)
        print(f"findings/{figure.name}")
    report = (results / "studies" / f"{name}.md").read_text(encoding="utf-8")
    head, *sections = report.split("\n## ")
    about = head.partition("\n\n")[2].strip()
    thresholds = [part for part in sections if part.startswith("Detection thresholds")]
    for section in sections:
        title, _, text = section.partition("\n")
        if title.startswith("Detection thresholds"):
            continue
        extra = "\n## ".join(["", *thresholds]) if title == "AUROC" else ""
        page = folder / f"{name}_{title.lower()}.md"
        page.write_text(
            f"# {name.capitalize()}: every point of {title}\n\n"
            f"`anomalist study {name}` wrote this report. "
            f"[{name.capitalize()}]({name}.md) says what it shows.\n\n"
            f"{about}\n\n{text.strip()}\n{extra}",
            encoding="utf-8",
        )
        print(f"findings/{page.name}")


def write_suite(name: str) -> None:
    """Write a benchmark's report and figures from its kept rows."""
    from anomalist import suites
    from anomalist.analysis import benchmark_rows
    from anomalist.reports.benchmark import report
    from anomalist.running.benchmark import RUN_HERE, Outcome

    rows = benchmark_rows.read(DOCS / "benchmark" / f"{name}.csv")
    suite = suites.load(name, Path("data"))
    outcome = Outcome(name, suite.version, [{**row, "origin": RUN_HERE} for row in rows])
    outcome.total = len(rows)
    with tempfile.TemporaryDirectory() as made:
        report(outcome, Path(made), ("svg",))
        for path in (Path(made) / "report.md", *Path(made).glob("*.svg")):
            text = path.read_text(encoding="utf-8").replace(".png)", ".svg)")
            (DOCS / "benchmark" / name / path.name).write_text(text, encoding="utf-8")
            print(f"benchmark/{name}/{path.name}")


def keep_detectors(name: str, path: Path, *, costs: bool) -> None:
    """Replace the rows of the detectors that a study's or suite's file contains."""
    new = _summary(name, measured_rows.read_csv(path), costs=costs)
    replaced = {(row.model, row.metric) for row in new}
    old = measured_rows.read(name)
    kept = [row for row in old if (row.model, row.metric) not in replaced]
    order = list(dict.fromkeys([*measured_rows.models(old), *measured_rows.models(new)]))
    merged = sorted([*kept, *new], key=lambda row: order.index(row.model))
    measured_rows.write(name, merged)
    for row in new:
        before = [one for one in old if one[:3] == row[:3]]
        was = f"{before[0].value:.2f}" if before else "-"
        if row.task in ("mean", "both", "pneumonia"):
            print(f"{row.model} {row.metric}: {was} -> {row.value:.2f}")


def _summary(name: str, lines: Sequence[dict[str, str]], *, costs: bool) -> list[Row]:
    """Return the means over seeds of every detector, metric and task, and over all tasks."""
    from anomalist.analysis.rows import averaged, points

    column, prefix = TASK_COLUMN[name]
    table: list[dict[str, Any]] = []
    for line in lines:
        row: dict[str, Any] = {"model": _tidy(line["model"]), "seed": int(line["seed"])}
        task = line[column]
        row["task"] = RENAMED.get(task, f"{prefix}{task}")
        row |= {metric: float(line[metric]) for metric in METRICS if line.get(metric)}
        row |= {cost: float(line[cost]) for cost in measured_rows.COSTS if line.get(cost)}
        table.append(row)
    rows = []
    for metric in METRICS:
        of_metric = [row for row in table if metric in row]
        if name in ("one_class", "blind_spot"):
            means = averaged(of_metric, "task", ("model", "seed"), metric)
            of_metric = of_metric + [{**row, "task": "mean"} for row in means]
        for point in points(of_metric, ("model", "task"), metric):
            half = None
            if point["low"] is not None:
                half = 100 * max(point["high"] - point["mean"], point["mean"] - point["low"])
            mean = 100 * point["mean"]
            rows.append(Row(point["model"], metric, point["task"], mean, half, point["n"]))
    return rows + (_costs(table) if costs else [])


def _costs(table: Sequence[dict[str, Any]]) -> list[Row]:
    """Return the median seconds of a fit and images per second of every detector."""
    from anomalist.analysis.leaderboard import median_costs

    rows = []
    for model, cost in median_costs({"threads": 1, **row} for row in table).items():
        rows.append(Row(model, "fit_s", "", cost.fit, None, None))
        rows.append(Row(model, "images_per_s", "", cost.rate, None, None))
    return rows


def _tidy(model: str) -> str:
    """Return a detector's spec as the documentation writes it."""
    spec = model.removesuffix(" (trained on synthetic anomalies)")
    spec = spec.replace("=True", "=true").replace("=False", "=false")
    for end in (",", ";", ")", ""):
        spec = spec.replace(f".0{end}", end) if end else spec.removesuffix(".0")
    return spec


if __name__ == "__main__":
    sys.exit(main())

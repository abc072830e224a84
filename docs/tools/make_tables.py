"""Write the tables of the documentation, and its cost figures, from the rows in docs/measured/.

    python docs/tools/make_tables.py            # rewrite every table
    python docs/tools/make_tables.py --check    # say which tables differ from their rows
    python docs/tools/make_tables.py --figures  # also redraw docs/figures/*_vs_cost.svg

A table in a page lies between two comments:

    <!-- table: blind_spot auroc -->
    ...
    <!-- end of table -->

The first word names a function of this file; the others are its arguments.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import measured_rows
from measured_rows import COSTS, DOCS, MEASURED, Row
from protocols import BLIND_SPOT, CASES, DIGITS, IMAGES, PROTOCOLS, SHORT
from tabulate import tabulate

ROOT = DOCS.parent
TABLE = re.compile(
    r"^(<!-- table: (.+?) -->\n).*?^(<!-- end of table -->)", re.DOTALL | re.MULTILINE
)


def main() -> None:
    """Rewrite or check every table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one differs")
    parser.add_argument("--figures", action="store_true", help="also redraw the cost figures")
    arguments = parser.parse_args()
    stale = rewrite(pages(), check=arguments.check)
    for path in stale:
        print(
            f"{path.relative_to(ROOT)}: {'differs from its rows' if arguments.check else 'written'}"
        )
    if arguments.figures:
        draw_costs()
    if arguments.check and stale:
        sys.exit(1)


def pages() -> list[Path]:
    """Return the pages that may hold tables."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def rewrite(paths: Sequence[Path], *, check: bool = False) -> list[Path]:
    """Rewrite the tables of pages, and return the pages whose tables were out of date."""
    stale = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        opened = len(re.findall(r"^<!-- table: ", text, re.MULTILINE))
        if opened != len(TABLE.findall(text)):
            raise SystemExit(f"{path}: a table has no line <!-- end of table -->")
        new = TABLE.sub(lambda match: match[1] + table(match[2]) + "\n" + match[3], text)
        if new != text:
            stale.append(path)
            if not check:
                path.write_text(new, encoding="utf-8")
    return stale


def table(words: str) -> str:
    """Return the table that a comment asks for."""
    name, *arguments = words.split()
    try:
        make = TABLES[name]
    except KeyError:
        raise SystemExit(f"no table {name!r}: {', '.join(TABLES)}") from None
    return make(*arguments)


def blind_spot(metric: str) -> str:
    """Return the detectors' values for each corruption of the study blind_spot."""
    rows = measured_rows.read("blind_spot")
    return _standings(rows, metric, {"mean": "mean", **BLIND_SPOT}, costs=metric == "auroc")


def one_class() -> str:
    """Return each detector's mean over the ten digits, and its costs."""
    return _standings(measured_rows.read("one_class"), "auroc", {"mean": "mean AUROC"}, costs=True)


def one_class_digits() -> str:
    """Return each detector's value for each digit."""
    columns = {"mean": "mean", **DIGITS}
    return _standings(measured_rows.read("one_class"), "auroc", columns, costs=False)


def labelled() -> str:
    """Return the means of the two settings of the study labelled."""
    rows = measured_rows.read("labelled")
    columns = {
        "1 % known: mean": "1 % known",
        "5 % known, 10 % unlabelled: mean": "5 % known, 10 % unlabelled",
    }
    return _standings(rows, "auroc", columns, costs=True)


def labelled_digits(setting: str) -> str:
    """Return the value for each digit in one setting: ``clean`` or ``contaminated``."""
    prefix = {"clean": "1 % known", "contaminated": "5 % known, 10 % unlabelled"}[setting]
    columns = {f"{prefix}: {task}": title for task, title in {"mean": "mean", **DIGITS}.items()}
    return _standings(measured_rows.read("labelled"), "auroc", columns, costs=False)


def tiles() -> str:
    """Return the results on magnetic tiles."""
    rows = measured_rows.read("tiles")
    columns = {
        ("auroc", "both"): "AUROC, both",
        ("auroc", "blowhole"): "blowhole",
        ("auroc", "crack"): "crack",
        ("pixel_auroc", "both"): "pixel AUROC",
        ("aupro", "both"): "AUPRO",
    }
    return _table(rows, columns, costs=True)


def xrays() -> str:
    """Return the results on chest X-rays."""
    return _standings(measured_rows.read("xrays"), "auroc", {"pneumonia": "AUROC"}, costs=True)


def detector(name: str) -> str:
    """Return everything that was measured of one detector, a row per protocol and options."""
    lines = []
    for title, file, tasks in PROTOCOLS:
        rows = measured_rows.read(file)
        for model in measured_rows.models(rows):
            if model.partition(":")[0] != name:
                continue
            values = measured_rows.of_model(rows, model)
            for label, task in tasks.items():
                auroc = values.get(("auroc", task))
                if auroc is None:
                    continue
                is_first = task == next(iter(tasks.values()))
                costs = [_cost(values, cost) if is_first else "" for cost in COSTS]
                options = f"`{model.partition(':')[2]}`" if ":" in model else "default"
                overlap = values.get(("aupro", task))
                lines.append([f"{title}{label}", options, _cell(auroc), _cell(overlap), *costs])
    head = ["protocol", "options", "AUROC, %", "AUPRO, %", "fit, s", "images/s"]
    if not lines:
        return "Not measured here."
    return _markdown(head, lines, text_columns=2)


def options(name: str) -> str:
    """Return a detector's options: name, default, and what it does."""
    from anomalist.models import RUN_FIELDS, parse

    chosen = parse(name)
    lines = []
    for option, field in type(chosen).model_fields.items():
        if option == "name" or option in RUN_FIELDS:
            continue
        lines.append([f"`{option}`", _default(field.get_default()), field.description or ""])
    if not lines:
        return "It has no options."
    return _markdown(["option", "default", "what it does"], lines, text_columns=3)


def listed(*names: str) -> str:
    """Return detectors with the idea of each, as `anomalist list models` prints it."""
    from anomalist.core import catalog

    lines = [[f"[{name}]({name}.md)", catalog.describe("models", name)] for name in names]
    return _markdown(["detector", "idea"], lines, text_columns=2)


def choose() -> str:
    """Return which detector suits which case."""
    memory = {line["model"]: line for line in measured_rows.read_csv(MEASURED / "memory.csv")}
    lines = []
    for case, models, protocol, task, has_map in CASES:
        rows = measured_rows.read(protocol)
        for number, model in enumerate(models):
            values = measured_rows.of_model(rows, model)
            figure = _cell(values.get(("auroc", task)))
            overlap = values.get(("aupro", task))
            if overlap is not None:
                figure += f" (AUPRO {overlap.value:.0f})"
            name = model.partition(":")[0]
            images = "tiles" if protocol == "tiles" else "digits"
            used = memory.get(f"{model} {images}")
            lines.append(
                [
                    "" if number else case,
                    f"[`{model}`]({name}.md)",
                    figure,
                    "yes" if has_map[number] else "no",
                    _cost(values, "fit_s"),
                    _cost(values, "images_per_s"),
                    f"{float(used['peak_mb']):,.0f} MB" if used else "-",
                    IMAGES[protocol],
                ]
            )
    head = ["your case", "detector", "AUROC, %", "map", "fit, s", "images/s", "memory", "images"]
    return _markdown(head, lines, text_columns=2)


def baseline(size: str) -> str:
    """Return the main job's results: ``short``, a few anomalies, or ``full``, all of them."""
    by_setting: dict[str, dict[tuple[str, str], dict[str, str]]] = {}
    for row in measured_rows.read_csv(MEASURED / "baseline.csv"):
        by_setting.setdefault(row["setting"], {})[row["score"], row["metric"]] = row
    lines = []
    for setting, rows in by_setting.items():
        if size == "short" and setting not in SHORT:
            continue
        name = SHORT.get(setting, f"`{setting}`") if size == "short" else f"`{setting}`"
        aurocs = [_interval(rows[score, "auroc"]) for score in ("default", "fused")]
        overlaps = [f"{float(rows[score, 'aupro']['value']):.3f}" for score in ("default", "fused")]
        lines.append([name, *aurocs, *overlaps])
    head = ["anomaly", "AUROC, error", "AUROC, fused", "AUPRO, error", "AUPRO, fused"]
    return _markdown(head, lines)


def suite(name: str, *shown: str) -> str:
    """Return the best detector of each group of a benchmark, beside some others."""
    from anomalist.analysis import benchmark_rows
    from anomalist.analysis.leaderboard import leaderboard
    from anomalist.reports.benchmark import grouped

    table = benchmark_rows.read(DOCS / "benchmark" / f"{name}.csv")
    groups = dict.fromkeys(row["group"] for row in table)
    means = grouped(table, "auroc")
    standings = leaderboard(means, "group", "auroc")
    lines = []
    for group in groups:
        values = {one.model: one.cells[group] for one in standings if group in one.cells}
        best = max(values, key=lambda model: values[model]["mean"])
        others = [_plain_percent(values[model]["mean"]) for model in shown]
        lines.append([group, f"`{best}`", _point(values[best]), *others])
    overall = {one.model: one.mean for one in standings if one.mean is not None}
    best = max(overall, key=lambda model: overall[model]["mean"])
    others = [_plain_percent(overall[model]["mean"]) for model in shown]
    title = f"mean of {len(groups)} groups"
    lines.append([title, f"`{best}`", _point(overall[best]), *others])
    head = ["group", "best detector", "its AUROC, %", *(f"`{model}`" for model in shown)]
    return _markdown(head, lines, text_columns=2)


def thresholds(name: str) -> str:
    """Return the severities that reach an AUROC of 0.75 and 0.95, from a study's report."""
    page = DOCS / "findings" / f"{name}_auroc.md"
    section = page.read_text(encoding="utf-8").partition("## Detection thresholds")[2]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    rows: dict[str, list[list[str]]] = {}
    for line in cells[2:]:
        corruption, *values = (cell.strip() for cell in line)
        rows.setdefault(corruption, []).append(values)
    lines = []
    for corruption, (low, high) in rows.items():
        _, at_low, change, rmse, _ = low
        lines.append([f"`{corruption}`", at_low, high[1], change, rmse])
    head = ["corruption", "AUROC 0.75 at", "AUROC 0.95 at", "mean squared change at 0.75", "RMSE"]
    return _markdown(head, lines)


def false_alarms() -> str:
    """Return the realised false-alarm rates of calibrated thresholds, by data set."""
    rows = measured_rows.read_csv(MEASURED / "false_alarms.csv")
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    lines = []
    for level in dict.fromkeys(row["level"] for row in rows):
        own = {row["dataset"]: row for row in rows if row["level"] == level}
        cells = [_realised(own[name]) for name in names]
        lines.append([level, *cells])
    return _markdown(["level", *names], lines)


def _realised(row: dict[str, str]) -> str:
    """Return ``5.05 ± 0.12 (5.00)``: the mean rate, its standard error, the nominal rate."""
    mean, error, nominal = (
        f"{100 * float(row[name]):.2f}" for name in ("mean", "standard_error", "nominal")
    )
    return f"{mean} ± {error} ({nominal})"


def lab(name: str) -> str:
    """Return a table of the lab notes, ``docs/measured/lab/NAME.csv``."""
    return _kept(name, text_columns=1)


def words(name: str) -> str:
    """Return a table of the lab notes whose cells are all text."""
    return _kept(name)


def _kept(name: str, text_columns: int | None = None) -> str:
    lines = measured_rows.read_csv(MEASURED / "lab" / f"{name}.csv")
    head = list(lines[0])
    cells = [list(line.values()) for line in lines]
    return _markdown(head, cells, len(head) if text_columns is None else text_columns)


TABLES: dict[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        baseline,
        blind_spot,
        choose,
        detector,
        false_alarms,
        lab,
        listed,
        labelled,
        labelled_digits,
        one_class,
        one_class_digits,
        options,
        suite,
        thresholds,
        tiles,
        words,
        xrays,
    )
}


def _standings(rows: Sequence[Row], metric: str, tasks: dict[str, str], *, costs: bool) -> str:
    """Return a row per detector and a column per task."""
    return _table(rows, {(metric, task): title for task, title in tasks.items()}, costs=costs)


def _table(rows: Sequence[Row], columns: dict[tuple[str, str], str], *, costs: bool) -> str:
    """Return a row per detector, the best in the first column first."""
    first = next(iter(columns))
    by_model = {model: measured_rows.of_model(rows, model) for model in measured_rows.models(rows)}
    present = [model for model, values in by_model.items() if first in values]
    present.sort(key=lambda model: -by_model[model][first].value)
    lines = []
    for model in present:
        values = by_model[model]
        line = [_label(model), *(_cell(values.get(column)) for column in columns)]
        if costs:
            line += [_cost(values, name) for name in COSTS]
        lines.append(line)
    head = ["detector", *columns.values(), *(("fit, s", "images/s") if costs else ())]
    return _markdown(head, lines)


def _label(model: str) -> str:
    """Return a detector as tables show it; a dagger marks those trained on synthetic anomalies."""
    from anomalist.models import parse

    is_synthetic = bool(parse(model).trained_on)
    return f"`{model}` †" if is_synthetic else f"`{model}`"


def _default(value: object) -> str:
    """Return an option's default as it is written in a spec."""
    if value is None:
        return "not set"
    if value in ("", ()):
        return "none"
    if isinstance(value, tuple):
        return f"`{';'.join(map(_short, value))}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{_short(value)}`"


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    if row.half_width is None:
        return f"{row.value:.2f} (one seed)"
    return f"{row.value:.2f} ± {row.half_width:.2f}"


def _cost(values: dict[tuple[str, str], Row], name: str) -> str:
    row = values.get((name, ""))
    if row is None:
        return "-"
    return f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:g}"


def _interval(row: dict[str, str]) -> str:
    return f"{float(row['value']):.3f} [{float(row['low']):.3f}, {float(row['high']):.3f}]"


def _point(point: dict[str, float]) -> str:
    from anomalist.reports.study_tables import percent

    return percent(point).replace("±", "± ")


def _plain_percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    align = ["left"] * text_columns + ["right"] * (len(head) - text_columns)
    return tabulate(lines, head, tablefmt="pipe", disable_numparse=True, colalign=align)


def draw_costs() -> None:
    """Draw the mean AUROC of the studies' detectors against their costs."""
    from anomalist.analysis.leaderboard import Cost, Standing
    from anomalist.reports.output import save
    from anomalist.reports.study_pictures import against_cost

    for name in ("one_class", "blind_spot"):
        rows = measured_rows.read(name)
        standings = []
        costs = {}
        for model in measured_rows.models(rows):
            values = measured_rows.of_model(rows, model)
            mean = values["auroc", "mean"]
            point: dict[str, float | None] = {"mean": mean.value / 100, "low": None, "high": None}
            if mean.half_width is not None:
                point["low"] = (mean.value - mean.half_width) / 100
                point["high"] = (mean.value + mean.half_width) / 100
            standings.append(Standing(model, {}, point))
            fit = values["fit_s", ""].value
            costs[model] = Cost(fit, values["images_per_s", ""].value, 1)
        standings.sort(key=lambda one: -one.mean["mean"])
        path = DOCS / "figures" / f"{name}_vs_cost.svg"
        path.parent.mkdir(exist_ok=True)
        save(against_cost(standings, costs, "AUROC"), path)
        print(f"{path.relative_to(ROOT)}: {len(standings)} detectors")


if __name__ == "__main__":
    main()

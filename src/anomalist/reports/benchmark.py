"""The report of a benchmark, made from its rows: leaderboard, tests, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalist.analysis.leaderboard import Cost, Standing, leaderboard, median_costs
from anomalist.analysis.rows import Flat, averaged
from anomalist.core.files import write_table, write_text
from anomalist.metrics.ranking import Ranking, cliques, rank, wins
from anomalist.metrics.table import labels_of
from anomalist.reports.output import Output

if TYPE_CHECKING:
    from anomalist.running.benchmark import Outcome

__all__ = ["board", "grouped", "ranking", "report"]

ALPHA = 0.05
_RUN_HERE = "run here"  # the origin of rows that were not read from a file
_NO_COST = {"fit_s": None, "images_per_s": None, "threads": None}
_COST_FIGURE = (
    "![Mean AUROC against the seconds of a fit, and against images scored per second]"
    "(auc_vs_cost.png)"
)
_RANKS_FIGURE = (
    "![Mean ranks; bars join detectors that do not differ significantly](critical_difference.png)"
)

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def report(outcome: Outcome, folder: Path, formats: Sequence[str] = ()) -> str:
    """Write the report of a benchmark, and return its beginning for the console.

    The files are ``report.md``, ``rows.csv`` (for ``--reference``), ``leaderboard.csv``,
    ``critical_difference.png`` and ``auc_vs_cost.png``. If pyarrow is installed, the two CSV files
    are also written as Parquet.

    Args:
        outcome: the result of :func:`anomalist.running.benchmark.run`.
        folder: the folder to write to.
        formats: further formats of figures and tables: ``"svg"``, ``"pdf"``, ``"tex"``.
    """
    from anomalist.reports import benchmark_pictures, benchmark_tables
    from anomalist.reports.study_pictures import against_cost

    output = Output(folder, formats)
    output.clear()
    head = _head(outcome)
    table = outcome.table
    if not table:
        return _write(folder, [*head, "", "No trial is finished, so there is nothing to compare."])
    labels = labels_of("benchmark")
    standings = {key: leaderboard(grouped(table, key), "group", key) for key in labels}
    costs = median_costs(table)
    order, ranks = ranking(standings["auroc"])
    entries = board(standings, costs, order, ranks, table)
    write_table(folder / "rows.csv", table)
    write_table(folder / "leaderboard.csv", entries)
    first = [*head, "", "## Leaderboard", ""]
    make = partial(benchmark_tables.leaderboard_table, entries, labels, costs)
    first += [output.table("leaderboard", make), "", benchmark_tables.LEADERBOARD_NOTE]
    first += ["", "## Do they differ?", "", *_tests(order, ranks, standings["auroc"])]
    output.figure(against_cost(standings["auroc"], costs, "AUROC"), "auc_vs_cost")
    rest = ["", _COST_FIGURE]
    if ranks is not None:
        picture = benchmark_pictures.critical_differences(order, ranks, ALPHA)
        output.figure(picture, "critical_difference")
        values = _matrix(standings["auroc"], order)
        make = partial(benchmark_tables.wins_table, order, wins(values), wins(-values))
        won = output.table("wins", make)
        rest = ["", _RANKS_FIGURE, *rest]
        rest += ["", "## Wins", "", won]
    for key, label in labels.items():
        if standings[key]:
            table_of = _standings(output, f"{key}_by_group", standings[key])
            rest += ["", f"## {label} by group", "", *table_of]
    rest += _by_task(table, output)
    _write(folder, first + rest)
    return "\n".join(first) + f"\n\nall tables and figures: {folder / 'report.md'}"


def grouped(table: Sequence[Flat], metric: str) -> list[Flat]:
    """Return each detector's mean of a metric over the tasks of each group, seed by seed.

    A group counts for a detector and seed only if they have a row for each of its tasks that occur
    in the table.
    """
    means: list[Flat] = []
    for group in dict.fromkeys(row["group"] for row in table):
        inside = [row for row in table if row["group"] == group and row.get(metric) is not None]
        means += averaged(inside, "task_sha256", ("model", "group", "seed"), metric)
    return means


def ranking(standings: Sequence[Standing]) -> tuple[list[str], Ranking | None]:
    """Return the detectors with results for every group, and their ranks.

    With fewer than two detectors or groups the ranks are None.
    """
    order = [one.model for one in standings if one.mean is not None]
    groups = {group for one in standings for group in one.cells}
    if len(order) < 2 or len(groups) < 2:
        return order, None
    return order, rank(_matrix(standings, order), ALPHA)


def board(
    standings: Mapping[str, Sequence[Standing]],
    costs: Mapping[str, Cost],
    order: Sequence[str],
    ranks: Ranking | None,
    table: Sequence[Flat],
) -> list[Flat]:
    """Return the leaderboard: one row per detector, sorted by the mean AUROC over groups.

    Detectors without this mean come last.

    Args:
        standings: standings by metric.
        costs: costs by detector.
        order: the ranked detectors.
        ranks: their ranks, from :func:`ranking`.
        table: all rows, which contain their origin.
    """
    origins: dict[str, dict[str, None]] = {}
    for row in table:
        origins.setdefault(row["model"], {})[row["origin"]] = None
    mean_ranks: dict[str, float] = {}
    if ranks is not None:
        mean_ranks = {model: float(r) for model, r in zip(order, ranks.ranks, strict=True)}
    entries = []
    for one in standings["auroc"]:
        entry: Flat = {"model": one.model, "groups": len(one.cells)}
        for metric, of_metric in standings.items():
            means = {other.model: other.mean for other in of_metric}
            mean = means.get(one.model) or {}
            entry[metric] = mean.get("mean")
            entry[f"{metric}_low"] = mean.get("low")
            entry[f"{metric}_high"] = mean.get("high")
        entry["mean_rank"] = mean_ranks.get(one.model)
        entry |= _cost_columns(costs.get(one.model))
        entries.append(entry | {"origin": ", ".join(origins[one.model])})
    return entries


def _cost_columns(cost: Cost | None) -> Flat:
    if cost is None:
        return dict(_NO_COST)
    return {"fit_s": cost.fit, "images_per_s": cost.rate, "threads": cost.threads}


def _matrix(standings: Sequence[Standing], order: Sequence[str]) -> Matrix:
    """Return the values ``[groups, detectors]`` of the detectors with results for every group."""
    groups = dict.fromkeys(group for one in standings for group in one.cells)
    cells = {one.model: one.cells for one in standings}
    values = [[cells[model][group]["mean"] for model in order] for group in groups]
    return np.array(values, np.float64)


def _head(outcome: Outcome) -> list[str]:
    origins = [row["origin"] for row in outcome.table]
    done = origins.count(_RUN_HERE)
    text = [f"# Benchmark: {outcome.suite}, version {outcome.version}", ""]
    text.append(f"{done} of {outcome.total} trials are finished.")
    if len(origins) > done:
        files = ", ".join(sorted(set(origins) - {_RUN_HERE}))
        text.append(f"{len(origins) - done} further rows are from {files}.")
    for file, count in outcome.excluded.items():
        text.append(f"{count} rows of {file} are excluded: other version, task or seed.")
    if outcome.failures:
        text += ["", f"{len(outcome.failures)} failed:"]
        text += [f"- {place}: {message}" for place, message in outcome.failures.items()]
    if outcome.absent:
        text += ["", "These groups are missing, because their data sets are not available:"]
        text += [f"- {groups}: {reason}" for groups, reason in outcome.absent.items()]
    leaks: dict[tuple[str, str], int] = {}
    for row in outcome.table:
        if row["duplicates"]:
            leaks[row["group"], row["task"]] = int(row["duplicates"])
    if leaks:
        text += ["", "Numbers of test images that are byte for byte identical to a training image:"]
        text += [f"- {group}, {task}: {count}" for (group, task), count in leaks.items()]
    return text


def _tests(
    order: Sequence[str],
    ranks: Ranking | None,
    standings: Sequence[Standing],
) -> list[str]:
    """Return the results of the statistical tests, as sentences."""
    if ranks is None:
        return [
            "There are no tests: they need at least two groups, and two detectors with results for "
            "all groups."
        ]
    text = [
        f"Detectors are ranked by their mean AUROC in each of {ranks.n} groups. The ranks include "
        f"the {len(order)} detectors with results for all groups."
    ]
    if ranks.p is not None:
        says = "differ significantly" if ranks.p < ALPHA else "do not differ significantly"
        text.append(
            f"- Friedman: chi-squared {ranks.statistic:.2f}, p = {ranks.p:.2g}: the detectors "
            f"{says}."
        )
    distances = np.abs(ranks.ranks[:, None] - ranks.ranks)
    near = cliques(ranks.ranks, distances < ranks.distance)
    text.append(
        f"- Nemenyi: mean ranks closer than {ranks.distance:.2f} do not differ significantly: "
        f"{_sets(near, order)}."
    )
    if ranks.least >= ALPHA:
        text.append(
            f"- Wilcoxon, Holm: {ranks.n} groups are too few for a significant difference between "
            f"these detectors (p is at least {ranks.least:.2g})."
        )
    else:
        alike = cliques(ranks.ranks, ranks.pairs >= ALPHA)
        text.append(
            "- Wilcoxon, Holm: neighbours by rank that do not differ significantly: "
            f"{_sets(alike, order)}."
        )
    incomplete = [one.model for one in standings if one.mean is None]
    if incomplete:
        text.append(f"- Not ranked, because a group is missing: {', '.join(incomplete)}.")
    return text


def _sets(groups: Sequence[tuple[int, ...]], order: Sequence[str]) -> str:
    sets = []
    for group in groups:
        names = ", ".join(f"`{order[one]}`" for one in group)
        sets.append("{" + names + "}")
    return "; ".join(sets) or "none"


def _standings(output: Output, name: str, standings: Sequence[Standing]) -> list[str]:
    """Return a table without costs, and its note."""
    from anomalist.reports.study_tables import standings_note, standings_table

    make = partial(standings_table, standings, "", {})
    return [output.table(name, make), "", standings_note({})]


def _by_task(table: Sequence[Flat], output: Output) -> list[str]:
    """Return a table of AUROC for each group of several tasks, with one column per task."""
    text: list[str] = []
    for group in dict.fromkeys(row["group"] for row in table):
        inside = [row for row in table if row["group"] == group]
        if len({row["task_sha256"] for row in inside}) > 1:
            standings = leaderboard(inside, "task", "auroc")
            name = "".join(one if one.isalnum() else "_" for one in f"{group} by task")
            table_of = _standings(output, name, standings)
            text += ["", f"## {group}: AUROC by task", "", *table_of]
    return text


def _write(folder: Path, lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    write_text(folder / "report.md", text + "\n")
    return text

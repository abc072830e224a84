"""What is made of a benchmark's rows: a leaderboard, ranks and tests, tables by group and task, wins and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalist.files import make_folder, write_text
from anomalist.metrics.ranking import Ranking, cliques, rank, wins
from anomalist.studies import tables
from anomalist.studies.leaderboard import Cost, Standing, leaderboard, median_costs
from anomalist.studies.rows import METRICS
from anomalist.studies.tables import Flat, averaged

if TYPE_CHECKING:
    from anomalist.studies.benchmark import Outcome

__all__ = ["board", "grouped", "ranking", "report"]

ALPHA = 0.05


def report(outcome: Outcome, folder: Path) -> str:
    """Write the report of a benchmark and return its beginning, for the console.

    Written are ``report.md``, ``rows.csv`` (which ``--reference`` takes), ``leaderboard.csv``, both
    as Parquet too where pyarrow is installed, ``critical_difference.png`` and ``auc_vs_cost.png``.

    Args:
        outcome: what :func:`anomalist.studies.benchmark.run` returned.
        folder: where to write.
    """
    from anomalist.reports import benchmark as pictures
    from anomalist.reports.pages import save
    from anomalist.reports.studies import against_cost, standings_table

    make_folder(folder)
    for old in folder.glob("*.png"):  # none is left that the rows do not speak of
        old.unlink()
    head = _head(outcome)
    table = outcome.table
    if not table:
        return _write(folder, [*head, "", "No trial is finished, so there is nothing to compare."])
    standings = {metric: leaderboard(grouped(table, metric), "group", metric) for metric in METRICS}
    costs = median_costs(table)
    order, ranks = ranking(standings["auroc"])
    entries = board(standings, costs, order, ranks, table)
    tables.write(table, folder, "rows")
    tables.write(entries, folder, "leaderboard")
    first = [*head, "", "## Leaderboard", "", pictures.leaderboard_table(entries, METRICS, costs)]
    first += ["", "## Do they differ?", "", *_tests(order, ranks, standings["auroc"])]
    save(against_cost(standings["auroc"], costs, "AUROC"), folder / "auc_vs_cost.png")
    rest = ["", "![cost](auc_vs_cost.png)"]
    if ranks is not None:
        save(pictures.critical_differences(order, ranks, ALPHA), folder / "critical_difference.png")
        values = _matrix(standings["auroc"], order)
        rest = ["", "![critical differences](critical_difference.png)", *rest]
        rest += ["", "## Wins", "", pictures.wins_table(order, wins(values), wins(-values))]
    for metric, name in METRICS.items():
        if standings[metric]:
            rest += ["", f"## {name} by group", "", standings_table(standings[metric], "", {})]
    rest += _by_task(table, standings_table)
    _write(folder, first + rest)
    return "\n".join(first) + f"\n\nall tables and pictures: {folder / 'report.md'}"


def grouped(table: Sequence[Flat], metric: str) -> list[Flat]:
    """Return each detector's mean of a metric over the tasks of each group, seed by seed.

    A group counts for a detector and seed only if all its tasks are there, of those that any
    detector has.
    """
    out: list[Flat] = []
    for group in dict.fromkeys(row["group"] for row in table):
        found = [row for row in table if row["group"] == group and row.get(metric) is not None]
        out += averaged(found, "task_sha256", ("model", "group", "seed"), metric)
    return out


def ranking(standings: Sequence[Standing]) -> tuple[list[str], Ranking | None]:
    """Return the detectors that have every group, and their ranks; no ranks where there are too few of either."""
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
    """Return the leaderboard: a row a detector, in the order of the mean AUROC over groups, those without one last.

    Args:
        standings: by metric.
        costs: by detector.
        order: the detectors that are ranked.
        ranks: what :func:`ranking` returned.
        table: all rows, for where they come from.
    """
    origins: dict[str, dict[str, None]] = {}
    for row in table:
        origins.setdefault(row["model"], {})[row["origin"]] = None
    mean_ranks = {} if ranks is None else dict(zip(order, ranks.ranks, strict=True))
    entries = []
    for one in standings["auroc"]:
        entry: Flat = {"model": one.model, "groups": len(one.cells)}
        for metric in METRICS:
            same = (
                next((other.mean for other in standings[metric] if other.model == one.model), None)
                or {}
            )
            entry |= {
                f"{metric}{end}": same.get(end[1:] or "mean") for end in ("", "_low", "_high")
            }
        place = mean_ranks.get(one.model)
        entry["mean_rank"] = None if place is None else float(place)
        cost = costs.get(one.model)
        entry |= (
            {"fit_s": None, "images_per_s": None, "threads": None}
            if cost is None
            else {
                "fit_s": cost.fit,
                "images_per_s": cost.rate,
                "threads": cost.threads,
            }
        )
        entries.append(entry | {"origin": ", ".join(origins[one.model])})
    return entries


def _matrix(
    standings: Sequence[Standing], order: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the values ``[groups, detectors]`` of the detectors that have every group."""
    groups = list(dict.fromkeys(group for one in standings for group in one.cells))
    cells = {one.model: one.cells for one in standings}
    return np.array(
        [[cells[model][group]["mean"] for model in order] for group in groups], np.float64
    )


def _head(outcome: Outcome) -> list[str]:
    done = sum(row["origin"] == "run here" for row in outcome.table)
    text = [f"# Benchmark: {outcome.suite}, version {outcome.version}", ""]
    text += [f"{done} of {outcome.total} trials are finished."]
    if beside := len(outcome.table) - done:
        files = ", ".join(sorted({row["origin"] for row in outcome.table} - {"run here"}))
        text += [f"{beside} rows beside them are from {files}."]
    for file, count in outcome.left_out.items():
        text += [f"{count} rows of {file} are of another version, task or seed, and are left out."]
    if outcome.failures:
        text += ["", f"{len(outcome.failures)} failed:"]
        text += [f"- {place}: {message}" for place, message in outcome.failures.items()]
    if outcome.absent:
        text += ["", "Absent, since their data are not here:"]
        text += [f"- {groups}: {reason}" for groups, reason in outcome.absent.items()]
    leaks = {
        (row["group"], row["task"]): int(row["duplicates"])
        for row in outcome.table
        if row["duplicates"]
    }
    if leaks:
        text += ["", "Test images that are training images too, byte for byte:"]
        text += [f"- {group}, {task}: {count}" for (group, task), count in leaks.items()]
    return text


def _tests(order: Sequence[str], ranks: Ranking | None, standings: Sequence[Standing]) -> list[str]:
    """Return what the tests say, in words."""
    if ranks is None:
        return [
            "Fewer than two groups, or than two detectors that have all of them: nothing can be "
            "tested."
        ]
    text = [
        f"Ranks are of the mean AUROC in each of {ranks.n} groups, of the {len(order)} detectors "
        "that have all."
    ]
    if ranks.p is not None:
        says = "differ" if ranks.p < ALPHA else "are not told apart"
        text += [
            f"- Friedman: chi-squared {ranks.statistic:.2f}, p = {ranks.p:.2g}: the detectors "
            f"{says}."
        ]
    near = cliques(ranks.ranks, np.abs(ranks.ranks[:, None] - ranks.ranks) < ranks.distance)
    text += [
        f"- Nemenyi: mean ranks nearer than {ranks.distance:.2f} are not told apart: "
        f"{_sets(near, order)}."
    ]
    if ranks.least >= ALPHA:
        text += [
            f"- Wilcoxon, Holm: {ranks.n} groups are too few to tell any of these pairs apart, "
            "whatever the values "
            f"(p is {ranks.least:.2g} at least)."
        ]
    else:
        alike = cliques(ranks.ranks, ranks.pairs >= ALPHA)
        text += [
            f"- Wilcoxon, Holm: neighbours by rank that are not told apart: {_sets(alike, order)}."
        ]
    if incomplete := [one.model for one in standings if one.mean is None]:
        text += [f"- Not ranked, since some group is missing: {', '.join(incomplete)}."]
    return text


def _sets(found: Sequence[tuple[int, ...]], order: Sequence[str]) -> str:
    return (
        "; ".join("{" + ", ".join(f"`{order[one]}`" for one in group) + "}" for group in found)
        or "none"
    )


def _by_task(table: Sequence[Flat], standings_table: Any) -> list[str]:
    """Return a table of AUROC for each group of several tasks, a column a task."""
    text: list[str] = []
    for group in dict.fromkeys(row["group"] for row in table):
        inside = [row for row in table if row["group"] == group]
        if len({row["task_sha256"] for row in inside}) > 1:
            text += [
                "",
                f"## {group}: AUROC by task",
                "",
                standings_table(leaderboard(inside, "task", "auroc"), "", {}),
            ]
    return text


def _write(folder: Path, lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    write_text(folder / "report.md", text + "\n")
    return text

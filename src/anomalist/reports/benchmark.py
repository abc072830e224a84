"""The report of a benchmark, made from its rows: leaderboard, ranks and tests, tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalist.analysis import rows
from anomalist.analysis.leaderboard import Cost, Standing, leaderboard, median_costs
from anomalist.analysis.rows import Flat, averaged
from anomalist.core.files import make_folder, write_text
from anomalist.metrics.ranking import Ranking, cliques, rank, wins
from anomalist.metrics.table import labels_of

if TYPE_CHECKING:
    from anomalist.running.benchmark import Outcome

__all__ = ["board", "grouped", "ranking", "report"]

ALPHA = 0.05
_RUN_HERE = "run here"  # the origin of rows that were not read from a file
_NO_COST = {"fit_s": None, "images_per_s": None, "threads": None}

Matrix = np.ndarray[Any, np.dtype[np.float64]]


def report(outcome: Outcome, folder: Path) -> str:
    """Write the report of a benchmark and return its beginning, for the console.

    Written are ``report.md``, ``rows.csv`` (which ``--reference`` takes), ``leaderboard.csv``, both
    as Parquet too where pyarrow is installed, ``critical_difference.png`` and ``auc_vs_cost.png``.

    Args:
        outcome: what :func:`anomalist.running.benchmark.run` returned.
        folder: where to write.
    """
    from anomalist.reports import benchmark_pictures, benchmark_tables
    from anomalist.reports.pages import save
    from anomalist.reports.study_pictures import against_cost
    from anomalist.reports.study_tables import standings_table

    make_folder(folder)
    for old in folder.glob("*.png"):  # pictures of earlier rows must not remain
        old.unlink()
    head = _head(outcome)
    table = outcome.table
    if not table:
        return _write(folder, [*head, "", "No trial is finished, so there is nothing to compare."])
    labels = labels_of("benchmark")
    standings = {key: leaderboard(grouped(table, key), "group", key) for key in labels}
    costs = median_costs(table)
    order, ranks = ranking(standings["auroc"])
    entries = board(standings, costs, order, ranks, table)
    rows.write(table, folder, "rows")
    rows.write(entries, folder, "leaderboard")
    first = [*head, "", "## Leaderboard", ""]
    first.append(benchmark_tables.leaderboard_table(entries, labels, costs))
    first += ["", "## Do they differ?", "", *_tests(order, ranks, standings["auroc"])]
    save(against_cost(standings["auroc"], costs, "AUROC"), folder / "auc_vs_cost.png")
    rest = ["", "![cost](auc_vs_cost.png)"]
    if ranks is not None:
        picture = benchmark_pictures.critical_differences(order, ranks, ALPHA)
        save(picture, folder / "critical_difference.png")
        values = _matrix(standings["auroc"], order)
        won = benchmark_tables.wins_table(order, wins(values), wins(-values))
        rest = ["", "![critical differences](critical_difference.png)", *rest]
        rest += ["", "## Wins", "", won]
    for key, label in labels.items():
        if standings[key]:
            rest += ["", f"## {label} by group", "", standings_table(standings[key], "", {})]
    rest += _by_task(table, standings_table)
    _write(folder, first + rest)
    return "\n".join(first) + f"\n\nall tables and pictures: {folder / 'report.md'}"


def grouped(table: Sequence[Flat], metric: str) -> list[Flat]:
    """Return each detector's mean of a metric over the tasks of each group, seed by seed.

    A group counts for a detector and seed only if all its tasks are there, of those that any
    detector has.
    """
    means: list[Flat] = []
    for group in dict.fromkeys(row["group"] for row in table):
        inside = [row for row in table if row["group"] == group and row.get(metric) is not None]
        means += averaged(inside, "task_sha256", ("model", "group", "seed"), metric)
    return means


def ranking(standings: Sequence[Standing]) -> tuple[list[str], Ranking | None]:
    """Return the detectors that have every group, and their ranks.

    There are no ranks with fewer than two detectors or groups.
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
    """Return the leaderboard: a row per detector, by the mean AUROC over groups.

    Detectors without one come last.

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
    """Return the values ``[groups, detectors]`` of the detectors that have every group."""
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
        text.append(f"{len(origins) - done} rows beside them are from {files}.")
    for file, count in outcome.excluded.items():
        text.append(f"{count} rows of {file} are of another version, task or seed: excluded.")
    if outcome.failures:
        text += ["", f"{len(outcome.failures)} failed:"]
        text += [f"- {place}: {message}" for place, message in outcome.failures.items()]
    if outcome.absent:
        text += ["", "Absent, since their data are not here:"]
        text += [f"- {groups}: {reason}" for groups, reason in outcome.absent.items()]
    leaks: dict[tuple[str, str], int] = {}
    for row in outcome.table:
        if row["duplicates"]:
            leaks[row["group"], row["task"]] = int(row["duplicates"])
    if leaks:
        text += ["", "Test images that are training images too, byte for byte:"]
        text += [f"- {group}, {task}: {count}" for (group, task), count in leaks.items()]
    return text


def _tests(
    order: Sequence[str],
    ranks: Ranking | None,
    standings: Sequence[Standing],
) -> list[str]:
    """Return the results of the tests, in words."""
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
            f"- Wilcoxon, Holm: {ranks.n} groups are too few for any of these pairs to differ "
            f"significantly, whatever the values (p is {ranks.least:.2g} at least)."
        )
    else:
        alike = cliques(ranks.ranks, ranks.pairs >= ALPHA)
        text.append(
            "- Wilcoxon, Holm: neighbours by rank that do not differ significantly: "
            f"{_sets(alike, order)}."
        )
    incomplete = [one.model for one in standings if one.mean is None]
    if incomplete:
        text.append(f"- Not ranked, since some group is missing: {', '.join(incomplete)}.")
    return text


def _sets(groups: Sequence[tuple[int, ...]], order: Sequence[str]) -> str:
    sets = []
    for group in groups:
        names = ", ".join(f"`{order[one]}`" for one in group)
        sets.append("{" + names + "}")
    return "; ".join(sets) or "none"


def _by_task(table: Sequence[Flat], standings_table: Any) -> list[str]:
    """Return a table of AUROC for each group of several tasks, a column per task."""
    text: list[str] = []
    for group in dict.fromkeys(row["group"] for row in table):
        inside = [row for row in table if row["group"] == group]
        if len({row["task_sha256"] for row in inside}) > 1:
            standings = leaderboard(inside, "task", "auroc")
            text += ["", f"## {group}: AUROC by task", "", standings_table(standings, "", {})]
    return text


def _write(folder: Path, lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    write_text(folder / "report.md", text + "\n")
    return text

"""Tables of a benchmark: the leaderboard, and pairwise wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from tabulate import tabulate

from anomalist.reports.study_tables import cost_cells, percent

__all__ = ["LEADERBOARD_NOTE", "leaderboard_table", "wins_table"]

LEADERBOARD_NOTE = (
    "Values are means over groups ± half of Student's 95 % interval over seeds, for detectors with "
    "results for all groups. Costs are medians over fits; those of rows from files were measured "
    "on other machines."
)


def leaderboard_table(
    entries: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, str],
    costs: Mapping[str, Any],
    style: str = "github",
) -> str:
    """Return one line per detector: means in percent, mean rank, costs and origin of the rows.

    Args:
        entries: the result of :func:`anomalist.reports.benchmark.board`.
        metrics: the printed names of metrics, by their columns.
        costs: the result of :func:`anomalist.analysis.leaderboard.median_costs`.
        style: a table format of tabulate.
    """
    head = ["model"]
    head += [f"{name}, %" for name in metrics.values()]
    head += ["mean rank", "fit, s", "images/s", "rows from"]
    lines = []
    for entry in entries:
        line = [entry["model"]]
        line += [percent(_point(entry, name)) for name in metrics]
        line.append("-" if entry["mean_rank"] is None else f"{entry['mean_rank']:.2f}")
        line += cost_cells(costs.get(entry["model"]))
        line.append(entry["origin"])
        lines.append(line)
    return tabulate(lines, head, tablefmt=style, disable_numparse=True)


def wins_table(
    names: Sequence[str],
    won: NDArray[Any],
    lost: NDArray[Any],
    style: str = "github",
) -> str:
    """Return the numbers of groups in which one detector is better and worse than another.

    Args:
        names: names of the detectors.
        won: ``[k, k]``, the number of groups in which the row's detector beats the column's.
        lost: ``[k, k]``, the number in which it loses; the remaining groups are ties.
        style: a table format of tabulate.
    """
    columns = range(len(names))
    head = ["won : lost against"]
    head += [str(column + 1) for column in columns]
    lines = []
    for row, name in enumerate(names):
        line = [f"{row + 1}. {name}"]
        for column in columns:
            counts = f"{won[row, column]} : {lost[row, column]}"
            line.append("" if row == column else counts)
        lines.append(line)
    return tabulate(lines, head, tablefmt=style, disable_numparse=True)


def _point(entry: Mapping[str, Any], metric: str) -> dict[str, Any] | None:
    """Return the mean of a metric with its interval, if the entry has it."""
    if entry[metric] is None:
        return None
    return {
        "mean": entry[metric],
        "low": entry[f"{metric}_low"],
        "high": entry[f"{metric}_high"],
    }

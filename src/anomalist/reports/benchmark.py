"""Tables and pictures of a benchmark: the leaderboard, who beats whom, and critical differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tabulate import tabulate

from anomalist.metrics.ranking import Ranking, cliques
from anomalist.reports.studies import percent, spent

__all__ = ["critical_differences", "leaderboard_table", "wins_table"]

_STEP = 0.42  # between the lines of labels, in inches


def leaderboard_table(
    entries: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, str],
    costs: Mapping[str, Any],
    style: str = "github",
) -> str:
    """Return a line a detector: means in percent, the mean rank, costs, and where its rows come from.

    Args:
        entries: what ``studies.benchmark_report.board`` returned.
        metrics: the names that metrics are printed by, by their columns.
        costs: what ``studies.leaderboard.median_costs`` returned.
        style: a format of tabulate.
    """
    head = [
        "model",
        *(f"{name}, %" for name in metrics.values()),
        "mean rank",
        "fit, s",
        "images/s",
        "rows from",
    ]
    lines = []
    for entry in entries:
        cells = [
            percent(
                None
                if entry[name] is None
                else {
                    "mean": entry[name],
                    "low": entry[f"{name}_low"],
                    "high": entry[f"{name}_high"],
                }
            )
            for name in metrics
        ]
        place = "-" if entry["mean_rank"] is None else f"{entry['mean_rank']:.2f}"
        lines.append(
            [entry["model"], *cells, place, *spent(costs.get(entry["model"])), entry["origin"]]
        )
    note = (
        "Means over groups, of the detectors that have all of them, ± half of Student's 95 % "
        "interval over seeds. "
        "Costs: medians over fits; those of files were measured on other machines."
    )
    return tabulate(lines, head, tablefmt=style, disable_numparse=True) + f"\n\n{note}"


def wins_table(
    names: Sequence[str], won: NDArray[np.int64], lost: NDArray[np.int64], style: str = "github"
) -> str:
    """Return, for each pair, on how many groups the detector of the row is better, and on how many it is worse.

    Args:
        names: of the detectors.
        won: ``[k, k]``, row against column.
        lost: the same, the other way round; what is left are ties.
        style: a format of tabulate.
    """
    head = ["won : lost against", *(str(number) for number in range(1, len(names) + 1))]
    lines = [
        [
            f"{row + 1}. {name}",
            *(
                "" if row == column else f"{won[row, column]} : {lost[row, column]}"
                for column in range(len(names))
            ),
        ]
        for row, name in enumerate(names)
    ]
    return tabulate(lines, head, tablefmt=style, disable_numparse=True)


def critical_differences(names: Sequence[str], ranks: Ranking, alpha: float) -> Figure:
    """Draw the mean ranks on an axis, best at the left, and a bar over those that are not told apart (Demsar 2006).

    Above by Nemenyi's critical difference, whose length is drawn; below by Wilcoxon's test with
    Holm's correction.

    Args:
        names: of the detectors.
        ranks: their ranks and tests.
        alpha: the level of the tests.
    """
    apart = np.abs(ranks.ranks[:, None] - ranks.ranks)
    panels = (
        (
            f"Nemenyi: critical difference {ranks.distance:.2f} (level {alpha:g})",
            apart < ranks.distance,
        ),
        (f"Wilcoxon signed-rank, Holm (level {alpha:g})", ranks.pairs >= alpha),
    )
    figure = Figure(
        figsize=(9, 2 * (1.6 + _STEP * ((len(names) + 1) // 2 + 1))), layout="constrained"
    )
    for axes, (title, alike) in zip(figure.subplots(2), panels, strict=True):
        bars = cliques(ranks.ranks, alike)
        _rank_axis(axes, names, ranks.ranks, bars)
        axes.set_title(f"{title}; {ranks.n} groups", fontsize="medium")
    top = figure.axes[0]
    length = min(ranks.distance, len(names) - 1)
    top.plot([1, 1 + length], [0.62, 0.62], color="black", linewidth=2)
    top.text(
        1 + length / 2,
        0.72,
        "CD" if length == ranks.distance else "CD (longer than the axis)",
        ha="center",
    )
    return figure


def _rank_axis(
    axes: Axes, names: Sequence[str], ranks: NDArray[np.float64], bars: Sequence[tuple[int, ...]]
) -> None:
    """Draw an axis of ranks at height 0, labels below it on both sides, bars between."""
    count, order = len(names), np.argsort(ranks, kind="stable")
    room = 0.3 + 0.18 * len(bars)
    axes.hlines(0, 1, count, color="black", linewidth=1)
    for tick in range(1, count + 1):
        axes.vlines(tick, 0, 0.08, color="black", linewidth=1)
        axes.text(tick, 0.14, str(tick), ha="center", va="bottom", fontsize="small")
    left = (count + 1) // 2
    for place, one in enumerate(order):
        at = float(ranks[one])
        on_left = place < left
        height = -room - _STEP * (place if on_left else count - 1 - place)
        end = 1 - 0.04 * count if on_left else count + 0.04 * count
        axes.plot([at, at, end], [0, height, height], color="grey", linewidth=1)
        label = f"{names[one]} ({at:.2f})"
        axes.text(
            end,
            height,
            f"{label} " if on_left else f" {label}",
            ha="right" if on_left else "left",
            va="center",
        )
    for number, bar in enumerate(bars):
        low, high = float(ranks[bar[0]]), float(ranks[bar[-1]])
        pad = 0.01 * count
        axes.hlines(-0.2 - 0.18 * number, low - pad, high + pad, color="#0072B2", linewidth=4)
    axes.set(xlim=(1 - 0.75 * count, count + 0.75 * count), ylim=(-room - _STEP * left, 1.0))
    axes.set_axis_off()

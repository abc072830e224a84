"""Tables of result rows, for the console and for Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from anomalist.metrics.table import shown_in

__all__ = ["baseline_table"]

Row = dict[str, Any]


def baseline_table(rows: Sequence[Row], style: str = "simple") -> str:
    """Return one line per kind of anomaly: image metrics, pixel metrics and what was excluded.

    Args:
        rows: the rows of ``metrics.json``.
        style: a format of tabulate: ``"simple"`` for the console, ``"github"`` for Markdown.
    """
    has_defects = any(row["severity"] is None for row in rows)
    _, *others = shown_in("run")  # the first, AUROC, is shown with its interval
    head = ["anomaly" if has_defects else "corruption", "severity", "AUROC [95 % CI]"]
    head += [metric.label for metric in others]
    head.append("excluded")
    lines = []
    for setting in dict.fromkeys(row["setting"] for row in rows):
        by_metric = {row["metric"]: row for row in rows if row["setting"] == setting}
        auroc = by_metric["auroc"]
        severity = "-" if auroc["severity"] is None else f"{auroc['severity']:.3f}"
        cells = [_value(by_metric.get(metric.key)) for metric in others]
        excluded = f"{auroc['left_out']:,}"
        lines.append([setting, severity, _with_interval(auroc), *cells, excluded])
    align = ("left", *("right",) * (len(head) - 1))
    return tabulate(
        lines,
        head,
        tablefmt=style,
        disable_numparse=True,
        colalign=align,
    )


def _with_interval(row: Row) -> str:
    # Four digits: detectors differ between 0.999 and 1.
    return f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _value(row: Row | None) -> str:
    return "-" if row is None else f"{row['value']:.3f}"

"""Tables of result rows, for the console and for Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

__all__ = ["baseline_table"]

Row = dict[str, Any]


def baseline_table(rows: Sequence[Row], style: str = "simple") -> str:
    """Return one line a kind of anomaly: image metrics, pixel metrics, and what was left out.

    Args:
        rows: the rows of ``metrics.json``.
        style: a format of tabulate: ``"simple"`` for the console, ``"github"`` for Markdown.
    """
    real = any(row["severity"] is None for row in rows)
    head = (
        "anomaly" if real else "corruption",
        "severity",
        "AUROC [95 % CI]",
        "AP",
        "FPR95",
        "pixel AUROC",
        "AUPRO",
        "IoU",
        "left out",
    )
    lines = []
    for setting in dict.fromkeys(row["setting"] for row in rows):
        found = {row["metric"]: row for row in rows if row["setting"] == setting}
        auroc = found["auroc"]
        severity = "-" if auroc["severity"] is None else f"{auroc['severity']:.3f}"
        cells = [setting, severity, _with_interval(auroc)]
        cells += [
            _value(found.get(name))
            for name in ("average_precision", "fpr95", "pixel_auroc", "aupro", "iou")
        ]
        lines.append([*cells, f"{auroc['left_out']:,}"])
    align = ("left", *("right",) * (len(head) - 1))
    return tabulate(lines, head, tablefmt=style, disable_numparse=True, colalign=align)


def _with_interval(row: Row) -> str:
    # Four digits: between 0.999 and 1 is where detectors differ.
    return f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _value(row: Row | None) -> str:
    return "-" if row is None else f"{row['value']:.3f}"

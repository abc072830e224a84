"""Tables of result rows, for the console and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from anomalist.metrics.table import shown_in

__all__ = ["baseline_table"]

Row = dict[str, Any]


def baseline_table(
    rows: Sequence[Row],
    style: str = "simple",
    *,
    second: Sequence[Row] = (),
    names: tuple[str, str] = ("error", "fused"),
) -> str:
    """Return one line per kind of anomaly: image metrics, pixel metrics, number of excluded images.

    If there are two scores, each line has AUROC and AUPRO of both.

    Args:
        rows: the rows of ``metrics.json``.
        second: the rows of the second score, if the detector has one.
        names: names of the two scores.
        style: a table format of tabulate: ``"simple"`` for the console, ``"github"`` for Markdown.
    """
    if second:
        return _two_scores(rows, second, names, style)
    has_defects = any(row["severity"] is None for row in rows)
    _, *others = shown_in("run")  # the first, AUROC, is shown with its interval
    head = ["anomaly" if has_defects else "corruption", "severity", "AUROC [95 % CI]"]
    head += [metric.label for metric in others]
    head.append("excluded")
    lines = []
    for setting, by_metric in _by_setting(rows).items():
        auroc = by_metric["auroc"]
        cells = [_value(by_metric.get(metric.key)) for metric in others]
        excluded = f"{auroc['left_out']:,}"
        lines.append([setting, _severity(auroc), _with_interval(auroc), *cells, excluded])
    return _table(lines, head, style)


def _two_scores(
    rows: Sequence[Row],
    second: Sequence[Row],
    names: tuple[str, str],
    style: str,
) -> str:
    """Return one line per kind of anomaly with AUROC and AUPRO of both scores."""
    has_defects = any(row["severity"] is None for row in rows)
    head = ["anomaly" if has_defects else "corruption", "severity"]
    head += [f"AUROC, {name}" for name in names]
    head += [f"AUPRO, {name}" for name in names]
    head.append("excluded")
    others = _by_setting(second)
    lines = []
    for setting, by_metric in _by_setting(rows).items():
        auroc = by_metric["auroc"]
        both = (by_metric, others[setting])
        aurocs = [_with_interval(one["auroc"]) for one in both]
        overlaps = [_value(one.get("aupro")) for one in both]
        excluded = f"{auroc['left_out']:,}"
        lines.append([setting, _severity(auroc), *aurocs, *overlaps, excluded])
    return _table(lines, head, style)


def _by_setting(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Return the rows by setting and metric."""
    by_setting: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_setting.setdefault(row["setting"], {})[row["metric"]] = row
    return by_setting


def _table(lines: list[list[str]], head: list[str], style: str) -> str:
    align = ("left", *("right",) * (len(head) - 1))
    return tabulate(
        lines,
        head,
        tablefmt=style,
        disable_numparse=True,
        colalign=align,
    )


def _severity(row: Row) -> str:
    return "-" if row["severity"] is None else f"{row['severity']:.3f}"


def _with_interval(row: Row) -> str:
    # Four digits, because good detectors differ only between 0.999 and 1.
    return f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _value(row: Row | None) -> str:
    return "-" if row is None else f"{row['value']:.3f}"

"""Comparisons of a study's points with its reference, paired over seeds, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomalist.metrics.comparison import holm, paired
from anomalist.studies.tables import Flat

__all__ = ["compare", "sentence"]

ALPHA = 0.05


def compare(table: Sequence[Flat], x: str, lines: Sequence[str], reference: Any, metric: str) -> list[Flat]:
    """Compare every value of an axis with the reference value, line by line.

    Args:
        table: flat rows.
        x: the axis that is compared along.
        lines: the axes that tell lines apart; p-values are Holm-corrected within a line.
        reference: the value of ``x`` that the others are held against.
        metric: a column.

    Returns:
        a row a comparison: the lines' values, ``x``, the fields of :class:`anomalist.metrics.comparison.Comparison` and
        ``p_holm``. Seeds that only one side has, and settings with fewer than two pairs, are left out.
    """
    values: dict[tuple[Any, ...], dict[Any, dict[int, float]]] = {}
    for row in table:
        if row.get(metric) is not None:
            line = tuple(row.get(name) for name in lines)
            values.setdefault(line, {}).setdefault(row[x], {})[row["seed"]] = float(row[metric])
    found: list[Flat] = []
    for line, settings in values.items():
        base = settings.get(reference, {})
        family: list[Flat] = []
        for setting, by_seed in settings.items():
            seeds = sorted(set(base) & set(by_seed))
            if setting != reference and len(seeds) > 1:
                result = paired([base[seed] for seed in seeds], [by_seed[seed] for seed in seeds])
                family.append(dict(zip(lines, line, strict=True)) | {x: setting} | result._asdict())
        for comparison, p in zip(family, holm([row["p"] for row in family]), strict=True):
            comparison["p_holm"] = float(p)
        found += family
    return found


def sentence(comparison: Flat, x: str, lines: Sequence[str], reference: Any, metric: str) -> str:
    """Say what one comparison shows, and no more."""
    where = ", ".join(f"{name.rpartition('.')[2]} {comparison[name]}" for name in lines if comparison[name] is not None)
    against = f"{where}: {x} {comparison[x]} against {reference}"
    size, low, high = comparison["difference"], comparison["low"], comparison["high"]
    p = "p < 0.0001" if comparison["p_holm"] < 1e-4 else f"p = {comparison['p_holm']:.4f}"
    if comparison["p_holm"] >= ALPHA:
        return f"{against}: {metric} differs by {size:+.4f} [{low:+.4f}, {high:+.4f}], {p}: left open."
    effect = "" if comparison["effect"] is None else f"d = {comparison['effect']:+.1f}, "
    word = "higher" if size > 0 else "lower"
    return f"{against}: {metric} is {word}, by {size:+.4f} [{low:+.4f}, {high:+.4f}], {effect}{p}."

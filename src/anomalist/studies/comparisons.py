"""Comparisons of a study's points, paired over seeds, what may be said of them, and detection thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anomalist.metrics.comparison import holm, paired
from anomalist.metrics.psychometric import fit_curve, thresholds
from anomalist.studies.tables import Flat

__all__ = ["compare", "detection_thresholds", "sentence"]

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


def detection_thresholds(table: Sequence[Flat], x: str, lines: Sequence[str], levels: tuple[float, ...]) -> list[Flat]:
    """Fit a psychometric curve to each line's AUROC and return where it reaches each level.

    Args:
        table: flat rows with ``seed``, ``auroc`` and ``changed_energy``.
        x: the severity's column.
        lines: the axes that tell lines apart.
        levels: AUROCs.

    Returns:
        a row a line and level: the lines' values, the fields of :class:`anomalist.metrics.psychometric.Threshold`, the
        mean changed ``energy`` there (interpolated) and the fit's ``rmse``. Only seeds with every severity count.
    """
    found: list[Flat] = []
    for line in dict.fromkeys(tuple(row.get(name) for name in lines) for row in table):
        rows = [row for row in table if tuple(row.get(name) for name in lines) == line]
        severities = sorted({row[x] for row in rows})
        auroc = {(row["seed"], row[x]): float(row["auroc"]) for row in rows}
        seeds = [seed for seed in sorted({row["seed"] for row in rows}) if all((seed, s) in auroc for s in severities)]
        if not seeds or len(severities) < 3:
            continue
        measured = np.array([[auroc[seed, severity] for severity in severities] for seed in seeds])
        energies = [np.mean([row["changed_energy"] for row in rows if row[x] == severity]) for severity in severities]
        rmse = fit_curve(severities, measured.mean(axis=0)).rmse
        for threshold in thresholds(severities, measured, levels):
            energy = None if threshold.value is None else float(np.interp(threshold.value, severities, energies))
            found.append(dict(zip(lines, line, strict=True)) | threshold._asdict() | {"energy": energy, "rmse": rmse})
    return found

"""Comparisons of a study's points, paired over seeds: tests of claims, detection thresholds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from anomalist.analysis.layout import Claim
from anomalist.analysis.rows import Flat
from anomalist.metrics.comparison import Comparison, Verdict, describe, holm, paired, verdict
from anomalist.metrics.psychometric import energy_at
from anomalist.metrics.thresholds import Bootstrap, bootstrap_psychometric

__all__ = ["Contrast", "Fitted", "claim_markdown", "compare", "psychometrics"]

_VERBS: dict[Verdict, str] = {
    "supported": "support",
    "contradicted": "contradict",
    "open": "leave open",
}
_FEWEST_SEVERITIES = 3  # needed to fit a curve

Line = tuple[Any, ...]  # values of the other axes, in order


class Contrast(NamedTuple):
    """A comparison of two settings of one axis, with all other axes equal.

    Attributes:
        line: the values of the other axes, by axis.
        base: the reference value of the claim's axis.
        setting: the other value.
        comparison: paired; corrected for all comparisons of the claim on the same corruption.
        verdict: whether it supports or contradicts the claim, or leaves it open.
    """

    line: Flat
    base: Any
    setting: Any
    comparison: Comparison
    verdict: Verdict


class Fitted(NamedTuple):
    """A line's psychometric curve.

    Attributes:
        line: the common values of the line's rows, by axis.
        bootstrap: the curve, its band and its thresholds.
        energies: the mean changed energy at each threshold; None without a threshold.
    """

    line: Flat
    bootstrap: Bootstrap
    energies: tuple[float | None, ...]


def compare(
    table: Sequence[Flat],
    axes: Sequence[str],
    claim: Claim,
    metric: str,
) -> list[Contrast]:
    """Compare the values of a claim's axis, line by line.

    Each value is compared with the claim's reference, or with the previous value.

    Args:
        table: flat rows.
        axes: all axes of the study.
        claim: the claim to test.
        metric: the column of values.

    Returns:
        the contrasts. p-values are Holm-corrected within each corruption; rows without a corruption
        form a separate family. Seeds that only one setting has, and contrasts with fewer than two
        pairs, are excluded.
    """
    others = [axis for axis in axes if axis != claim.along]
    values: dict[Line, dict[Any, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    corruption: dict[Line, Any] = {}
    for row in table:
        if row.get(metric) is not None:
            line = tuple(row.get(name) for name in others)
            values[line][row[claim.along]][row["seed"]] = float(row[metric])
            corruption[line] = row.get("corruption")
    families: dict[Any, list[Contrast]] = defaultdict(list)
    for line, settings in values.items():
        named = dict(zip(others, line, strict=True))
        families[corruption[line]] += _contrasts(named, settings, claim)
    return [contrast for family in families.values() for contrast in _corrected(family, claim)]


def _contrasts(
    line: Flat,
    settings: dict[Any, dict[int, float]],
    claim: Claim,
) -> list[Contrast]:
    """Return the contrasts of one line; ``settings`` are values by seed."""
    contrasts = []
    for base, setting in _pairs(sorted(settings), claim.reference):
        direction, null = claim.asks(base, setting)
        seeds = sorted(set(settings[base]) & set(settings[setting]))
        if len(seeds) < 2:
            continue
        before = [settings[base][seed] for seed in seeds]
        after = [settings[setting][seed] for seed in seeds]
        comparison = paired(before, after, null=null)
        says = verdict(comparison, direction)
        contrasts.append(Contrast(line, base, setting, comparison, says))
    return contrasts


def _pairs(ordered: list[Any], reference: Any) -> Iterable[tuple[Any, Any]]:
    if reference is None:
        return pairwise(ordered)
    if reference not in ordered:
        return []
    return [(reference, setting) for setting in ordered if setting != reference]


def _corrected(family: list[Contrast], claim: Claim) -> list[Contrast]:
    adjusted = holm([one.comparison.p for one in family])
    corrected = []
    for contrast, p in zip(family, adjusted, strict=True):
        comparison = contrast.comparison._replace(p_holm=float(p))
        direction, _ = claim.asks(contrast.base, contrast.setting)
        says = verdict(comparison, direction)
        corrected.append(contrast._replace(comparison=comparison, verdict=says))
    return corrected


def claim_markdown(
    contrasts: Sequence[Contrast],
    claim: Claim,
    metric: str,
) -> list[str]:
    """Return the result of a claim as Markdown: the verdicts of each line, then every contrast.

    Args:
        contrasts: the result of :func:`compare` for the claim.
        claim: the claim.
        metric: name of the metric.
    """
    lines: dict[str, list[Contrast]] = defaultdict(list)
    for contrast in contrasts:
        lines[_line_label(contrast.line)].append(contrast)
    axis = claim.along.rpartition(".")[2]
    text = [f"The claim: {claim.statement!r}. Of {metric}, the data"]
    for label, family in lines.items():
        sentences = [_sentence(one, axis, metric) for one in family]
        if len(family) == 1:
            text.append(f"- {label or 'all'}: {sentences[0]}")
            continue
        verdicts = []
        for says, verb in _VERBS.items():
            settings = [_short(one.setting) for one in family if one.verdict == says]
            if settings:
                verdicts.append(f"{verb} it at {axis} {', '.join(settings)}")
        text.append(f"- {label or 'all'}: {'; '.join(verdicts)}")
        text += [f"    - {sentence}" for sentence in sentences]
    return text


def psychometrics(
    table: Sequence[Flat],
    x: str,
    lines: Sequence[str],
    levels: tuple[float, ...],
    *,
    resamples: int = 500,
) -> list[Fitted]:
    """Fit a psychometric curve to each line's AUROC, and compute where it reaches each level.

    Args:
        table: flat rows with ``seed``, ``auroc`` and ``changed_energy``.
        x: the column of the severity.
        lines: the axes that distinguish lines.
        levels: AUROC levels.
        resamples: number of resamples of the seeds, for the band and the intervals.

    Returns:
        a fit per line. Only seeds with all severities are used; lines without such a seed, or with
        fewer than three severities, are omitted.
    """
    groups: dict[Line, list[Flat]] = defaultdict(list)
    for row in table:
        groups[tuple(row.get(name) for name in lines)].append(row)
    fits: list[Fitted] = []
    for line, rows in groups.items():
        severities = sorted({row[x] for row in rows})
        measured = _complete_seeds(rows, x, severities)
        if len(measured) == 0 or len(severities) < _FEWEST_SEVERITIES:
            continue
        bootstrap = bootstrap_psychometric(severities, measured, levels, resamples=resamples)
        changed = [_mean_energy(rows, x, severity) for severity in severities]
        energies = tuple(
            None if one.value is None else float(energy_at(one.value, severities, changed))
            for one in bootstrap.thresholds
        )
        fits.append(Fitted(dict(zip(lines, line, strict=True)), bootstrap, energies))
    return fits


def _complete_seeds(
    rows: Sequence[Flat],
    x: str,
    severities: Sequence[float],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the AUROCs ``[seeds, severities]`` of the seeds that have every severity."""
    auroc = {(row["seed"], row[x]): float(row["auroc"]) for row in rows}
    measured = []
    for seed in sorted({row["seed"] for row in rows}):
        values = [auroc.get((seed, severity)) for severity in severities]
        if None not in values:
            measured.append(values)
    return np.array(measured, np.float64)


def _mean_energy(rows: Sequence[Flat], x: str, severity: float) -> float:
    return float(np.mean([row["changed_energy"] for row in rows if row[x] == severity]))


def _sentence(contrast: Contrast, axis: str, metric: str) -> str:
    subject = f"{axis} {_short(contrast.setting)} against {_short(contrast.base)}"
    return f"{describe(contrast.comparison, subject, metric)}: {contrast.verdict}"


def _line_label(line: Flat) -> str:
    known = {name: value for name, value in line.items() if value is not None}
    return ", ".join(f"{name.rpartition('.')[2]} {_short(value)}" for name, value in known.items())


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

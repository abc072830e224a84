"""Comparisons of a study's points, paired over seeds, what may be said of its claims, and detection thresholds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from anomalist.metrics.comparison import Comparison, Verdict, describe, holm, paired, verdict
from anomalist.metrics.psychometric import Bootstrap, bootstrap_psychometric, energy_at
from anomalist.studies.layout import Claim
from anomalist.studies.tables import Flat

__all__ = ["Contrast", "Fitted", "compare", "psychometrics", "said"]

_SAYS: dict[Verdict, str] = {
    "supported": "support",
    "contradicted": "contradict",
    "open": "leave open",
}


class Contrast(NamedTuple):
    """One setting against another, all else being equal.

    Attributes:
        line: what else was set, by axis.
        base: the value of the claim's axis that is compared with.
        setting: its other value.
        found: the paired comparison, corrected for all others of the claim on the same corruption.
        verdict: what it makes of the claim.
    """

    line: Flat
    base: Any
    setting: Any
    found: Comparison
    verdict: Verdict


class Fitted(NamedTuple):
    """A line's psychometric curve, and the mean changed energy at each of its thresholds (None where none is)."""

    line: Flat
    bootstrap: Bootstrap
    energies: tuple[float | None, ...]


def compare(
    table: Sequence[Flat], axes: Sequence[str], claim: Claim, metric: str
) -> list[Contrast]:
    """Compare the values of a claim's axis with its reference, or each with the one before it, line by line.

    Args:
        table: flat rows.
        axes: all axes of the study.
        claim: what is put to the test.
        metric: a column.

    Returns:
        the contrasts; p-values are Holm-corrected within a corruption (rows without one are a
        family of their own). Seeds that only one side has, and contrasts with fewer than two pairs,
        are left out.
    """
    others = [axis for axis in axes if axis != claim.along]
    lines: dict[tuple[Any, ...], dict[Any, dict[int, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    corruption: dict[tuple[Any, ...], Any] = {}
    for row in table:
        if row.get(metric) is not None:
            line = tuple(row.get(name) for name in others)
            lines[line][row[claim.along]][row["seed"]] = float(row[metric])
            corruption[line] = row.get("corruption")
    families: dict[Any, list[Contrast]] = defaultdict(list)
    for line, settings in lines.items():
        for base, setting in _pairs(sorted(settings), claim.reference):
            direction, null = claim.asks(base, setting)
            seeds = sorted(set(settings[base]) & set(settings[setting]))
            if len(seeds) > 1:
                before, after = (
                    [settings[side][seed] for seed in seeds] for side in (base, setting)
                )
                found = paired(before, after, null=null)
                where = dict(zip(others, line, strict=True))
                families[corruption[line]].append(
                    Contrast(where, base, setting, found, verdict(found, direction))
                )
    return [contrast for family in families.values() for contrast in _corrected(family, claim)]


def _pairs(ordered: list[Any], reference: Any) -> Iterable[tuple[Any, Any]]:
    if reference is None:
        return pairwise(ordered)
    return [
        (reference, setting) for setting in ordered if setting != reference and reference in ordered
    ]


def _corrected(family: list[Contrast], claim: Claim) -> list[Contrast]:
    corrected = []
    for contrast, p in zip(family, holm([one.found.p for one in family]), strict=True):
        found = contrast.found._replace(p_holm=float(p))
        direction, _ = claim.asks(contrast.base, contrast.setting)
        corrected.append(contrast._replace(found=found, verdict=verdict(found, direction)))
    return corrected


def said(contrasts: Sequence[Contrast], claim: Claim, metric: str) -> list[str]:
    """Return what the data make of a claim, in Markdown: for each line its verdicts, then every contrast.

    Args:
        contrasts: what :func:`compare` returned for the claim.
        claim: what was put to the test.
        metric: the name of the values.
    """
    lines: dict[str, list[Contrast]] = defaultdict(list)
    for contrast in contrasts:
        lines[_place(contrast.line)].append(contrast)
    short = claim.along.rpartition(".")[2]
    text = [f"The claim: {claim.statement!r}. Of {metric}, the data"]
    for place, family in lines.items():
        sentences = [
            f"{describe(one.found, f'{short} {_short(one.setting)} against {_short(one.base)}', metric)}: {one.verdict}"
            for one in family
        ]
        if len(family) == 1:
            text.append(f"- {place or 'all'}: {sentences[0]}")
            continue
        parts = []
        for says, word in _SAYS.items():
            if at := [_short(one.setting) for one in family if one.verdict == says]:
                parts.append(f"{word} it at {short} {', '.join(at)}")
        text += [f"- {place or 'all'}: {'; '.join(parts)}", *(f"    - {one}" for one in sentences)]
    return text


def psychometrics(
    table: Sequence[Flat],
    x: str,
    lines: Sequence[str],
    levels: tuple[float, ...],
    *,
    resamples: int = 500,
) -> list[Fitted]:
    """Fit a psychometric curve to each line's AUROC, and find where it reaches each level.

    Args:
        table: flat rows with ``seed``, ``auroc`` and ``changed_energy``.
        x: the severity's column.
        lines: the axes that tell lines apart.
        levels: AUROCs.
        resamples: of the seeds, for the band and the intervals.

    Returns:
        a fit a line. Only seeds with every severity count; a line without such a seed, or with
        fewer than three severities, has none.
    """
    groups: dict[tuple[Any, ...], list[Flat]] = defaultdict(list)
    for row in table:
        groups[tuple(row.get(name) for name in lines)].append(row)
    found: list[Fitted] = []
    for line, rows in groups.items():
        severities = sorted({row[x] for row in rows})
        auroc = {(row["seed"], row[x]): float(row["auroc"]) for row in rows}
        seeds = [
            seed
            for seed in sorted({row["seed"] for row in rows})
            if all((seed, s) in auroc for s in severities)
        ]
        if not seeds or len(severities) < 3:
            continue
        measured = np.array([[auroc[seed, severity] for severity in severities] for seed in seeds])
        fit = bootstrap_psychometric(severities, measured, levels, resamples=resamples)
        changed = [
            np.mean([row["changed_energy"] for row in rows if row[x] == severity])
            for severity in severities
        ]
        energies = tuple(
            None if one.value is None else float(energy_at(one.value, severities, changed))
            for one in fit.thresholds
        )
        found.append(Fitted(dict(zip(lines, line, strict=True)), fit, energies))
    return found


def _place(line: Flat) -> str:
    return ", ".join(
        f"{name.rpartition('.')[2]} {_short(value)}"
        for name, value in line.items()
        if value is not None
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

"""How strong a corruption must be for detection and for localisation."""

from __future__ import annotations

from anomalist.analysis.layout import Claim, Layout
from anomalist.studies._base import Size, Study, base_trial, seeds_for
from anomalist.studies._grid import with_values
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "study"]

ACCEPTS: tuple[str, ...] = ()
STRENGTHS: dict[str, tuple[float, ...]] = {
    "gaussian_noise:sigma={}": (0.02, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
    "pixel_dropout:probability={}": (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8),
    "stripes:lines={},value=white": (1, 2, 3, 4, 6, 8, 12),
    "stripes:lines={},value=black": (1, 2, 3, 4, 6, 8, 12),
    "patch_occlusion:side={},margin=4": (2, 4, 6, 8, 10, 12, 16),
}
LOCALIZED = (1, 3, 5)  # positions of the strengths at which pixel metrics are computed


def study(size: Size = "default", seeds: int | None = None) -> Study:
    """Return the study: one detector per seed, tested on every corruption at every strength.

    Args:
        size: ``"quick"``, ``"default"`` or ``"full"``: the amount of work.
        seeds: number of seeds; None: the default of the size.
    """
    claim = Claim(
        statement="detection degrades gracefully with difficulty: what is stronger is seen better",
        along="severity",
        direction="greater",
    )
    layout = Layout(
        name="difficulty",
        x="severity",
        lines=("corruption",),
        levels=(0.75, 0.95),
        claims=(claim,),
    )
    return Study(layout, _trials(size, seeds_for(size, seeds)))


def _trials(size: Size, seeds: int) -> list[Trial]:
    base = base_trial(size)
    trials: list[Trial] = []
    for seed in range(seeds):
        for template, strengths in STRENGTHS.items():
            for position, strength in enumerate(strengths):
                values = {
                    "task.corruption": template.format(strength),
                    "localize": position in LOCALIZED,
                    "seed": seed,
                }
                trials.append(with_values(base, values))
    return trials

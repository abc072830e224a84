"""Difficulty: how strong must a corruption be to be seen, and where does localisation begin?"""

from __future__ import annotations

from anomalist.studies.grid import with_values
from anomalist.studies.layout import Claim, Layout
from anomalist.studies.protocol import Size, base, seeds_of
from anomalist.studies.study import Study
from anomalist.trial import Trial

__all__ = ["study"]

STRENGTHS: dict[str, tuple[float, ...]] = {
    "gaussian_noise:sigma={}": (0.02, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
    "pixel_dropout:probability={}": (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8),
    "stripes:lines={},value=white": (1, 2, 3, 4, 6, 8, 12),
    "stripes:lines={},value=black": (1, 2, 3, 4, 6, 8, 12),
    "patch_occlusion:side={},margin=4": (2, 4, 6, 8, 10, 12, 16),
}
LOCALIZED = (1, 3, 5)  # the strengths, by place, at which pixel metrics are computed


def study(size: Size = "default", seeds: int | None = None) -> Study:
    """Return the study: one detector a seed, judged on every corruption at every strength.

    Args:
        size: how much work, see :mod:`anomalist.studies.protocol`.
        seeds: how many; None: the size's own number.
    """
    claim = Claim(
        statement="detection degrades gracefully with difficulty: what is stronger is seen better",
        along="severity",
        direction="greater",
    )
    layout = Layout(
        name="difficulty", x="severity", lines=("corruption",), levels=(0.75, 0.95), claims=(claim,)
    )
    return Study(layout, _trials(size, seeds))


def _trials(size: Size, seeds: int | None) -> list[Trial]:
    return [
        with_values(
            base(size),
            {
                "task.corruption": template.format(strength),
                "localize": place in LOCALIZED,
                "seed": seed,
            },
        )
        for seed in range(seeds_of(size, seeds))
        for template, strengths in STRENGTHS.items()
        for place, strength in enumerate(strengths)
    ]

"""How unlabelled anomalies in training affect detection, and whether discarding losses helps."""

from __future__ import annotations

from anomalist.analysis.layout import Claim, Layout
from anomalist.studies._base import Size, Study, base_trial, seeds_for
from anomalist.studies._grid import grid
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "study"]

ACCEPTS: tuple[str, ...] = ()
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
QUICK_SHARES = (0.0, 0.05, 0.2)
TESTED = ("gaussian_noise:sigma=0.1", "pixel_dropout:probability=0.3")
OTHER_CLASS = "class"
# The discarded fraction: the study's highest contamination, because the true one is unknown.
DISCARD = 0.2
NORMAL = tuple(range(9))  # the nines are anomalies for contamination
CLAIMS = (
    Claim(
        statement="contamination costs little: less than 0.01",
        along="task.contamination",
        direction="greater",
        reference=0.0,
        margin=0.01,
    ),
    Claim(
        statement="discarding the highest losses helps",
        along="model.discard",
        direction="greater",
        reference=0.0,
    ),
)


def study(size: Size = "default", seeds: int | None = None) -> Study:
    """Return the study of contaminated training sets.

    Args:
        size: ``"quick"``, ``"default"`` or ``"full"``: the amount of work.
        seeds: number of seeds; None: the default of the size.
    """
    lines = ("task.corruption", "task.contaminant", "model.discard")
    layout = Layout(
        name="contamination",
        x="task.contamination",
        lines=lines,
        claims=CLAIMS,
    )
    return Study(layout, _trials(size, seeds))


def _trials(size: Size, seeds: int | None) -> list[Trial]:
    """Return the study's trials.

    Each corruption is tested with detectors whose training set contained the same corruption, the
    other corruption, or another class. For contamination by corruptions, detectors are trained with
    and without discarding.
    """
    base = base_trial(size, normal_classes=NORMAL)
    trials: list[Trial] = []
    for contaminant in (*TESTED, OTHER_CLASS):
        axes = {
            "model.discard": (0.0,) if contaminant == OTHER_CLASS else (0.0, DISCARD),
            "task.contaminant": (contaminant,),
            "task.contamination": QUICK_SHARES if size == "quick" else SHARES,
            "task.corruption": TESTED,
        }
        trials += grid(base, axes, seeds_for(size, seeds))
    return trials

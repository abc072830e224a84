"""Whether a narrower bottleneck (2 to 128 units) makes an autoencoder more sensitive."""

from __future__ import annotations

from collections.abc import Mapping

from anomalist.analysis.layout import Claim, Layout
from anomalist.studies._base import Size, Study, base_trial, seeds_for
from anomalist.studies._grid import grid, with_values
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "study"]

ACCEPTS: tuple[str, ...] = ()
BOTTLENECKS = (2, 4, 8, 16, 32, 64, 128)
QUICK_BOTTLENECKS = (2, 8, 32, 128)
REFERENCE = 32  # the detector's default
# Strengths at which the default detector detects some images and misses others.
CORRUPTIONS = (
    "gaussian_noise:sigma=0.05",
    "pixel_dropout:probability=0.1",
    "stripes:lines=1,value=black",
    "patch_occlusion:side=8,margin=4",
)
# Of the one-class trials; the rarest digit has 5,421 images.
_TRAIN: Mapping[Size, int | None] = {"quick": 1_000, "default": 4_500, "full": None}


def study(size: Size = "default", seeds: int | None = None) -> Study:
    """Return the study: every corruption on all digits, and one-class digits.

    Args:
        size: ``"quick"``, ``"default"`` or ``"full"``: the amount of work.
        seeds: number of seeds; None: the default of the size.
    """
    claim = Claim(
        statement="smaller bottlenecks are more sensitive",
        along="model.bottleneck",
        direction="less",
        reference=REFERENCE,
    )
    layout = Layout(
        name="bottleneck",
        x="model.bottleneck",
        lines=("task.kind", "corruption"),
        claims=(claim,),
    )
    count = seeds_for(size, seeds)
    axes = {"model.bottleneck": QUICK_BOTTLENECKS if size == "quick" else BOTTLENECKS}
    corrupted = grid(base_trial(size), {**axes, "task.corruption": CORRUPTIONS}, count)
    one_class = [_one_class(trial, size) for trial in grid(base_trial(size), axes, count)]
    return Study(layout, corrupted + one_class)


def _one_class(trial: Trial, size: Size) -> Trial:
    """Return the trial with one digit as the normal class.

    The digit changes with the seed (seed 0: digit 0, …), so that ten seeds cover the ten digits and
    comparisons stay paired.
    """
    values = {
        "task.kind": "one_class",
        "task.normal_classes": (trial.seed % 10,),
        "task.train": _TRAIN[size],
        "task.calibration": 200 if size == "quick" else 500,
        "task.test": None,
    }
    return with_values(trial, values)

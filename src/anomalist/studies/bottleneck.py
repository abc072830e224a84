"""Bottleneck: does a narrower autoencoder see anomalies better? 2 to 128 units, on tasks hard enough to tell."""

from __future__ import annotations

from anomalist.studies.grid import grid, with_values
from anomalist.studies.layout import Claim, Layout
from anomalist.studies.protocol import Size, base, seeds_of
from anomalist.studies.study import Study
from anomalist.trial import Trial

__all__ = ["study"]

BOTTLENECKS = (2, 4, 8, 16, 32, 64, 128)
REFERENCE = 32  # the detector's default
# Strengths at which the default detector is right in some cases and wrong in others.
CORRUPTIONS = (
    "gaussian_noise:sigma=0.05",
    "pixel_dropout:probability=0.1",
    "stripes:lines=1,value=black",
    "patch_occlusion:side=8,margin=4",
)


def study(size: Size = "default", seeds: int | None = None) -> Study:
    """Return the study: every corruption on all digits, and one-class digits.

    Args:
        size: how much work, see :mod:`anomalist.studies.protocol`.
        seeds: how many; None: the size's own number.
    """
    claim = Claim(
        statement="smaller bottlenecks are more sensitive",
        along="model.bottleneck",
        direction="less",
        reference=REFERENCE,
    )
    layout = Layout(
        name="bottleneck", x="model.bottleneck", lines=("task.kind", "corruption"), claims=(claim,)
    )
    return Study(layout, _trials(size, seeds))


def _trials(size: Size, seeds: int | None) -> list[Trial]:
    """Return the study's trials: every corruption on all digits, and one-class digits.

    In the one-class trials the normal digit goes round with the seed (seed 0: digit 0, …), so that
    ten seeds cover the ten digits and comparisons stay paired.
    """
    count = seeds_of(size, seeds)
    sizes = (2, 8, 32, 128) if size == "quick" else BOTTLENECKS
    axes = {"model.bottleneck": sizes}
    corrupted = grid(base(size), {**axes, "task.corruption": CORRUPTIONS}, count)
    one_class = [_one_class(trial, size) for trial in grid(base(size), axes, count)]
    return corrupted + one_class


def _one_class(trial: Trial, size: Size) -> Trial:
    train = {"quick": 1_000, "default": 4_500, "full": None}[
        size
    ]  # the rarest digit has 5,421 images
    values = {
        "task.kind": "one_class",
        "task.normal_classes": (trial.seed % 10,),
        "task.train": train,
    }
    return with_values(
        trial, {**values, "task.calibration": 200 if size == "quick" else 500, "task.test": None}
    )

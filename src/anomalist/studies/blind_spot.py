"""Blind spot: what does each detector not see? Trained on clean digits, tested on things added and things missing."""

from __future__ import annotations

from collections.abc import Sequence

from anomalist.studies.grid import grid
from anomalist.studies.layout import Layout
from anomalist.studies.protocol import FEW_SEEDS, Size, models_of, seeds_of
from anomalist.studies.study import Study
from anomalist.suites.mnist import CORRUPTIONS
from anomalist.trial import Trial

__all__ = ["study"]

MODELS: tuple[str, ...] = (
    *(
        "autoencoder",
        "pca",
        "inpainting",
        "diffusion",
        "vae",
        "deep_svdd",
        "patch_memory",
        "padim",
        "student_teacher",
    ),
    *("synthetic", "fcdd", "outlier_exposure", "deviation_network"),
)
SIZES: dict[Size, dict[str, int]] = {
    "quick": {"train": 300, "calibration": 100, "test": 30},
    "default": {"calibration": 6_000, "test": 2_000},  # 54,000 training images
    "full": {"calibration": 6_000},
}


def study(size: Size = "default", seeds: int | None = None, models: Sequence[str] = ()) -> Study:
    """Return the study: every detector on every corruption; images in which nothing changed are left out.

    Args:
        size: ``"quick"``: few images; ``"full"``: all test images and ten seeds.
        seeds: how many; None: the size's own number.
        models: detectors as ``name:option=value,…``; by default one of each kind, of which the
            last four have seen made anomalies.
    """
    base = Trial(task={"kind": "corrupted", **SIZES[size]})
    axes = {"model": models_of(size, models or MODELS), "task.corruption": CORRUPTIONS}
    layout = Layout(
        name="blind_spot", x="model", lines=("task.corruption",), columns="task.corruption"
    )
    return Study(layout, grid(base, axes, seeds_of(size, seeds, FEW_SEEDS)))

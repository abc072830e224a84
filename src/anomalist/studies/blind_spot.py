"""Which corruptions each detector misses, after training on clean digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anomalist.analysis.layout import Layout
from anomalist.studies._base import FEW_SEEDS, Size, Study, models_for, seeds_for
from anomalist.studies._grid import grid
from anomalist.suites.mnist import CORRUPTIONS
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "MODELS", "study"]

ACCEPTS = ("models",)
MODELS: tuple[str, ...] = (
    "autoencoder",
    "pca",
    "inpainting",
    "diffusion",
    "vae",
    "deep_svdd",
    "patch_memory",
    "padim",
    "student_teacher",
    # These are trained on synthetic anomalies.
    "synthetic",
    "fcdd",
    "outlier_exposure",
    "deviation_network",
)
_SIZES: Mapping[Size, Mapping[str, int]] = {
    "quick": {"train": 300, "calibration": 100, "test": 30},
    "default": {"calibration": 6_000, "test": 2_000},  # 54,000 training images
    "full": {"calibration": 6_000},
}


def study(
    size: Size = "default",
    seeds: int | None = None,
    models: Sequence[str] = (),
) -> Study:
    """Return the study: every detector on every corruption.

    Args:
        size: ``"quick"``: few images; ``"full"``: all test images and ten seeds.
        seeds: number of seeds; None: the default of the size.
        models: detectors as ``name:option=value,…``; by default one of each type.
    """
    base = Trial(task={"kind": "corrupted", **_SIZES[size]})
    axes = {"model": models_for(size, models or MODELS), "task.corruption": CORRUPTIONS}
    layout = Layout(
        name="blind_spot",
        x="model",
        lines=("task.corruption",),
        columns="task.corruption",
    )
    return Study(layout, grid(base, axes, seeds_for(size, seeds, FEW_SEEDS)))

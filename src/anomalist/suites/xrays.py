"""X-rays: pneumonia in chest X-rays of 28 x 28 pixels, after training on healthy lungs.

The folder of data sets given by path must contain ``pneumoniamnist.npz`` in MedMNIST's format.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 3
MODELS = (
    "pca",
    "knn",
    "lof",
    "lof:blur=2,directions=8",
    "kde",
    "ocsvm",
    "isolation_forest",
    "autoencoder",
    "autoencoder:score_by=joint",
    "inpainting",
    "inpainting:aggregation=joint",
    "vae",
    "vae:score_by=joint",
    "diffusion",
    "diffusion:aggregation=joint",
    "deep_svdd",
    "deviation_network",
    "outlier_exposure",
    "fcdd",
    "synthetic",
    "patch_memory",
    "padim",
    "student_teacher",
)


def groups(data: Path) -> dict[str, list[str]]:
    """Return the only task: healthy against pneumonia, on the whole test split."""
    lungs = f"dataset=(medmnist:set=pneumoniamnist,path={data / 'pneumoniamnist.npz'})"
    return {"pneumonia": [f"one_class:{lungs},normal_classes=0,calibration=40"]}

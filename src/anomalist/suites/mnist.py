"""MNIST: each digit against all others, and corruptions that add or remove ink."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CORRUPTIONS", "MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 3
MODELS = ("pca", "knn", "lof", "kde", "ocsvm", "isolation_forest", "autoencoder", "inpainting")

CORRUPTIONS = (  # additions and gaps, each at decreasing strengths
    *(f"gaussian_noise:sigma={sigma}" for sigma in (0.3, 0.1, 0.05)),
    *(f"pixel_dropout:probability={share}" for share in (0.3, 0.1, 0.05)),
    "stripes:lines=1,value=white",
    "stripes:lines=1,value=black",
    *(f"patch_occlusion:side={side},margin=4" for side in (8, 5, 4)),
)


def groups(data: Path) -> dict[str, list[str]]:
    """Return the tasks by group; ``data`` is not used.

    Detectors that keep all training images are slow with 60,000, so corrupted tasks train on 10,000
    images.
    """
    return {
        "one-class": [f"one_class:normal_classes={digit},calibration=500" for digit in range(10)],
        **{
            corruption: [
                f"corrupted:corruption=({corruption}),train=10000,calibration=1000,test=2000"
            ]
            for corruption in CORRUPTIONS
        },
    }

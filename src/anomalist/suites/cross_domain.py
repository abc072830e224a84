"""Cross-domain: all kinds of tasks on handwriting, textures, industrial and medical images.

The magnetic tiles (folder ``magnetic_tile``, MVTec AD layout) and PneumoniaMNIST
(``pneumoniamnist.npz``) must be in the folder of data sets given by path. The report lists missing
data sets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 3
MODELS = ("pca", "knn", "lof", "kde", "ocsvm", "isolation_forest", "autoencoder")

_MNIST = "train=10000,calibration=1000,test=2000"
_CORRUPTIONS = (
    "gaussian_noise:sigma=0.1",
    "pixel_dropout:probability=0.1",
    "stripes:lines=1,value=black",
    "patch_occlusion:side=8,margin=4",
)
# The normal class of each set: the healthy or most frequent one, else each class in turn.
_MEDICAL = {
    "bloodmnist": range(8),
    "breastmnist": [1],  # normal, benign
    "chestmnist": [0],  # no finding
    "dermamnist": [5],  # melanocytic nevi
    "octmnist": [3],  # normal
    "organamnist": range(11),
    "organcmnist": range(11),
    "organsmnist": range(11),
    "pathmnist": [6],  # normal colon mucosa
    "retinamnist": [0],  # grade 0
    "tissuemnist": range(8),
}


def groups(data: Path) -> dict[str, list[str]]:
    """Return the tasks by group.

    Args:
        data: the folder that holds ``magnetic_tile/`` and ``pneumoniamnist.npz``.
    """
    tiles = f"dataset=(folder:path={data / 'magnetic_tile'},resize=64,channels=grey)"
    lungs = f"dataset=(medmnist:set=pneumoniamnist,path={data / 'pneumoniamnist.npz'})"
    return {
        "digits one-class": _one_class("digits", range(10), "calibration=20"),
        "MNIST one-class": _one_class("mnist", range(10), "train=2000,calibration=500"),
        "MNIST corrupted": [f"corrupted:corruption=({one}),{_MNIST}" for one in _CORRUPTIONS],
        "MNIST against digits": [f"foreign:foreign=digits,{_MNIST}"],
        "MNIST against digits, matched": [f"foreign:foreign=digits,matched=true,{_MNIST}"],
        **{
            f"{texture} {defect}": [
                f"corrupted:dataset=(textures:texture={texture}),"
                f"corruption=({defect}:{strength}),calibration=40"
                for strength in strengths
            ]
            for texture in ("brick", "grass", "gravel")
            for defect, strengths in (
                ("scratches", ("length=8", "length=16")),
                ("perlin", ("area=0.05", "area=0.1")),
            )
        },
        "magnetic tiles": [
            f"defects:{tiles},types={defect},calibration=40" for defect in ("blowhole", "crack")
        ],
        "PneumoniaMNIST": [f"one_class:{lungs},normal_classes=0,calibration=40"],
        **{
            name: _one_class(f"(medmnist:set={name})", kinds, "calibration=40")
            for name, kinds in _MEDICAL.items()
        },
        "Fashion-MNIST one-class": _one_class(
            "fashion_mnist", range(10), "train=2000,calibration=500"
        ),
    }


def _one_class(dataset: str, classes: Iterable[int], sizes: str) -> list[str]:
    return [f"one_class:dataset={dataset},normal_classes={label},{sizes}" for label in classes]

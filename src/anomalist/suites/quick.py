"""Quick: three one-class tasks and four corruptions on 8 x 8 digits, in under two minutes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 3
MODELS = ("pca", "knn", "lof")


def groups(data: Path) -> dict[str, list[str]]:
    """Return the tasks by group; ``data`` is not used.

    All of them take under two minutes on two cores.
    """
    corruptions = (
        "gaussian_noise:sigma=0.1",
        "pixel_dropout:probability=0.1",
        "stripes:lines=1,value=white",
        "patch_occlusion:side=3,margin=1",
    )
    return {
        "digits one-class": [
            f"one_class:dataset=digits,normal_classes={digit},calibration=20" for digit in (2, 5, 8)
        ],
        **{
            f"digits {corruption.partition(':')[0]}": [
                f"corrupted:dataset=digits,corruption=({corruption}),calibration=200"
            ]
            for corruption in corruptions
        },
    }

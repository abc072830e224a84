"""Protocol: the sizes that a study comes in, and the base trial that all its trials share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from anomalist.detector import parse, shortened
from anomalist.trial import Trial

__all__ = [
    "FEW_SEEDS",
    "QUICK_DIGITS",
    "QUICK_SIZES",
    "SEEDS",
    "SIZES",
    "Size",
    "base",
    "models_of",
    "seeds_of",
]

Size = Literal["quick", "default", "full"]

# What a trial is fitted and judged on. A pass over 10,000 images ten times in batches of 64 is
# where the held-out loss has flattened: twice as long lowers it by a tenth. The full size is the
# baseline's own protocol.
SIZES: dict[Size, dict[str, Any]] = {
    "quick": {
        "task": {"train": 1_000, "calibration": 200, "test": 200},
        "model": {"epochs": 6, "batch_size": 32},
    },
    "default": {
        "task": {"train": 10_000, "calibration": 1_000, "test": 2_000},
        "model": {"epochs": 10, "batch_size": 64},
    },
    "full": {"task": {}, "model": {}},
}
SEEDS: dict[Size, int] = {
    "quick": 3,
    "default": 10,
    "full": 10,
}  # five pairs can never be significant by sign
QUICK_EPOCHS = 4
QUICK_SIZES = {
    "train": 400,
    "test": 100,
}  # of studies that compare many detectors: a minute on two cores
QUICK_DIGITS = (2, 8)
FEW_SEEDS: dict[Size, int] = {
    "quick": 1,
    "default": 3,
    "full": 10,
}  # of studies that compare many detectors


def base(size: Size, **task: Any) -> Trial:
    """Return the trial that a study varies.

    Args:
        size: how much work.
        task: further fields of the task, ``kind`` among them.
    """
    sizes = SIZES[size]
    return Trial(
        task={"kind": "corrupted", **sizes["task"], **task},
        model={"name": "autoencoder", **sizes["model"]},
    )


def models_of(size: Size, models: Sequence[str]) -> list[str]:
    """Return detectors as a study of this size fits them: a quick one trains for few epochs where none are given."""
    if size != "quick":
        return list(models)
    return [shortened(parse(model), QUICK_EPOCHS).spec for model in models]


def seeds_of(size: Size, seeds: int | None, usual: dict[Size, int] = SEEDS) -> int:
    """Return how many seeds: as asked for, or the size's usual number."""
    return seeds or usual[size]

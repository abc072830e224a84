"""Inverted dots, in an instant."""

from pathlib import Path

__all__ = ["MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 2
MODELS = ("median", "pca")


def groups(data: Path) -> dict[str, list[str]]:
    """Return the tasks by group."""
    return {"dots": ["inverted:dataset=dots,calibration=100,test=40"]}

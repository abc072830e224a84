"""Tiles: real defects of magnetic tiles at 256 pixels, with and without ImageNet features.

The folder of data sets given by path must contain ``magnetic_tile`` in the MVTec AD layout.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 3
MODELS = (
    *("padim", "patch_memory"),
    *("padim:side=384", "patch_memory:side=384"),  # better on synthetic defects in good tiles
    *("student_teacher", "autoencoder:epochs=20", "pca:components=100"),
)


def groups(data: Path) -> dict[str, list[str]]:
    """Return the tasks for each type of defect, and for all together."""
    folder = data / "magnetic_tile"
    tiles = f"dataset=(folder:path={folder},resize=256,resize_mode=mirror,channels=grey)"
    types = {"blowhole": "blowhole", "crack": "crack", "all": "blowhole;crack"}
    return {
        name: [f"defects:{tiles},types={chosen},calibration=40"] for name, chosen in types.items()
    }

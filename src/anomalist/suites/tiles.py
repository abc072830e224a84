"""Tiles: real defects of magnetic tiles at 256 pixels, aspect ratio kept, on features that ImageNet taught and without.

The folder of data sets given by path holds ``magnetic_tile`` in the MVTec AD layout.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODELS", "SEEDS", "VERSION", "groups"]

VERSION = 1
SEEDS = 3
MODELS = (
    *("padim", "patch_memory"),
    *("padim:side=384", "patch_memory:side=384"),  # defects made in good tiles are found better so
    *("student_teacher", "autoencoder:epochs=20", "pca:components=100"),
)


def groups(data: Path) -> dict[str, list[str]]:
    """Return each type of defect, and all together."""
    tiles = f"dataset=(folder:path={data / 'magnetic_tile'},resize=256,fit=mirror,channels=grey)"
    types = {"blowhole": "blowhole", "crack": "crack", "all": "blowhole;crack"}
    return {
        name: [f"defects:{tiles},types={chosen},calibration=40"] for name, chosen in types.items()
    }

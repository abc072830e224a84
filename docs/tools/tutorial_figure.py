"""Put overlays of the tutorial together into its figure.

    python docs/tools/tutorial_figure.py results/heatmaps/DIR/magnetic_tile/test

The folder is the one that the tutorial's ``anomalist score`` writes on the magnetic tiles.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

FIGURE = Path(__file__).parent.parent / "figures" / "tutorial_tiles.png"
SIDE = 192
SHOWN = 3  # images of each kind
KINDS = ("blowhole", "crack", "good")
GAP = 6


def main(folder: Path) -> None:
    """Write the figure: a row for each kind, with the first images by name."""
    width = SHOWN * SIDE + (SHOWN - 1) * GAP
    height = len(KINDS) * SIDE + (len(KINDS) - 1) * GAP
    figure = Image.new("RGB", (width, height), "white")
    for row, kind in enumerate(KINDS):
        paths = sorted((folder / kind).glob("*.png"))
        step = len(paths) // SHOWN
        for column, path in enumerate(paths[::step][:SHOWN]):
            picture = Image.open(path).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            figure.paste(picture, (column * (SIDE + GAP), row * (SIDE + GAP)))
    figure.quantize(128).save(FIGURE, optimize=True)
    print(FIGURE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

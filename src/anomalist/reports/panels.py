"""Panels: what a detector saw, what it expected, where they differ, and where the defect truly is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["cases", "gallery"]

_GAP = 2  # pixels between tiles
_FRAME = "lightsteelblue"


def cases(arrays: Mapping[str, NDArray[Any]], setting: str) -> Figure:
    """Draw the best, the median and the worst found anomalies of one corruption setting.

    Each row is one image: input, reconstruction (where the detector has one), error map, true mask, predicted
    mask. The map's colours mean the same in every panel of a run: they end at ``top``, which comes from
    held-out normal images.

    Args:
        arrays: the arrays of ``cases.npz``: for the setting ``images`` ``[n, C, H, W]``, ``maps`` and ``masks``
            ``[n, H, W]``, ``scores`` and ``source`` ``[n]``; and ``threshold`` and ``top``, one number each.
        setting: which corruption setting.
    """
    found = {key.removeprefix(f"{setting}/"): value for key, value in arrays.items() if key.startswith(f"{setting}/")}
    top, limit = float(arrays["top"]), float(arrays["threshold"])
    columns: list[tuple[str, NDArray[Any], dict[str, Any]]] = [("input", _colour(found["images"]), _GREY)]
    if "restored" in found:
        columns.append(("reconstruction", _colour(found["restored"]), _GREY))
    columns += [
        ("error map", found["maps"], {"cmap": "inferno", "vmin": 0, "vmax": top}),
        ("true mask", found["masks"], _GREY),
        ("predicted mask", found["maps"] > limit, _GREY),
    ]
    n, h = len(found["images"]), found["images"].shape[2] + _GAP
    figure = Figure(figsize=(1.3 * len(columns) + 1.0, 1.12 * n + 1.1), layout="constrained")
    axes = figure.subplots(1, len(columns))
    for axis, (title, stack, style) in zip(axes, columns, strict=True):
        shown = axis.imshow(_column(stack), interpolation="nearest", **style)
        axis.set_title(title, fontsize="medium")
        axis.set_facecolor(_FRAME)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        if title == "error map":
            figure.colorbar(shown, ax=axis, location="bottom", fraction=0.02, pad=0.01, extend="max", label="error")
    centres = [h * row + h / 2 for row in range(n)]
    names = np.repeat(["highest", "median", "lowest"], -(-n // 3))[:n]
    labels = [f"{a}\n#{b}: {c:.3g}" for a, b, c in zip(names, found["source"], found["scores"], strict=True)]
    axes[0].set_yticks(centres, labels, fontsize="small")
    axes[0].tick_params(length=0)
    figure.suptitle(f"{setting}\nanomalies with the highest, median and lowest score", fontsize="medium")
    return figure


def gallery(names: Sequence[str], columns: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw a table of small pictures.

    Args:
        names: of the rows, n of them.
        columns: title to the column's pictures, images ``[n, C, H, W]`` in [0, 1] or masks ``[n, H, W]``.
    """
    figure = Figure(figsize=(0.8 * len(columns) + 1.3, 0.8 * len(names) + 0.3))
    axes = figure.subplots(1, len(columns))
    for axis, (title, stack) in zip(axes, columns.items(), strict=True):
        tiles = _column(_colour(stack) if stack.ndim == 4 else stack)
        axis.imshow(tiles, interpolation="nearest", aspect="auto", **_GREY)
        axis.set_title(title, fontsize="small")
        axis.set_facecolor(_FRAME)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    h = len(tiles) / len(names)
    axes[0].set_yticks([h * row + h / 2 for row in range(len(names))], names, fontsize="small")
    axes[0].tick_params(length=0)
    inch = 1 / figure.get_figwidth(), 1 / figure.get_figheight()
    figure.subplots_adjust(left=1.25 * inch[0], right=1, bottom=0, top=1 - 0.25 * inch[1], wspace=0)
    return figure


_GREY = {"cmap": "gray", "vmin": 0, "vmax": 1}


def _colour(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``[n, H, W]`` for grey images and ``[n, H, W, 3]`` for colour ones."""
    return images[:, 0] if images.shape[1] == 1 else np.moveaxis(images[:, :3], 1, -1)


def _column(stack: NDArray[Any]) -> NDArray[Any]:
    """Stack tiles below one another, each in a frame of its own, so that a white line at its edge is seen as such."""
    n, h, w, *rest = stack.shape
    frame = to_rgb(_FRAME) if rest else np.nan  # imshow leaves NaN clear, and the axes are of the frame's colour
    tall = np.full((n * (h + _GAP), w + _GAP, *rest), frame, dtype=np.float64)
    for number, tile in enumerate(stack):
        first = number * (h + _GAP) + _GAP // 2
        tall[first : first + h, _GAP // 2 : _GAP // 2 + w] = tile
    return tall

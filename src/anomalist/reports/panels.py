"""Panels: what a detector saw, what it expected, where they differ, and where the defect truly is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["cases", "gallery"]

_GAP = 2  # pixels between tiles
_FRAME = "lightsteelblue"
_SIDE = 128  # pixels of a tile at most
_LETTERS = 24  # of a file's name beside its row


def cases(arrays: Mapping[str, NDArray[Any]], setting: str) -> Figure:
    """Draw the best, the median and the worst found anomalies of one corruption setting.

    Each row is one image: input, reconstruction (where the detector has one), heatmap, true mask
    (where it is known), predicted mask. The map's colours mean the same in every panel of a run.
    They begin at ``bottom`` and end at ``top``, which come from held-out normal images, so a normal
    image looks normal.

    Args:
        arrays: the arrays of ``cases.npz``: for the setting ``images`` ``[n, C, H, W]``, ``maps``
            ``[n, H, W]``, ``scores`` and ``source`` ``[n]``, and, where they are known, ``masks``,
            ``restored`` and ``files``; for all of them ``threshold``, ``top``, ``bottom`` (0 by
            default) and ``quantity``, what the map's numbers are.
        setting: which corruption setting or type of defect.
    """
    found = {
        key.removeprefix(f"{setting}/"): value
        for key, value in arrays.items()
        if key.startswith(f"{setting}/")
    }
    top, bottom, limit = (float(arrays.get(name, 0.0)) for name in ("top", "bottom", "threshold"))
    quantity = str(arrays.get("quantity", "error"))
    flagged = _shrunk(found["maps"] > limit, np.max)
    columns: list[tuple[str, NDArray[Any], dict[str, Any]]] = [
        ("input", _colour(found["images"]), _GREY)
    ]
    if "restored" in found:
        columns.append(("reconstruction", _colour(found["restored"]), _GREY))
    columns.append(
        (
            "heatmap",
            _shrunk(found["maps"], np.max),
            {"cmap": "inferno", "vmin": bottom, "vmax": top},
        )
    )
    if "masks" in found:
        columns.append(("true mask", _shrunk(found["masks"], np.max), _GREY))
    columns.append(("predicted mask", flagged, _GREY))
    n, h = len(flagged), flagged.shape[1] + _GAP
    wide = 1.0 if "files" not in found else 0.085 * (_LETTERS + 8)  # inches for the rows' names
    figure = Figure(figsize=(1.3 * len(columns) + wide, 1.12 * n + 1.1), layout="constrained")
    axes = figure.subplots(1, len(columns))
    for axis, (title, stack, style) in zip(axes, columns, strict=True):
        shown = axis.imshow(_column(stack), interpolation="nearest", **style)
        axis.set_title(title, fontsize="medium")
        axis.set_facecolor(_FRAME)
        axis.set(
            xticks=[], yticks=[], anchor="N"
        )  # rows stay in line beside a column with a scale below it
        axis.spines[:].set_visible(False)
        if title == "heatmap":
            figure.colorbar(
                shown,
                ax=axis,
                location="bottom",
                fraction=0.02,
                pad=0.01,
                extend="both",
                label=quantity,
            )
    centres = [h * row + h / 2 for row in range(n)]
    names = np.repeat(["highest", "median", "lowest"], -(-n // 3))[:n]
    which = (
        [_short(str(name)) for name in found["files"]]
        if "files" in found
        else [f"#{b}" for b in found["source"]]
    )
    labels = [f"{a}\n{b}: {c:.3g}" for a, b, c in zip(names, which, found["scores"], strict=True)]
    axes[0].set_yticks(centres, labels, fontsize="small")
    axes[0].tick_params(length=0)
    figure.suptitle(
        f"{setting}\nanomalies with the highest, median and lowest score", fontsize="medium"
    )
    return figure


def gallery(names: Sequence[str], columns: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw a table of small pictures.

    Args:
        names: of the rows, n of them.
        columns: title to the column's pictures, images ``[n, C, H, W]`` in [0, 1] or masks
            ``[n, H, W]``.
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
    """Return ``[n, h, w, 3]`` for images of three channels, else their mean over channels, ``[n, h, w]``."""
    shown = np.moveaxis(images, 1, -1) if images.shape[1] == 3 else images.mean(axis=1)
    return _shrunk(shown, np.mean)


def _shrunk(stack: NDArray[Any], join: Callable[..., Any]) -> NDArray[Any]:
    """Return images ``[n, H, W, ...]`` of at most ``_SIDE`` pixels a side: blocks of pixels joined into one.

    A picture that leaves out rows and columns would lose thin marks.
    """
    step = -(-max(stack.shape[1:3]) // _SIDE)
    if step == 1:
        return stack
    n, h, w, *rest = stack.shape
    padded = np.pad(
        stack, ((0, 0), (0, -h % step), (0, -w % step), *((0, 0) for _ in rest)), mode="edge"
    )
    blocks = padded.reshape(n, padded.shape[1] // step, step, padded.shape[2] // step, step, *rest)
    return np.asarray(join(blocks, axis=(2, 4)))


def _short(name: str) -> str:
    """Return the end of a file's name, its folder and itself, in at most ``_LETTERS`` letters."""
    name = "/".join(name.split("/")[-2:])
    return name if len(name) <= _LETTERS else f"...{name[3 - _LETTERS :]}"


def _column(stack: NDArray[Any]) -> NDArray[Any]:
    """Stack tiles below one another, each in a frame of its own, so that a white line at its edge is seen as such."""
    n, h, w, *rest = stack.shape
    frame = (
        to_rgb(_FRAME) if rest else np.nan
    )  # imshow leaves NaN clear, and the axes are of the frame's colour
    tall = np.full((n * (h + _GAP), w + _GAP, *rest), frame, dtype=np.float64)
    for number, tile in enumerate(stack):
        first = number * (h + _GAP) + _GAP // 2
        tall[first : first + h, _GAP // 2 : _GAP // 2 + w] = tile
    return tall

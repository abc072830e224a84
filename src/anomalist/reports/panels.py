"""Panels of single images: input, reconstruction, heatmap, true mask and predicted mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

__all__ = ["cases", "gallery"]

_GAP = 2  # pixels between tiles
_FRAME = "lightsteelblue"
_SIDE = 128  # pixels of a tile at most
_LETTERS = 24  # length of a file name in a row label, at most
_GREY = {"cmap": "gray", "vmin": 0, "vmax": 1}

Arrays = Mapping[str, NDArray[Any]]


class _Panel(NamedTuple):
    """One column of images.

    Attributes:
        title: title above the column.
        stack: the images ``[n, h, w]``, or ``[n, h, w, 3]`` in colour.
        style: arguments of Matplotlib's ``imshow``.
        quantity: what the colours of a map mean; empty for images.
    """

    title: str
    stack: NDArray[Any]
    style: dict[str, Any]
    quantity: str = ""


def cases(arrays: Arrays, setting: str) -> Figure:
    """Draw the anomalies of one setting with the highest, the median and the lowest scores.

    Each row is one image: input, reconstruction (if the detector has one), heatmap, true mask (if
    it is known), predicted mask. All panels of a run share the colour scale of the map. Its limits
    ``bottom`` and ``top`` come from held-out normal images, so that a normal image looks normal.

    Args:
        arrays: the arrays of ``cases.npz``. The setting has ``images`` ``[n, C, H, W]``, ``maps``
            ``[n, H, W]``, ``scores`` and ``source`` ``[n]``, and, if they are known, ``masks``,
            ``restored`` and ``files``. All settings share ``threshold``, ``top``, ``bottom`` (0 by
            default) and ``quantity``, the meaning of the map's values. A second score adds
            ``second_restored`` and ``second_maps`` to the setting. It also adds ``second/name`` and
            the four shared arrays with the prefix ``second/``.
        setting: the corruption setting or type of defect.
    """
    prefix = f"{setting}/"
    names = [name for name in arrays if name.startswith(prefix)]
    own = {name.removeprefix(prefix): arrays[name] for name in names}
    panels = _panels(own, arrays)
    n = len(own["maps"])
    name_width = 0.085 * (_LETTERS + 8) if "files" in own else 1.0  # inches
    size = (1.3 * len(panels) + name_width, 1.12 * n + 1.1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(panels))
    for axis, panel in zip(axes, panels, strict=True):
        shown = axis.imshow(_column(panel.stack), interpolation="nearest", **panel.style)
        axis.set_title(panel.title, fontsize="medium")
        axis.set_facecolor(_FRAME)
        # Anchored at the top, rows stay aligned with the column that has a colour bar below it.
        axis.set(
            xticks=[],
            yticks=[],
            anchor="N",
        )
        axis.spines[:].set_visible(False)
        if panel.quantity:
            _draw_scale(figure, axis, shown, panel.quantity)
    height = panels[0].stack.shape[1] + _GAP
    centres = [height * row + height / 2 for row in range(n)]
    axes[0].set_yticks(centres, _row_labels(own, n), fontsize="small")
    axes[0].tick_params(length=0)
    subtitle = "anomalies with the highest, median and lowest score"
    figure.suptitle(f"{setting}\n{subtitle}", fontsize="medium")
    return figure


def _panels(own: Arrays, arrays: Arrays) -> list[_Panel]:
    """Return the columns of a setting.

    Args:
        own: the setting's arrays, by name.
        arrays: all arrays, which include the limits that settings share.
    """
    panels = [_Panel("input", _colour(own["images"]), _GREY)]
    masks = []
    second = f"\n{arrays.get('second/name', '')}"
    for name, prefix, title in (("", "", ""), ("second_", "second/", second)):
        if f"{name}restored" in own:
            restored = _colour(own[f"{name}restored"])
            panels.append(_Panel(f"reconstruction{title}", restored, _GREY))
        if f"{name}maps" in own:
            maps = own[f"{name}maps"]
            panels.append(_heatmap(f"heatmap{title}", maps, arrays, prefix))
            flagged = _shrink(maps > float(arrays.get(f"{prefix}threshold", 0.0)), np.max)
            masks.append(_Panel(f"predicted mask{title}", flagged, _GREY))
    if "masks" in own:
        panels.append(_Panel("true mask", _shrink(own["masks"], np.max), _GREY))
    return panels + masks


def _heatmap(
    title: str,
    maps: NDArray[np.float32],
    arrays: Arrays,
    prefix: str,
) -> _Panel:
    """Return the column of a score's maps, on the colour scale that all settings share."""
    style = {
        "cmap": "inferno",
        "vmin": float(arrays.get(f"{prefix}bottom", 0.0)),
        "vmax": float(arrays.get(f"{prefix}top", 0.0)),
    }
    quantity = str(arrays.get(f"{prefix}quantity", "error"))
    return _Panel(title, _shrink(maps, np.max), style, quantity)


def _draw_scale(
    figure: Figure,
    axis: Axes,
    shown: AxesImage,
    label: str,
) -> None:
    scale = figure.colorbar(
        shown,
        ax=axis,
        location="bottom",
        fraction=0.02,
        pad=0.01,
        extend="both",
        label=label,
    )
    scale.locator = MaxNLocator(2)
    scale.update_ticks()


def _row_labels(own: Arrays, n: int) -> list[str]:
    """Return the label of each row: rank, file name or number, and score."""
    ranks = np.repeat(["highest", "median", "lowest"], -(-n // 3))[:n]
    if "files" in own:
        names = [_shorten(str(name)) for name in own["files"]]
    else:
        names = [f"#{number}" for number in own["source"]]
    labels = []
    for rank, name, score in zip(ranks, names, own["scores"], strict=True):
        labels.append(f"{rank}\n{name}: {score:.3g}")
    return labels


def gallery(names: Sequence[str], columns: Mapping[str, NDArray[Any]]) -> Figure:
    """Draw a table of small images.

    Args:
        names: names of the n rows.
        columns: the columns by title: images ``[n, C, H, W]`` in [0, 1], or masks ``[n, H, W]``.
    """
    figure = Figure(figsize=(0.8 * len(columns) + 1.3, 0.8 * len(names) + 0.3))
    axes = figure.subplots(1, len(columns))
    for axis, (title, stack) in zip(axes, columns.items(), strict=True):
        tiles = _column(_colour(stack) if stack.ndim == 4 else stack)
        axis.imshow(
            tiles,
            interpolation="nearest",
            aspect="auto",
            **_GREY,
        )
        axis.set_title(title, fontsize="small")
        axis.set_facecolor(_FRAME)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    height = len(tiles) / len(names)
    centres = [height * row + height / 2 for row in range(len(names))]
    axes[0].set_yticks(centres, names, fontsize="small")
    axes[0].tick_params(length=0)
    left = 1.25 / figure.get_figwidth()
    top = 1 - 0.25 / figure.get_figheight()
    figure.subplots_adjust(
        left=left,
        right=1,
        bottom=0,
        top=top,
        wspace=0,
    )
    return figure


def _colour(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colour images as ``[n, h, w, 3]``, others as their mean channel ``[n, h, w]``."""
    if images.shape[1] == 3:
        return _shrink(np.moveaxis(images, 1, -1), np.mean)
    return _shrink(images.mean(axis=1), np.mean)


def _shrink(stack: NDArray[Any], join: Callable[..., Any]) -> NDArray[Any]:
    """Return images ``[n, H, W, ...]`` with at most ``_SIDE`` pixels a side, by joining blocks.

    Dropping rows and columns would lose thin marks.
    """
    step = -(-max(stack.shape[1:3]) // _SIDE)
    if step == 1:
        return stack
    n, height, width, *rest = stack.shape
    padding = [(0, 0), (0, -height % step), (0, -width % step)]
    padding += [(0, 0)] * len(rest)
    padded = np.pad(stack, padding, mode="edge")
    rows = padded.shape[1] // step
    columns = padded.shape[2] // step
    blocks = padded.reshape(n, rows, step, columns, step, *rest)
    return np.asarray(join(blocks, axis=(2, 4)))


def _shorten(name: str) -> str:
    """Return the end of a path, the file and its folder, in at most ``_LETTERS`` letters."""
    ending = "/".join(name.split("/")[-2:])
    if len(ending) <= _LETTERS:
        return ending
    return f"...{ending[3 - _LETTERS :]}"


def _column(stack: NDArray[Any]) -> NDArray[Any]:
    """Stack tiles vertically, each in a frame that makes a white line at its edge visible."""
    n, height, width, *rest = stack.shape
    # imshow draws NaN as transparent, and the axes have the colour of the frame.
    frame = to_rgb(_FRAME) if rest else np.nan
    tall = np.full((n * (height + _GAP), width + _GAP, *rest), frame, dtype=np.float64)
    left = _GAP // 2
    for number, tile in enumerate(stack):
        top = number * (height + _GAP) + _GAP // 2
        tall[top : top + height, left : left + width] = tile
    return tall

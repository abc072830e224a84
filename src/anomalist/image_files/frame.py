"""Resize images of any size and depth to a common one: stretch, pad, mirror or crop."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomalist.core.errors import InputError

__all__ = ["DecodeSpec", "Frame", "frame", "place", "resize_deep"]

# ITU-R BT.601, as in Pillow's conversion to grey.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

ResizeMode = Literal["stretch", "pad", "mirror", "crop"]


class DecodeSpec(NamedTuple):
    """The common format of all images of a folder."""

    size: tuple[int, int]  # H, W
    resize_mode: ResizeMode
    # The values of black and white; None: those of the file's type.
    window: tuple[float, float] | None
    colour: bool
    dtype: str  # "uint8", "uint16" or "float32"

    @property
    def black(self) -> float:
        """The stored value that stands for black."""
        low = 0.0 if self.window is None else self.window[0]
        return low if self.dtype == "float32" else float(np.clip(low, 0, np.iinfo(self.dtype).max))


class Frame(NamedTuple):
    """The part of an image that is used, and its place."""

    box: tuple[float, float, float, float]  # left, top, right, bottom in the image
    size: tuple[int, int]  # width and height after resizing the box
    left: int  # position in the result
    top: int


def frame(size: tuple[int, int], spec: DecodeSpec) -> Frame:
    """Return the frame of an image of ``size`` (width, height)."""
    (w, h), (H, W) = size, spec.size
    if spec.resize_mode == "stretch":
        return Frame((0, 0, w, h), (W, H), 0, 0)
    if spec.resize_mode == "crop":
        scale = max(W / w, H / h)
        left = (w - W / scale) / 2
        top = (h - H / scale) / 2
        return Frame((max(left, 0), max(top, 0), min(w - left, w), min(h - top, h)), (W, H), 0, 0)
    scale = min(W / w, H / h)
    inner = max(1, min(W, round(w * scale))), max(1, min(H, round(h * scale)))
    return Frame((0, 0, w, h), inner, (W - inner[0]) // 2, (H - inner[1]) // 2)


def place(
    planes: NDArray[np.generic],
    to: Frame,
    spec: DecodeSpec,
    background: float,
) -> NDArray[np.generic]:
    """Return ``[C, H, W]`` with the planes placed by the frame, on ``background`` or mirrored."""
    if planes.shape[1:] == spec.size:
        return planes
    if spec.resize_mode == "mirror":
        (H, W), (h, w) = spec.size, planes.shape[1:]
        return np.pad(
            planes, ((0, 0), (to.top, H - h - to.top), (to.left, W - w - to.left)), mode="symmetric"
        )
    out = np.full((len(planes), *spec.size), background, planes.dtype)
    out[:, to.top : to.top + to.size[1], to.left : to.left + to.size[0]] = planes
    return out


def resize_deep(
    planes: NDArray[np.float32],
    depth: int,
    to: Frame,
    spec: DecodeSpec,
) -> NDArray[np.generic]:
    """Resize float32 planes ``[1 or 3, h, w]`` to ``[C, H, W]`` of the spec's dtype.

    Raises:
        InputError: NaN or infinite values; without a window, floats outside of 0..1.
    """
    if depth == 32:
        low = float(planes.min())
        high = float(planes.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError("contains NaN or infinite values")
        if spec.window is None and not 0 <= low <= high <= 1:
            raise InputError(
                f"values in [{low:g}, {high:g}], floats must be in 0..1; give intensity=LOW;HIGH"
            )
    if len(planes) == 3 and not spec.colour:
        planes = np.tensordot(_LUMA, planes, 1)[None]
    resized = np.stack([_resize(plane, to) for plane in planes])
    if spec.colour and len(resized) == 1:
        resized = np.repeat(resized, 3, axis=0)
    if spec.dtype == "float32" and depth == 16 and spec.window is None:
        resized /= np.float32(65535)
    if spec.dtype == "uint16":
        resized = np.rint(resized)
    return place(resized.astype(spec.dtype), to, spec, spec.black)


def _resize(plane: NDArray[np.float32], to: Frame) -> NDArray[np.float32]:
    whole = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(whole.resize(to.size, Image.Resampling.BILINEAR, to.box))

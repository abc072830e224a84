"""How images of any size and depth are brought to one: squashed, padded, mirrored or cropped; masks go along."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomalist.errors import InputError

__all__ = ["Fit", "Frame", "Look", "frame", "place", "resize_deep"]

_LUMA = np.array(
    [0.299, 0.587, 0.114], np.float32
)  # ITU-R BT.601, as in Pillow's own conversion to grey

Fit = Literal["squash", "pad", "mirror", "crop"]


class Look(NamedTuple):
    """What all images of a folder are brought to."""

    size: tuple[int, int]  # H, W
    fit: Fit
    window: (
        tuple[float, float] | None
    )  # the values of black and white, or None: the file's type says
    colour: bool
    dtype: str  # "uint8", "uint16" or "float32"

    @property
    def black(self) -> float:
        """The stored value that stands for black."""
        low = 0.0 if self.window is None else self.window[0]
        return low if self.dtype == "float32" else float(np.clip(low, 0, np.iinfo(self.dtype).max))


class Frame(NamedTuple):
    """Which part of an image goes where."""

    box: tuple[float, float, float, float]  # left, top, right, bottom in the image
    size: tuple[int, int]  # width and height that the box is resized to
    left: int  # where it is put
    top: int


def frame(size: tuple[int, int], look: Look) -> Frame:
    """Return the frame of an image of ``size`` (width, height)."""
    (w, h), (H, W) = size, look.size
    if look.fit == "squash":
        return Frame((0, 0, w, h), (W, H), 0, 0)
    if look.fit == "crop":
        scale = max(W / w, H / h)
        left, top = (w - W / scale) / 2, (h - H / scale) / 2
        return Frame((max(left, 0), max(top, 0), min(w - left, w), min(h - top, h)), (W, H), 0, 0)
    scale = min(W / w, H / h)
    inner = max(1, min(W, round(w * scale))), max(1, min(H, round(h * scale)))
    return Frame((0, 0, w, h), inner, (W - inner[0]) // 2, (H - inner[1]) // 2)


def place(
    planes: NDArray[np.generic], to: Frame, look: Look, background: float
) -> NDArray[np.generic]:
    """Return ``[C, H, W]`` with the resized planes where the frame says, on ``background`` or their mirror images."""
    if planes.shape[1:] == look.size:
        return planes
    if look.fit == "mirror":
        (H, W), (h, w) = look.size, planes.shape[1:]
        return np.pad(
            planes, ((0, 0), (to.top, H - h - to.top), (to.left, W - w - to.left)), mode="symmetric"
        )
    out = np.full((len(planes), *look.size), background, planes.dtype)
    out[:, to.top : to.top + to.size[1], to.left : to.left + to.size[0]] = planes
    return out


def resize_deep(
    planes: NDArray[np.float32], depth: int, to: Frame, look: Look
) -> NDArray[np.generic]:
    """Bring float32 planes ``[1 or 3, h, w]`` of ``depth`` bits (32: floats) to ``[C, H, W]`` of the look's dtype.

    Raises:
        InputError: NaN or infinite values; without a window, floats outside of 0..1.
    """
    if depth == 32:
        low, high = float(planes.min()), float(planes.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputError("holds NaN or infinite values")
        if look.window is None and not 0 <= low <= high <= 1:
            raise InputError(
                f"values in [{low:g}, {high:g}], floats are taken as 0..1; give intensity=LOW;HIGH"
            )
    if len(planes) == 3 and not look.colour:
        planes = np.tensordot(_LUMA, planes, 1)[None]
    resized = np.stack([_resize(plane, to) for plane in planes])
    if look.colour and len(resized) == 1:
        resized = np.repeat(resized, 3, axis=0)
    if look.dtype == "float32" and depth == 16 and look.window is None:
        resized /= np.float32(65535)
    if look.dtype == "uint16":
        resized = np.rint(resized)
    return place(resized.astype(look.dtype), to, look, look.black)


def _resize(plane: NDArray[np.float32], to: Frame) -> NDArray[np.float32]:
    whole = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(whole.resize(to.size, Image.Resampling.BILINEAR, to.box))

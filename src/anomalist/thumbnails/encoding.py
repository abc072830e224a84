"""Small pictures as text: PNG or WebP in base64."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomalist.thumbnails.scale import LEVELS, MapScale

__all__ = ["encode_image", "encode_map", "encode_mask"]

_SIDE = 128  # pixels of an image's or a mask's longer side, at most
_MAP_SIDE = 64  # of a map's
_EXACT_SIDE = 64  # images up to this size are stored without loss
_QUALITY = 70  # of WebP
_STEP = 255 // (LEVELS - 1)  # of grey between levels


def encode_image(image: NDArray[np.float32]) -> str:
    """Return an image as a picture of at most 128 pixels a side.

    Args:
        image: float32 ``[C, H, W]`` in [0, 1], C 1 or 3.
    """
    values = (255 * image.clip(0, 1) + 0.5).astype(np.uint8)
    picture = Image.fromarray(values[0] if len(values) == 1 else np.moveaxis(values, 0, -1))
    is_small = max(picture.size) <= _EXACT_SIDE
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return _text(picture, "PNG") if is_small else _text(picture, "WEBP", quality=_QUALITY)


def encode_map(heat: NDArray[np.float32], scale: MapScale) -> str:
    """Return the levels of a map ``[H, W]`` as a grey picture of at most 64 pixels a side.

    A pixel of the picture has the highest value of the block that it stands for. Level j is the
    grey value 4 j.
    """
    levels = _highest(scale.levels(heat), _MAP_SIDE)
    picture = Image.fromarray(levels * np.uint8(_STEP))
    if max(picture.size) <= 32:
        return _text(picture, "PNG")
    return _text(picture, "WEBP", lossless=True, exact=True)


def encode_mask(mask: NDArray[np.bool_]) -> str:
    """Return a mask ``[H, W]`` as a black-and-white picture of at most 128 pixels a side."""
    small = _highest(mask.astype(np.uint8), _SIDE)
    return _text(Image.fromarray(small * np.uint8(255)).convert("1"), "PNG")


def _highest(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the highest value of each block, so that thin marks stay visible."""
    step = -(-max(values.shape) // side)
    if step == 1:
        return values
    height, width = values.shape
    padded = np.pad(values, ((0, -height % step), (0, -width % step)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    highest: NDArray[np.uint8] = blocks.max(axis=(1, 3))
    return highest


def _text(picture: Image.Image, form: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format=form, **options)
    return base64.b64encode(buffer.getvalue()).decode("ascii")

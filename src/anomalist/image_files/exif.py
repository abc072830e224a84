"""EXIF orientation, applied to images and arrays."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

__all__ = ["orientation_of", "shown_size", "turned", "upright"]

_TURNS = {  # by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def shown_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return the width and height of an image after its EXIF rotation, without loading it."""
    width, height = image.size
    # For TIFF, Pillow returns the size after rotation.
    sideways = image.format != "TIFF" and orientation_of(image) >= 5
    return (height, width) if sideways else (width, height)


def orientation_of(image: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation of an image, 1 (upright) to 8, without loading it."""
    if image.format == "TIFF":
        orientation = image.tag_v2.get(ExifTags.Base.Orientation, 1)  # type: ignore[attr-defined]
    else:
        exif = Image.Exif()
        with contextlib.suppress(Exception):  # a hostile file may raise any exception
            exif.load(image.info.get("exif") or b"")
        orientation = exif.get(ExifTags.Base.Orientation, 1)
    return orientation if isinstance(orientation, int) and orientation in _TURNS else 1


def upright(image: ImageFile.ImageFile, orientation: int) -> Image.Image:
    """Return the image rotated by its EXIF orientation; Pillow rotates TIFF by itself."""
    return (
        image
        if orientation == 1 or image.format == "TIFF"
        else image.transpose(_TURNS[orientation])
    )


def turned(planes: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return planes ``[C, h, w]`` rotated by the EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        planes = planes.transpose(0, 2, 1)
    if orientation in (3, 4, 7, 8):
        planes = planes[:, ::-1]
    if orientation in (2, 3, 6, 7):
        planes = planes[:, :, ::-1]
    return np.ascontiguousarray(planes)

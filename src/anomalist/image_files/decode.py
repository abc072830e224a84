"""Decode one image file to one array: PNG, JPEG, TIFF and BMP by Pillow, DICOM and FITS by others.

Intensities are never scaled by the values of the image. Planes of more than 8 bits are resized as
float32. Pillow opens 16-bit colour with 8 bits; such files are opened twice, once for the high and
once for the low bytes.
"""

from __future__ import annotations

import io
import math
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from anomalist.core.errors import InputError, printable
from anomalist.image_files import dicom_fits
from anomalist.image_files.exif import orientation_of, shown_size, turned, upright
from anomalist.image_files.frame import DecodeSpec, Frame, frame, place, resize_deep
from anomalist.image_files.masks import marked

__all__ = [
    "MAX_PIXELS",
    "decode",
    "decode_mask",
    "image_size",
    "open_regular",
    "probe",
    "reason",
]

MAX_PIXELS = 89_478_485  # Pillow's default; files with larger sizes in their header are rejected
_MAX_BYTES = 1 << 30
_MAX_SCANS = (
    100  # of a progressive JPEG; each scan takes time for the whole image, even with few bytes
)
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_GREY = ("1", "L", "LA", "La", "I", "F")
# A JPEG is decoded at least at this multiple of the target size, as in Pillow's thumbnail.
_DRAFT = 2


def probe(file: BinaryIO, name: str) -> tuple[bool, int, bool]:
    """Return whether an image is in colour, its depth, and whether EXIF data rotate it.

    The depth is 8 or 16 bits, or 32 for floats and types that are converted to floats.

    Raises:
        Exception: of any kind if the file cannot be read as an image; see :func:`reason`.
    """
    if dicom_fits.reader(name):
        return False, 32, False
    with _open(file) as image:
        colour = image.mode not in _GREY and not image.mode.startswith("I;16")
        to_turn = orientation_of(image) != 1
        if image.mode in ("I", "F"):
            return colour, 32, to_turn
        return colour, 16 if image.mode.startswith("I;16") or _raw_sixteen(image) else 8, to_turn


def image_size(file: BinaryIO, name: str) -> tuple[int, int]:
    """Return the width and height of an image after its EXIF rotation.

    Raises:
        Exception: of any kind if the file cannot be read as an image; see :func:`reason`.
    """
    read = dicom_fits.reader(name)
    if read:
        height, width = read(file, None, MAX_PIXELS).shape
        return width, height
    with _open(file) as image:
        return shown_size(image)


def decode(
    file: BinaryIO,
    name: str,
    spec: DecodeSpec,
) -> tuple[NDArray[np.generic], tuple[int, int]]:
    """Decode one image.

    Args:
        file: open for reading, at its beginning.
        name: name of the file; its ending identifies DICOM and FITS.
        spec: the target format.

    Returns:
        ``[C, H, W]`` of the spec's dtype, and the width and height of the original image after its
        EXIF rotation.

    Raises:
        Exception: of any kind if the file cannot be read; see :func:`reason`.
    """
    read = dicom_fits.reader(name)
    if read:
        planes = read(file, spec.window, MAX_PIXELS)[None]
        size = (planes.shape[2], planes.shape[1])
        return resize_deep(planes, 32, frame(size, spec), spec), size
    with _open(file) as image:
        size = shown_size(image)
        to = frame(size, spec)
        if raw := _raw_sixteen(image):
            turn = 1 if image.format == "TIFF" else orientation_of(image)
            return resize_deep(turned(_halves(file, image, raw), turn), 16, to, spec), size
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            depth = 16 if image.mode.startswith("I;16") else 32
            return resize_deep(_grey_planes(image, spec.window), depth, to, spec), size
        return _shallow(image, size, to, spec), size


def _grey_planes(
    image: ImageFile.ImageFile, window: tuple[float, float] | None
) -> NDArray[np.float32]:
    """Return a grey image of more than 8 bits as float32 ``[1, h, w]``; high values are bright.

    Pillow ignores that 32-bit integers of a TIFF may be unsigned, and that low values may be bright
    in a TIFF of more than 8 bits.

    Raises:
        InputError: 32-bit integers without a window.
    """
    tags = getattr(image, "tag_v2", {})
    unsigned = image.mode == "I" and tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0] == 1
    unsigned = unsigned and tags.get(TiffImagePlugin.BITSPERSAMPLE, (0,))[0] == 32
    low_is_bright = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    twelve = tags.get(TiffImagePlugin.BITSPERSAMPLE, (0,))[0] == 12
    if image.mode == "I" and window is None:
        raise InputError("32-bit integers have no default range; give intensity=LOW;HIGH")
    turn = 1 if image.format == "TIFF" else orientation_of(image)  # Pillow rotates TIFF by itself
    stored = np.asarray(image)
    if unsigned:
        stored = stored.view(np.uint32)
    values = stored.astype(np.float32)
    if twelve and window is None:
        values *= np.float32(65535 / 4095)
    if low_is_bright:
        whole = 65535.0 if image.mode.startswith("I;16") else 1.0
        values = np.float32(whole if window is None else sum(window)) - values
    return turned(values[None], turn)


def decode_mask(
    file: BinaryIO,
    size: tuple[int, int],
    spec: DecodeSpec,
) -> tuple[NDArray[np.bool_], bool]:
    """Decode a mask, with the rule of :func:`anomalist.image_files.masks.marked`.

    Args:
        file: open for reading, at its beginning.
        size: width and height of the mask's image after EXIF rotation.
        spec: the target format; the mask is resized by nearest neighbour.

    Returns:
        bool ``[H, W]``, and whether a pixel is still marked at that size.

    Raises:
        Exception: of any kind if the file cannot be read, has another size, marks no pixel, or is
            ambiguous.
    """
    with _open(file) as image:
        if shown_size(image) != size:
            (w, h), (mask_w, mask_h) = size, shown_size(image)
            raise InputError(
                f"the mask is {mask_h} x {mask_w}, the image {h} x {w} (height x width)"
            )
        if image.mode in ("I", "F"):
            raise InputError("a mask must have 8 or 16 bits")
        exact = image.format != "JPEG"
        if image.mode.startswith("I;16"):
            values = _grey_planes(image, None)[0] / np.float32(257)
        else:
            values = np.asarray(_flat(upright(image, orientation_of(image)), colour=True)).astype(
                np.float32
            )
    flagged = marked(values, exact=exact)
    to = frame(size, spec)
    small = Image.fromarray(flagged.astype(np.uint8)).resize(
        to.size, Image.Resampling.NEAREST, to.box
    )
    placed = place(np.asarray(small)[None], to, spec, 0)[0] > 0
    return placed, bool(placed.any())


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading; refuse pipes, sockets and devices without blocking.

    Raises:
        InputError: the file is not a regular file, is empty, or is larger than 1 GiB.
        OSError: the file cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(handle, "rb")
    stats = os.fstat(handle)
    fault = ""
    if not stat.S_ISREG(stats.st_mode):
        fault = "not a regular file"
    elif not stats.st_size:
        fault = "an empty file"
    if stats.st_size > _MAX_BYTES:
        fault = f"{stats.st_size:,} bytes, more than {_MAX_BYTES:,}"
    if fault:
        file.close()
        raise InputError(fault)
    return file


def reason(error: Exception) -> str:
    """Return one printable line on why a file cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return f"not a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} image"
    if isinstance(error, Image.DecompressionBombError):
        return f"claims more than {MAX_PIXELS:,} pixels"
    if isinstance(error, MemoryError):
        return "claims more than fits in memory"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, OSError) and error.strerror is None:  # Pillow's own
        text = f"damaged: {text}"
    elif not isinstance(error, InputError | OSError):
        text = f"damaged ({type(error).__name__}{': ' if text else ''}{text})"
    return printable(" ".join(text.split()))[:300]


def _open(file: BinaryIO) -> ImageFile.ImageFile:
    image = Image.open(file, formats=_FORMATS)
    w, h = image.size
    if w * h > MAX_PIXELS:
        raise InputError(f"claims {h:,} x {w:,} pixels; at most {MAX_PIXELS:,} are supported")
    if image.format == "TIFF" and _signed_bytes(image):
        raise InputError(
            "signed 8-bit integers are not supported; save them as 16-bit or unsigned integers"
        )
    if image.format in ("TIFF", "PNG") and getattr(image, "is_animated", False):
        raise InputError("contains several images; save each as a separate file")
    if image.info.get("progressive") and (scans := _count(file, b"\xff\xda")) > _MAX_SCANS:
        raise InputError(f"progressive JPEG of {scans:,} scans; at most {_MAX_SCANS} are supported")
    return image


def _signed_bytes(image: ImageFile.ImageFile) -> bool:
    """Return whether a TIFF contains signed 8-bit integers, which Pillow reads as unsigned."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    formats = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    return 2 in formats and max(bits) <= 8


def _count(file: BinaryIO, marker: bytes) -> int:
    """Return how often a marker of two bytes occurs in the file."""
    file.seek(0)
    count = 0
    last = b""
    while block := file.read(1 << 20):
        count += (last + block).count(marker)
        last = block[-1:]
    return count


def _raw_sixteen(image: ImageFile.ImageFile) -> str:
    """Return Pillow's name of a 16-bit layout that it opens with 8 bits, or an empty text."""
    if image.mode.startswith("I") or not image.tile:
        return ""
    args = image.tile[0].args
    raw = args if isinstance(args, str) else args[0] if args else ""
    if isinstance(raw, str) and "16" in raw:
        return raw
    bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, ()) if hasattr(image, "tag_v2") else ()
    return (
        str(raw)
        if image.mode != "F" and any(isinstance(bit, int) and bit > 8 for bit in bits)
        else ""
    )


def _halves(
    file: BinaryIO,
    image: ImageFile.ImageFile,
    raw: str,
) -> NDArray[np.float32]:
    """Return 16-bit colour as float32 ``[3, h, w]``, from its high and its low bytes."""
    layout, _, order = raw.partition(";16")
    if layout not in ("RGB", "RGBX", "RGBA") or order not in ("B", "L", "N"):
        raise InputError(
            "16-bit pixels in an unsupported layout; save the image as 16-bit grey or RGB"
        )
    high = np.asarray(image).astype(np.float32)
    big = order == "B" or (order == "N" and sys.byteorder == "big")
    file.seek(0)
    with _open(file) as again:
        other = f"{layout};16{'L' if big else 'B'}"
        again.tile = [
            tile._replace(
                args=other if isinstance(tile.args, str) else (other, *tuple(tile.args or ())[1:])
            )
            for tile in again.tile
        ]
        values = high * 256 + np.asarray(again)
    if layout == "RGBA":
        values[..., :3] *= values[..., 3:] / 65535  # transparent pixels become black
    return np.ascontiguousarray(values[..., :3].transpose(2, 0, 1))


def _flat(image: Image.Image, *, colour: bool) -> Image.Image:
    """Return an 8-bit image as L or RGB; transparent pixels become black."""
    mode = "RGB" if colour else "L"
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.new("RGB", image.size)
        image.paste(above, mask=above.getchannel("A"))
    return image if image.mode == mode else image.convert(mode)


def _shallow(
    image: ImageFile.ImageFile,
    size: tuple[int, int],
    to: Frame,
    spec: DecodeSpec,
) -> NDArray[np.generic]:
    """Resize an 8-bit image, of ``size`` (width, height) after rotation, to ``[C, H, W]``."""
    w, h = size
    left, top, right, bottom = to.box
    share = 1.0
    orientation = orientation_of(image)
    if orientation == 1:
        enough = (
            math.ceil(_DRAFT * to.size[0] * w / (right - left)),
            math.ceil(_DRAFT * to.size[1] * h / (bottom - top)),
        )
        draft = image.draft("RGB" if spec.colour else "L", enough)
        # A JPEG may be decoded at a smaller size, which also reduces the box.
        share = draft[1][2] / w if draft else 1
    box = (left * share, top * share, right * share, bottom * share)
    flat = _flat(upright(image, orientation), colour=spec.colour)
    values = np.asarray(flat.resize(to.size, Image.Resampling.BILINEAR, box))
    values = values.transpose(2, 0, 1) if spec.colour else values[None]
    if spec.dtype != "uint8":
        wide = values.astype(np.float32)
        if spec.window is None:
            wide *= np.float32(257 if spec.dtype == "uint16" else 1 / 255)
        values = wide.astype(spec.dtype)
    return place(values, to, spec, spec.black)

"""Readers of DICOM (pydicom) and FITS (Astropy), optional packages, as floats."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.image_files.names import split_ending

__all__ = ["DICOM", "FITS", "check_installed", "reader"]

DICOM = (".dcm", ".dicom")
FITS = (".fits", ".fit", ".fts")
_PACKAGES = {"dicom": ("pydicom", DICOM), "fits": ("astropy", FITS)}
_DEFLATED = "1.2.840.10008.1.2.1.99"  # deflated as a whole, including the header
_HEADER = 1 << 20  # bytes of a FITS header that are read

Window = tuple[float, float] | None


def reader(name: str) -> Callable[[BinaryIO, Window, int], NDArray[np.float32]] | None:
    """Return the reader of the file ``name`` by its ending; None if neither DICOM nor FITS."""
    _, ending = split_ending(name)
    if ending in DICOM:
        return _dicom
    return _fits if ending in FITS else None


def check_installed(names: list[str]) -> None:
    """Check that the packages for these files are installed.

    Raises:
        InputError: a package is missing.
    """
    for extra, (package, endings) in _PACKAGES.items():
        needy = next((name for name in names if name.lower().endswith(endings)), None)
        if needy and importlib.util.find_spec(package) is None:
            raise InputError(
                f"{extra.upper()} files need {package}: pip install 'anomalist[{extra}]'"
            )


def _dicom(file: BinaryIO, window: Window, limit: int) -> NDArray[np.float32]:
    """Return a grey image, float32 ``[h, w]``, rescaled by the file's modality LUT."""
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_modality_lut

    _check_dicom(file, limit)
    record = dcmread(file)
    frames = int(record.get("NumberOfFrames") or 1)
    if frames != 1 or int(record.get("SamplesPerPixel") or 1) != 1:
        raise InputError("only grey DICOM images of one frame are supported")
    if (pixels := int(record.Rows) * int(record.Columns)) > limit:
        raise InputError(f"claims {pixels:,} pixels; at most {limit:,} are supported")
    values: NDArray[np.float32] = np.asarray(
        apply_modality_lut(record.pixel_array, record), np.float32
    )
    # In MONOCHROME1 low values are bright, so values are inverted.
    if record.PhotometricInterpretation == "MONOCHROME1" and window is not None:
        values = np.float32(sum(window)) - values
    return values


def _check_dicom(file: BinaryIO, limit: int) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > 4 * limit + _HEADER:  # pydicom reads all of it into memory
        raise InputError(f"{size:,} bytes, more than an image of {limit:,} pixels needs")
    head = file.read(4096)
    file.seek(0)
    if head[128:132] != b"DICM":
        raise InputError("not a DICOM file")
    if _DEFLATED.encode() in head:
        raise InputError("deflated DICOM is not supported; save it with explicit VR little endian")


def _fits(file: BinaryIO, window: Window, limit: int) -> NDArray[np.float32]:
    """Return the first two-dimensional image, float32 ``[h, w]``, scaled by BSCALE and BZERO."""
    from astropy.io import fits

    head = file.read(_HEADER)
    if not head.startswith(b"SIMPLE"):  # Astropy would decompress a file of any size
        raise InputError("not a FITS file")
    # Without an END card, Astropy would read the whole file.
    if not any(head.startswith(b"END     ", card) for card in range(0, len(head), 80)):
        raise InputError(f"its header does not end within {_HEADER:,} bytes")
    file.seek(0)
    with fits.open(file, memmap=False, lazy_load_hdus=True) as parts:
        for part in parts:
            if not part.is_image or part.header.get("NAXIS") != 2:
                continue
            if (pixels := math.prod(part.shape)) > limit:
                raise InputError(f"claims {pixels:,} pixels; at most {limit:,} are supported")
            return np.asarray(part.data).astype(np.float32)
    raise InputError("contains no two-dimensional image")

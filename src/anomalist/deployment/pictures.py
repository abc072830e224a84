"""Pictures of what was found: overlays, masks and maps, one file each per image."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anomalist import heatmaps
from anomalist.core.errors import InputError
from anomalist.core.files import atomic_write
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.reading import ImageFile
from anomalist.deployment.regions import Region

__all__ = ["MapType", "check_maps", "draw_overlay", "write_map", "write_mask", "write_picture"]

MapType = Literal["float16", "float32"]

_SMALLEST = 256  # shorter side of overlays of small images
_LARGEST = 1_024  # longer side of overlays
_OPACITY = 0.6
_BOX = (0, 114, 178)  # Okabe & Ito's blue


def check_maps() -> None:
    """Check that maps can be written.

    Raises:
        InputError: tifffile is not installed.
    """
    if find_spec("tifffile") is None:
        raise InputError("maps as TIFF need tifffile: pip install 'anomalist[maps]'")


def draw_overlay(
    model: CalibratedModel,
    file: ImageFile,
    heat: NDArray[np.float32],
    region: Region | None,
) -> Image.Image:
    """Draw an image in grey, orange where its map is high, with a box around the largest region.

    Args:
        model: gives the scale, which is the same for all images.
        file: the image as it was read. If it was stretched, the picture has the shape of the file.
        heat: float32 ``[H, W]``.
        region: the largest region in pixels of the model's image, or None.
    """
    reading = model.description.reading
    scale = model.calibration.scale
    image = reading.to_float(file.image)
    size = file.size if reading.resize_mode == "stretch" else None
    blend = heatmaps.overlay(image, heat, top=scale[1], bottom=scale[0], opacity=_OPACITY)
    picture = Image.fromarray((255 * blend + 0.5).astype(np.uint8))
    own = picture.size
    shown = _shown_size(size or own)
    method = Image.Resampling.NEAREST if own == size else Image.Resampling.BILINEAR
    picture = picture.resize(shown, method)
    if region is not None:
        across = shown[0] / own[0]
        down = shown[1] / own[1]
        corners = (
            region.left * across,
            region.top * down,
            max((region.left + region.width) * across - 1, region.left * across),
            max((region.top + region.height) * down - 1, region.top * down),
        )
        ImageDraw.Draw(picture).rectangle(corners, outline=_BOX, width=2)
    return picture


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask ``[H, W]`` as a PNG file, 255 where it is marked."""
    write_picture(Image.fromarray(mask.astype(np.uint8) * 255), path)


def write_map(path: Path, values: NDArray[np.float32], dtype: MapType) -> None:
    """Write a map ``[H, W]`` as a TIFF file with numbers of 16 or 32 bits."""
    import tifffile

    if dtype == "float16":
        values = values.clip(*(np.finfo(np.float16).min, np.finfo(np.float16).max))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        tifffile.imwrite(temporary, values.astype(dtype), compression=None)


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as a PNG file; its folder is made if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def _shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size with the same aspect ratio that is neither very small nor very large."""
    larger = max(1.0, _SMALLEST / min(size))
    factor = min(larger, _LARGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))

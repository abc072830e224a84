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
from anomalist.deployment.regions import Region

__all__ = ["MapType", "check_maps", "write_map", "write_mask", "write_overlay"]

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


def write_overlay(
    path: Path,
    image: NDArray[np.float32],
    heat: NDArray[np.float32],
    scale: tuple[float, float],
    region: Region | None,
    size: tuple[int, int] | None = None,
) -> None:
    """Write an image in grey, orange where its map is high, with a box around the largest region.

    Args:
        path: the PNG file.
        image: float32 ``[C, H, W]`` in [0, 1].
        heat: float32 ``[H, W]``.
        scale: map values drawn as nothing and at full strength, the same for all images.
        region: the largest region in pixels of the image, or None.
        size: width and height whose aspect ratio the picture has; None: those of the image.
    """
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
    _save(picture, path)


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask ``[H, W]`` as a PNG file, 255 where it is marked."""
    _save(Image.fromarray(mask.astype(np.uint8) * 255), path)


def write_map(path: Path, values: NDArray[np.float32], dtype: MapType) -> None:
    """Write a map ``[H, W]`` as a TIFF file with numbers of 16 or 32 bits."""
    import tifffile

    if dtype == "float16":
        values = values.clip(*(np.finfo(np.float16).min, np.finfo(np.float16).max))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        tifffile.imwrite(temporary, values.astype(dtype), compression=None)


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def _shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size with the same aspect ratio that is neither very small nor very large."""
    larger = max(1.0, _SMALLEST / min(size))
    factor = min(larger, _LARGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))

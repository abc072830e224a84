"""Crops of brick, grass, gravel or stained tissue, of any size: photographs from scikit-image.

The photographs are 512 x 512 and come with scikit-image,
https://scikit-image.org/docs/stable/api/skimage.data.html: brick and gravel from cc0textures.com,
grass by "linolafett", all CC0; ihc (immunohistochemical staining, in colour) from the Center for
Microscopy and Molecular Imaging, without known restrictions.

Each photograph is divided into a grid of crops that do not overlap. The upper rows of crops are for
training, the lower rows for testing.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.errors import InputError
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.images import Dataset, ImageSet

__all__ = ["Textures"]

_SIDE = 512
_TRAIN_SHARE = 0.7  # of the rows of crops
_INSTALL = "pip install 'anomalist[textures]'"


class Textures(DatasetConfig):
    """Crops of textures, uint8 ``[N, C, side, side]``, C = 1, or 3 for ihc; one class per texture.

    The upper 70 % of each photograph's rows of crops are the training split (rounded, at least one
    row in each split), the others the test split. Side 32 gives 176 and 80 crops per texture, side
    64 gives 48 and 16.
    """

    licence: ClassVar[str] = "CC0 (ihc: no known restrictions)"
    size: ClassVar[str] = "256 crops per texture"
    shape: ClassVar[str] = "1 x side x side"
    home: ClassVar[str] = "https://scikit-image.org/docs/stable/api/skimage.data.html"

    texture: tuple[Literal["brick", "grass", "gravel", "ihc"], ...] = Field(
        ("brick", "grass", "gravel"),
        min_length=1,
        description="textures: brick, grass, gravel or ihc; each is a class",
    )
    side: int = Field(
        32,
        ge=8,
        le=256,
        description="height and width of a crop, in pixels",
    )

    def load(self) -> Dataset:
        """Return the crops.

        Raises:
            InputError: scikit-image is not installed, a texture is given twice, or grey and colour
                textures are mixed.
        """
        status = self.status()
        if status.state != "ready":
            raise InputError(
                f"textures: the photographs are in scikit-image, which is not installed: {_INSTALL}"
            )
        if len(set(self.texture)) < len(self.texture):
            raise InputError("textures.texture: give each texture only once")
        rows = [_crops(Path(status.detail) / f"{name}.png", self.side) for name in self.texture]
        if len({part.shape[2] for part in rows}) > 1:
            raise InputError(
                "textures.texture: ihc is in colour and the others are grey; use it alone"
            )
        first_test = min(max(1, round(_TRAIN_SHARE * len(rows[0]))), len(rows[0]) - 1)
        train = self._image_set([part[:first_test] for part in rows])
        test = self._image_set([part[first_test:] for part in rows])
        return Dataset(str(self), train, test, f"scikit-image, {status.detail}")

    def status(self) -> Status:
        """Return "ready" if scikit-image is installed, else "fetchable" and the command."""
        spec = find_spec("skimage")
        if spec is None or not spec.submodule_search_locations:
            return Status("fetchable", _INSTALL)
        return Status("ready", str(Path(spec.submodule_search_locations[0]) / "data"))

    def _image_set(self, parts: list[NDArray[np.uint8]]) -> ImageSet:
        images = np.concatenate([part.reshape(-1, *part.shape[2:]) for part in parts])
        labels = np.repeat(np.arange(len(parts)), [part.shape[0] * part.shape[1] for part in parts])
        return ImageSet(images, labels, tuple(self.texture))


def _crops(file: Path, side: int) -> NDArray[np.uint8]:
    """Return the complete crops of a photograph, uint8 ``[rows, columns, C, side, side]``."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            pixels = np.asarray(opened, np.uint8)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error}); reinstall scikit-image") from None
    count = _SIDE // side
    pixels = pixels.reshape(_SIDE, _SIDE, -1)[: count * side, : count * side]
    grid = pixels.reshape(count, side, count, side, -1)
    return np.ascontiguousarray(grid.transpose(0, 2, 4, 1, 3))

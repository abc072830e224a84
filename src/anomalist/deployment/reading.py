"""How a model reads image files: every file becomes an array of the same format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist.core.config import Config
from anomalist.image_files.decode import decode, image_size, open_regular, probe
from anomalist.image_files.frame import DecodeSpec, Frame, frame
from anomalist.images import full_range, unit_range

__all__ = ["ImageFile", "Reading"]

_BITS = {"uint8": 8, "uint16": 16, "float32": 32}
_Side = Annotated[int, Field(ge=1, le=8192)]


class ImageFile(NamedTuple):
    """An image that was read from a file.

    Attributes:
        image: uint8, uint16 or float32 ``[C, H, W]``; see :meth:`Reading.to_float`.
        size: width and height of the file's image, after its EXIF rotation.
        frame: the part of it that was used, and its place in ``image``.
    """

    image: NDArray[np.generic]
    size: tuple[int, int]
    frame: Frame


class Reading(Config):
    """The format of the images of a model."""

    size: tuple[_Side, _Side] | None = Field(
        description="height and width after resizing; None: the size of the file"
    )
    resize_mode: Literal["stretch", "pad", "mirror", "crop"] = "stretch"
    channels: Literal[1, 3]
    dtype: Literal["uint8", "uint16", "float32"]
    intensity: tuple[float, float] | None = Field(
        None, description="values of black and white; None: those of the file's type"
    )

    @property
    def value_range(self) -> tuple[float, float]:
        """The stored values of black and white."""
        return full_range(np.dtype(self.dtype)) if self.intensity is None else self.intensity

    def read(self, path: str | Path) -> ImageFile:
        """Return the image in a file.

        Raises:
            Exception: of any kind if the file cannot be read; see
                :func:`anomalist.image_files.decode.reason`.
        """
        path = Path(path)
        with open_regular(path) as file:
            return self.decode(file, path.name)

    def decode(self, file: BinaryIO, name: str) -> ImageFile:
        """Return the image in an open file.

        Args:
            file: open for reading, at its beginning.
            name: name of the file; its ending identifies DICOM and FITS.

        Raises:
            Exception: of any kind, as for :meth:`read`.
        """
        target = self.size
        if target is None:
            width, height = image_size(file, name)
            target = (height, width)
            file.seek(0)
        _, depth, _ = probe(file, name)
        file.seek(0)
        # A file with more bits than those of the fit is read as float and rounded.
        deeper = depth > _BITS[self.dtype]
        dtype = "float32" if deeper else self.dtype
        spec = DecodeSpec(target, self.resize_mode, self.intensity, self.channels == 3, dtype)
        image, size = decode(file, name, spec)
        if deeper:
            image = self._rounded(image)
        if image.dtype == np.float32 and not np.isfinite(image).all():
            raise ValueError("contains NaN or infinite values")
        return ImageFile(image, size, frame(size, spec))

    def _rounded(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a float image in the model's type of integers."""
        most = np.iinfo(self.dtype).max
        scale = most if self.intensity is None else 1
        values = image.astype(np.float32) * np.float32(scale)
        rounded: NDArray[np.generic] = np.rint(values).clip(0, most).astype(self.dtype)
        return rounded

    def to_float(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return images as float32 in [0, 1]."""
        return unit_range(images, self.intensity)

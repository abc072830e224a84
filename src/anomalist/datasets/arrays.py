"""Your own arrays: .npy, .npz, HDF5 or a folder of .npy files, memory-mapped if possible.

Images are ``[N, H, W]``, ``[N, H, W, C]`` or, with ``channels=first``, ``[N, C, H, W]``, of any
real numbers. The options ``low`` and ``high`` set the values of black and white once for all
images. They are never computed per image, because scaling each image by its own values would hide
anomalies of intensity. Labels are one integer, boolean (true is an anomaly) or text per image.
Masks are ``[N, H, W]``; pixels that are true or not 0 are marked. Nothing is ever unpickled.

uint8, uint16 and float32 arrays are used in place. Other types are scaled to [0, 1] by ``low`` and
``high`` in float64 and stored as float32 in memory, so that small ranges far from 0 keep their
resolution.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from anomalist.core.errors import InputError
from anomalist.core.npy import Readers, check_bytes, read_npy, read_npz
from anomalist.datasets._array_values import (
    check_labels,
    check_masks,
    class_index,
    class_names,
    is_finite,
    unit_range,
)
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._hdf5 import read_hdf5
from anomalist.images import Dataset, ImageSet

__all__ = ["Arrays"]

_HDF5 = (".h5", ".hdf5", ".hdf")
_EXACT = 1 << 53  # integers up to this are exact as float64
_MOST_CHANNELS = 4  # a longer last axis is unlikely to be channels if the second axis is shorter
# A split's "images", "labels" and "masks", as they are stored.
_Raw = dict[str, NDArray[Any] | None]


class Arrays(DatasetConfig):
    """Arrays in one file, or in one folder of .npy files.

    In the names of arrays ``{split}`` stands for "train" and "test". If the name of the images has
    no ``{split}``, and for a single .npy file, the last images of the file are the test split. The
    default names of labels and masks are then "labels" and "masks".
    """

    licence: ClassVar[str] = "yours"
    size: ClassVar[str] = "yours"
    shape: ClassVar[str] = "any"
    home: ClassVar[str] = "your own files"
    own: ClassVar[bool] = True

    path: Path | None = Field(
        None, description="a .npy, .npz, .h5 or .hdf5 file, or a folder of .npy files"
    )
    images: str = Field(
        "{split}_images", description="name of the images; {split} stands for train and test"
    )
    labels: str = Field("{split}_labels", description="name of the labels, used if they exist")
    masks: str = Field("{split}_masks", description="name of the masks, used if they exist")
    channels: Literal["first", "last"] = Field(
        "last",
        description="axis of the channels in four-dimensional images; required if the second and "
        "the last axis are both possible",
    )
    low: float | None = Field(None, description="value of black; required except for uint8")
    high: float | None = Field(None, description="value of white; required except for uint8")
    test_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="fraction of the images, the last ones, for testing if the file is not split",
    )

    @model_validator(mode="after")
    def _one_range(self) -> Self:
        is_half_given = (self.low is None) != (self.high is None)
        if is_half_given or (self.low or 0) >= (1 if self.high is None else self.high):
            raise InputError(
                f"arrays: give low and high, low < high; got low={self.low}, high={self.high}"
            )
        if max(abs(self.low or 0), abs(self.high or 0)) > _EXACT:
            raise InputError(
                "arrays: low and high exceed 2^53, where floats are rounded; subtract a constant "
                "from all values"
            )
        return self

    def load(self) -> Dataset:
        """Return the arrays as a data set.

        Raises:
            InputError: no path, no such file or array, arrays of different shapes, values that are
                not numbers, or missing ``low`` and ``high``.
        """
        if self.path is None:
            raise InputError(
                "arrays.path is missing: give a file or folder, as in arrays:path=images.npz"
            )
        try:
            raw = self._raw(self.path, _readers(self.path))
        except OSError as error:
            raise InputError(f"arrays.path: {self.path} cannot be read: {error.strerror}") from None
        names = class_names([part["labels"] for part in raw], [part["masks"] for part in raw])
        train = self._image_set(raw[0], names, train=True)
        test = self._image_set(raw[1], names, train=False)
        one = " x ".join(map(str, train.images.shape[1:]))
        other = " x ".join(map(str, test.images.shape[1:]))
        if one != other:
            raise InputError(
                f"{self.path}: training images are {one}, test images are {other}; give both the "
                "same shape"
            )
        return Dataset(str(self), train, test, str(self.path))

    def status(self) -> Status:
        """Return "ready" if ``path`` exists, else "manual"."""
        if self.path is None:
            return Status("manual", "any location; give it as arrays:path=FILE")
        return Status("ready" if self.path.exists() else "manual", str(self.path))

    def _raw(self, path: Path, readers: Readers) -> tuple[_Raw, _Raw]:
        if path.suffix == ".npy" or "{split}" not in self.images:
            whole = self._split(path, readers, "", lone=path.suffix == ".npy")
            images = whole["images"]
            assert images is not None
            count = len(images) - max(1, round(self.test_share * len(images)))
            if count < 1:
                raise InputError(
                    f"arrays: {path} contains {len(images)} images; at least two are needed, one "
                    "of them for testing"
                )
            return (
                {key: None if value is None else value[:count] for key, value in whole.items()},
                {key: None if value is None else value[count:] for key, value in whole.items()},
            )
        return self._split(path, readers, "train"), self._split(path, readers, "test")

    def _split(
        self,
        path: Path,
        readers: Readers,
        split: str,
        lone: bool = False,
    ) -> _Raw:
        """Return a split's arrays, checked against each other."""
        if lone:
            arrays: _Raw = {"images": readers[""](), "labels": None, "masks": None}
        else:
            arrays = {
                what: self._read(path, readers, what, split)
                for what in ("images", "labels", "masks")
            }
        images = arrays["images"]
        assert images is not None
        images = self._with_channels(path, images)
        return {
            "images": images,
            "labels": check_labels(path, arrays["labels"], len(images)),
            "masks": check_masks(path, arrays["masks"], (len(images), *images.shape[2:])),
        }

    def _read(
        self,
        path: Path,
        readers: Readers,
        what: str,
        split: str,
    ) -> NDArray[Any] | None:
        name = getattr(self, what).replace("{split}", split)
        name = name if split else name.strip("_/")
        if name in readers:
            return readers[name]()
        if what == "images" or what in self.model_fields_set:
            there = ", ".join(sorted(readers)[:20]) or "none"
            raise InputError(
                f"arrays.{what}: {path} has no array {name!r}; it has: {there}; set {what}=NAME"
            )
        return None

    def _with_channels(self, path: Path, images: NDArray[Any]) -> NDArray[Any]:
        """Return the images as ``[N, C, H, W]``."""
        if images.dtype.kind not in "biuf" or images.ndim not in (3, 4) or images.size == 0:
            got = f"{images.dtype} {list(images.shape)}"
            raise InputError(
                f"{path}: images must be real numbers [N, H, W] or [N, H, W, C], got {got}"
            )
        if images.ndim == 3:
            return images[:, None]
        is_said = "channels" in self.model_fields_set
        if not is_said and images.shape[1] <= _MOST_CHANNELS < images.shape[3]:
            raise InputError(
                f"{path}: images {list(images.shape)} seem to have channels first: set "
                f"channels=first, or channels=last if they have {images.shape[3]} channels"
            )
        return images if self.channels == "first" else np.moveaxis(images, 3, 1)

    def _image_set(
        self,
        part: _Raw,
        names: tuple[str, ...],
        *,
        train: bool,
    ) -> ImageSet:
        images = part["images"]
        labels = part["labels"]
        masks = part["masks"]
        assert images is not None
        low, high = self._value_range(images)
        if images.dtype not in (np.uint8, np.uint16, np.float32):
            check_bytes(4 * images.size, f"{self.path}: images of {images.dtype}, as float32,")
            images = unit_range(images, low, high)
            low = 0.0
            high = 1.0
        if images.dtype == np.float32 and not is_finite(images):
            raise InputError(
                f"{self.path}: images contain NaN, or values that are not finite as float32; "
                "repair them"
            )
        if train and self.low is not None:
            self._check_range(part["images"])
        if masks is not None and masks.dtype != np.bool_:
            check_bytes(masks.size, f"{self.path}: masks")
            masks = masks != 0
        numbers: NDArray[np.int64]
        if labels is not None:
            numbers = class_index(labels, names)
        elif masks is not None:
            numbers = np.asarray(masks.any(axis=(1, 2)), np.int64)
        else:
            numbers = np.zeros(len(images), np.int64)
        return ImageSet(images, numbers, names, masks, (low, high))

    def _check_range(self, images: NDArray[Any] | None) -> None:
        """Check that training values are not all beyond one end of the range (black or white)."""
        assert images is not None
        low, high = self._value_range(images)
        least = float(images.min())
        most = float(images.max())
        if least > high or most < low:
            raise InputError(
                f"arrays: {self.path} contains values from {least:.12g} to {most:.12g}, none of "
                f"them between low={low:.12g} and high={high:.12g}: set low and high to the values "
                "of black and white"
            )

    def _value_range(self, images: NDArray[Any]) -> tuple[float, float]:
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if images.dtype == np.uint8:
            return 0.0, 255.0
        low = float(images.min())
        high = float(images.max())
        raise InputError(
            f"arrays: {self.path} contains {images.dtype} from {low:g} to {high:g}; set the values "
            "of black and white for all images: low=…,high=…"
        )


def _readers(path: Path) -> Readers:
    path.stat()  # raises OSError if it does not exist
    if path.is_dir():
        return {file.stem: partial(read_npy, file) for file in sorted(path.glob("*.npy"))}
    if path.suffix == ".npy":
        return {"": partial(read_npy, path)}
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix.lower() in _HDF5:
        return read_hdf5(path)
    raise InputError(
        f"arrays.path: {path} is not a .npy, .npz, .h5 or .hdf5 file or a folder of .npy files"
    )

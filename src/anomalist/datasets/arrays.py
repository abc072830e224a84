"""Your own arrays: .npy, .npz, HDF5 or a folder of .npy files, memory-mapped where they can be.

Images are ``[N, H, W]``, ``[N, H, W, C]`` or, with ``channels=first``, ``[N, C, H, W]``, of any
real numbers; which values stand for black and white is said once for all images (``low`` and
``high``), never taken from an image, since scaling each by its own values would hide anomalies of
intensity. Labels are one integer, truth value (true is an anomaly) or text an image; masks are
``[N, H, W]``, true or not 0 where a pixel is marked. Nothing is ever unpickled.

uint8, uint16 and float32 are used where they lie; other types are brought to [0, 1] by ``low`` and
``high`` in float64 and become float32 in memory, so that a small range far from 0 keeps its steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from anomalist.dataset import DatasetConfig, Status
from anomalist.datasets._hdf5 import read_hdf5
from anomalist.datasets._npy import Readers, check_bytes, read_npy, read_npz
from anomalist.errors import InputError
from anomalist.images import Dataset, ImageSet

__all__ = ["Arrays"]

_HDF5 = (".h5", ".hdf5", ".hdf")
_CHUNK = 1 << 24  # values looked at together
_EXACT = 1 << 53  # whole numbers up to it are the same as floats
_MOST_CHANNELS = (
    4  # a last axis that is longer, behind a second one that is not, is hardly one of channels
)
_Raw = dict[
    str, NDArray[Any] | None
]  # "images", "labels" and "masks" of a split, as they are stored


class Arrays(DatasetConfig):
    """Arrays that lie in one file, or in one folder of .npy files.

    In the names of arrays ``{split}`` stands for "train" and "test". Where the name of the images
    has no ``{split}``, and for a single .npy file, the last images, in the order of the file, are
    the test split; labels and masks are then "labels" and "masks" unless named.
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
        "{split}_images", description="name of the images; {split} becomes train and test"
    )
    labels: str = Field(
        "{split}_labels", description="name of the labels, used where there are any"
    )
    masks: str = Field("{split}_masks", description="name of the masks, used where there are any")
    channels: Literal["first", "last"] = Field(
        "last",
        description="where four-dimensional images have channels; must be said where both ends "
        "could be",
    )
    low: float | None = Field(None, description="the value that stands for 0; needed but for uint8")
    high: float | None = Field(
        None, description="the value that stands for 1; needed but for uint8"
    )
    test_share: float = Field(
        0.2, gt=0, lt=1, description="share of the last images to test, of images not split"
    )

    @model_validator(mode="after")
    def _one_range(self) -> Self:
        if (self.low is None) != (self.high is None) or (self.low or 0) >= (
            1 if self.high is None else self.high
        ):
            raise InputError(
                f"arrays: give low and high, low < high; got low={self.low}, high={self.high}"
            )
        if max(abs(self.low or 0), abs(self.high or 0)) > _EXACT:
            raise InputError(
                "arrays: low and high lie beyond 2^53, where floats are rounded; subtract a number "
                "from all values"
            )
        return self

    def load(self) -> Dataset:
        """Return the arrays as a data set.

        Raises:
            InputError: no path, no such file or array, arrays that do not fit each other, values
                that are not numbers, or no ``low`` and ``high`` where they are needed.
        """
        if self.path is None:
            raise InputError(
                "arrays.path is missing: name a file or folder, as in arrays:path=images.npz"
            )
        try:
            raw = self._raw(self.path, _readers(self.path))
        except OSError as error:
            raise InputError(f"arrays.path: {self.path} cannot be read: {error.strerror}") from None
        kinds = _kinds([part["labels"] for part in raw], [part["masks"] for part in raw])
        train, test = (self._image_set(part, kinds, train=part is raw[0]) for part in raw)
        one, other = (" x ".join(map(str, part.images.shape[1:])) for part in (train, test))
        if one != other:
            raise InputError(
                f"{self.path}: training images are {one}, test images are {other}; make them alike"
            )
        return Dataset(str(self), train, test, str(self.path))

    def status(self) -> Status:
        """Return "ready" where ``path`` exists, else "put here"."""
        if self.path is None:
            return Status("put here", "anywhere; then name it: arrays:path=FILE")
        return Status("ready" if self.path.exists() else "put here", str(self.path))

    def _raw(self, path: Path, readers: Readers) -> tuple[_Raw, _Raw]:
        if path.suffix == ".npy" or "{split}" not in self.images:
            whole = self._split(path, readers, "", lone=path.suffix == ".npy")
            images = whole["images"]
            assert images is not None
            count = len(images) - max(1, round(self.test_share * len(images)))
            if count < 1:
                raise InputError(
                    f"arrays: {path} holds {len(images)} images; two are needed, one of them to "
                    "test"
                )
            return (
                {key: None if value is None else value[:count] for key, value in whole.items()},
                {key: None if value is None else value[count:] for key, value in whole.items()},
            )
        return self._split(path, readers, "train"), self._split(path, readers, "test")

    def _split(self, path: Path, readers: Readers, split: str, lone: bool = False) -> _Raw:
        """Return a split's arrays, checked against each other."""
        if lone:
            found: _Raw = {"images": readers[""](), "labels": None, "masks": None}
        else:
            found = {
                what: self._read(path, readers, what, split)
                for what in ("images", "labels", "masks")
            }
        images, labels, masks = found["images"], found["labels"], found["masks"]
        assert images is not None
        found["images"] = images = self._with_channels(path, images)
        if labels is not None:
            if (
                labels.shape not in ((len(images),), (len(images), 1))
                or labels.dtype.kind not in "iubUS"
            ):
                got = f"{labels.dtype} {list(labels.shape)}"
                raise InputError(
                    f"{path}: labels must be integers, truth values or text [{len(images)}], one "
                    f"an image, got {got}"
                )
            check_bytes(labels.nbytes, f"{path}: labels")
            found["labels"] = labels.reshape(-1)
        wanted = (len(images), *images.shape[2:])
        if masks is not None and (
            masks.shape not in (wanted, (*wanted, 1)) or masks.dtype.kind not in "iubf"
        ):
            got = f"{masks.dtype} {list(masks.shape)}"
            raise InputError(f"{path}: masks must be {list(wanted)}, as the images are, got {got}")
        found["masks"] = None if masks is None else masks.reshape(wanted)
        return found

    def _read(self, path: Path, readers: Readers, what: str, split: str) -> NDArray[Any] | None:
        name = getattr(self, what).replace("{split}", split)
        name = name if split else name.strip("_/")
        if name in readers:
            return readers[name]()
        if what == "images" or what in self.model_fields_set:
            there = ", ".join(sorted(readers)[:20]) or "none"
            raise InputError(
                f"arrays.{what}: {path} has no array {name!r}; it has: {there}; say {what}=NAME"
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
        if (
            "channels" not in self.model_fields_set
            and images.shape[1] <= _MOST_CHANNELS < images.shape[3]
        ):
            raise InputError(
                f"{path}: images {list(images.shape)} look as if channels came first: say "
                "channels=first, or "
                f"channels=last if each has {images.shape[3]} channels"
            )
        return images if self.channels == "first" else np.moveaxis(images, 3, 1)

    def _image_set(self, part: _Raw, kinds: tuple[str, ...], *, train: bool) -> ImageSet:
        images, labels, masks = part["images"], part["labels"], part["masks"]
        assert images is not None
        low, high = self._value_range(images)
        if images.dtype not in (np.uint8, np.uint16, np.float32):
            check_bytes(4 * images.size, f"{self.path}: images of {images.dtype}, as float32,")
            images, low, high = _unit_range(images, low, high), 0.0, 1.0
        if images.dtype == np.float32 and not _finite(images):
            raise InputError(
                f"{self.path}: images hold NaN, or values that are not finite as float32; repair "
                "them"
            )
        if train and self.low is not None:
            self._check_range(part["images"])
        if masks is not None and masks.dtype != np.bool_:
            check_bytes(masks.size, f"{self.path}: masks")
            masks = masks != 0
        numbers: NDArray[np.int64]
        if labels is not None:
            numbers = _numbers(labels, kinds)
        elif masks is not None:
            numbers = np.asarray(masks.any(axis=(1, 2)), np.int64)
        else:
            numbers = np.zeros(len(images), np.int64)
        return ImageSet(images, numbers, kinds, masks, (low, high))

    def _check_range(self, images: NDArray[Any] | None) -> None:
        """Refuse training values that all lie beyond one end of the range: every image would be black, or white."""
        assert images is not None
        low, high = self._value_range(images)
        least, most = float(images.min()), float(images.max())
        if least > high or most < low:
            raise InputError(
                f"arrays: {self.path} holds values from {least:.12g} to {most:.12g}, none of which "
                "lies between "
                f"low={low:.12g} and high={high:.12g}: say which values stand for black and white"
            )

    def _value_range(self, images: NDArray[Any]) -> tuple[float, float]:
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if images.dtype == np.uint8:
            return 0.0, 255.0
        low, high = float(images.min()), float(images.max())
        raise InputError(
            f"arrays: {self.path} holds {images.dtype} from {low:g} to {high:g}; say which values "
            "stand for black and "
            "white, once for all images: low=…,high=…"
        )


def _unit_range(images: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Return images of any type as float32 in which 0 stands for ``low`` and 1 for ``high``."""
    scaled = np.empty(images.shape, np.float32)
    rows = max(1, _CHUNK // max(1, images[0].size))
    # float64 would round whole numbers beyond 2^53.
    exact = images.dtype.kind in "iu" and images.dtype.itemsize == 8
    wide = np.dtype(np.longdouble if exact else np.float64)
    for start in range(0, len(images), rows):
        offset = images[start : start + rows].astype(wide) - low
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # what is not finite is refused by the caller
            scaled[start : start + rows] = (offset / (high - low)).astype(np.float32)
    return scaled


def _readers(path: Path) -> Readers:
    path.stat()  # it may not be there at all
    if path.is_dir():
        return {file.stem: lambda file=file: read_npy(file) for file in sorted(path.glob("*.npy"))}  # type: ignore[misc]
    if path.suffix == ".npy":
        return {"": lambda: read_npy(path)}
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix.lower() in _HDF5:
        return read_hdf5(path)
    raise InputError(
        f"arrays.path: {path} is no .npy, .npz, .h5 or .hdf5 file, nor a folder of .npy files"
    )


def _kinds(labels: list[NDArray[Any] | None], masks: list[NDArray[Any] | None]) -> tuple[str, ...]:
    """Return the kinds of both splits together: "good" first, then by value."""
    given = [part for part in labels if part is not None]
    if not given:
        return ("good",) if all(part is None for part in masks) else ("good", "anomaly")
    if len(given) < len(labels) or len({part.dtype.kind.replace("u", "i") for part in given}) > 1:
        raise InputError("arrays.labels: both splits need labels, of one type")
    if given[0].dtype.kind == "b":
        return ("good", "anomaly")
    values = np.unique(np.concatenate([np.unique(part) for part in given]))
    texts = _texts(values)
    return tuple(
        sorted(texts, key=lambda text: text != "good")
    )  # which keeps the order of the others


def _numbers(labels: NDArray[Any], kinds: tuple[str, ...]) -> NDArray[np.int64]:
    if labels.dtype.kind == "b":
        return labels.astype(np.int64)
    values, places = np.unique(labels, return_inverse=True)
    found = {kind: number for number, kind in enumerate(kinds)}
    numbers = np.array([found[text] for text in _texts(values)], np.int64)
    return np.take(numbers, places)


def _texts(values: NDArray[Any]) -> list[str]:
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in values.tolist()
    ]


def _finite(images: NDArray[Any]) -> bool:
    rows = max(1, _CHUNK // max(1, images[0].size))
    return all(
        bool(np.isfinite(images[start : start + rows]).all())
        for start in range(0, len(images), rows)
    )

"""Sets of images as arrays, with the conversion to float32 in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = ["Dataset", "ImageSet", "check_images", "check_resolution", "full_range", "unit_range"]

_DTYPES = (np.uint8, np.uint16, np.float32)


@dataclass(frozen=True, init=False)
class ImageSet:
    """A set of images of one size, as arrays.

    Attributes:
        images: uint8, uint16 or float32 ``[N, C, H, W]``; may be memory-mapped.
        class_index: int64 ``[N]``, the class of each image, an index into ``class_names``.
        class_names: the names of the classes: a digit, a type of defect.
        masks: bool ``[N, H, W]``, the marked pixels; None without masks.
        value_range: the values that become 0 and 1; by default the dtype's range (float32: 0, 1).
        index: int64 ``[N]``, the number of each image in its data set; by default 0, 1, 2, …
            Selections keep it, and it seeds the random draws of the image.
        files: text ``[N]``, the file of each image; None if images do not come from single files.
    """

    images: NDArray[np.generic]
    class_index: NDArray[np.int64]
    class_names: tuple[str, ...]
    masks: NDArray[np.bool_] | None
    value_range: tuple[float, float]
    index: NDArray[np.int64]
    files: NDArray[np.str_] | None

    def __init__(
        self,
        images: NDArray[np.generic],
        class_index: NDArray[np.int64],
        class_names: tuple[str, ...],
        masks: NDArray[np.bool_] | None = None,
        value_range: tuple[float, float] | None = None,
        index: NDArray[np.int64] | None = None,
        files: NDArray[np.str_] | None = None,
    ) -> None:
        fields = {
            "images": images,
            "class_index": class_index,
            "class_names": class_names,
            "masks": masks,
            "value_range": full_range(images.dtype) if value_range is None else value_range,
            "index": np.arange(len(images)) if index is None else index,
            "files": files,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        self._check_arrays()
        self._check_range()

    def _check_arrays(self) -> None:
        n = len(self.images)
        if self.images.ndim != 4 or self.images.dtype not in _DTYPES:
            got = f"{self.images.dtype} {list(self.images.shape)}"
            raise InputError(f"images must be uint8, uint16 or float32 [N, C, H, W], got {got}")
        for name in ("class_index", "index", "files"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                shape = list(values.shape)
                raise InputError(f"{name} must be [{n}], one per image, got {shape}")
        last = len(self.class_names) - 1
        if n and not 0 <= self.class_index.min() <= self.class_index.max() <= last:
            raise InputError(f"class_index must lie in 0..{last}: class_names has {last + 1} names")
        if self.masks is not None and self.masks.shape != (n, *self.images.shape[2:]):
            expected = [n, *self.images.shape[2:]]
            raise InputError(f"masks must be {expected}, got {list(self.masks.shape)}")

    def _check_range(self) -> None:
        low, high = self.value_range
        if not low < high:
            raise InputError(f"value_range must be (low, high) with low < high, got {(low, high)}")
        check_resolution(self.images.dtype, low, high)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[np.int64]) -> ImageSet:
        """Return the images at the positions ``rows``, in that order."""
        return ImageSet(
            self.images[rows],
            self.class_index[rows],
            self.class_names,
            None if self.masks is None else self.masks[rows],
            self.value_range,
            self.index[rows],
            None if self.files is None else self.files[rows],
        )

    def to_float(self) -> NDArray[np.float32]:
        """Return the images as float32 in [0, 1]; values outside ``value_range`` are clipped."""
        return unit_range(self.images, self.value_range)


@dataclass(frozen=True)
class Dataset:
    """A data set as its authors split it.

    Attributes:
        name: the spec that loads the data set: its name with options.
        train: the official training split.
        test: the official test split.
        provenance: description of the source of the files.
    """

    name: str
    train: ImageSet
    test: ImageSet
    provenance: str


def unit_range(
    images: NDArray[Any],
    value_range: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """Return images as float32 in [0, 1]; values outside ``value_range`` are clipped.

    Args:
        images: uint8, uint16 or float32, any shape.
        value_range: the values that become 0 and 1; by default the dtype's range (float32: 0, 1).
    """
    low, high = full_range(images.dtype) if value_range is None else value_range
    if images.dtype == np.float32 and (low, high) == (0.0, 1.0):
        unchanged: NDArray[np.float32] = np.clip(images, 0, 1)
        return unchanged
    scaled = images.astype(np.float32)
    scaled -= np.float32(low)
    scaled /= np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled)


def check_resolution(dtype: np.dtype[Any], low: float, high: float) -> None:
    """Check that ``dtype`` resolves a range into at least 255 steps.

    For example, float32 near 1e9 has steps of 64: images with values from 1e9 to 1e9 + 100 would
    become constant.

    Raises:
        InputError: the steps are too large.
    """
    if dtype != np.float32:
        return
    step = np.spacing(np.float32(max(abs(low), abs(high))))
    if step > (high - low) / 255:
        raise InputError(
            f"values from {low:.12g} to {high:.12g} are too close together for float32: "
            f"subtract {low:.12g} from them"
        )


def check_images(images: NDArray[np.float32], caller: str) -> None:
    """Check that ``images`` are float32 ``[N, C, H, W]``, finite and in [0, 1].

    Args:
        images: the images to check.
        caller: name of the calling function, for the message.

    Raises:
        InputError: a check fails.
    """
    wanted = f"{caller} takes float32 images [N, C, H, W] in [0, 1]"
    if not isinstance(images, np.ndarray):
        raise InputError(f"{wanted}, got {type(images).__name__}; see ImageSet.to_float")
    if images.dtype != np.float32 or images.ndim != 4:
        got = f"{images.dtype} {list(images.shape)}"
        raise InputError(f"{wanted}, got {got}; see ImageSet.to_float")
    if images.size == 0:
        raise InputError(f"{caller} got no images: shape {list(images.shape)}")
    low = float(images.min())
    high = float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{caller} got images with NaN or infinite values; remove or repair them")
    if low < 0 or high > 1:
        raise InputError(
            f"{caller} takes images in [0, 1], got values in [{low:g}, {high:g}]; "
            "see ImageSet.to_float"
        )


def full_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the default value range of a dtype."""
    if dtype == np.float32:
        return 0.0, 1.0
    return 0.0, 2.0 ** (8 * dtype.itemsize) - 1

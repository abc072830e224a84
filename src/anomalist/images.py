"""ImageSet: images as plain arrays, with the one converter to float32 in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.errors import InputError

__all__ = ["Dataset", "ImageSet", "check_images", "check_steps"]

_DTYPES = (np.uint8, np.uint16, np.float32)


@dataclass(frozen=True)
class ImageSet:
    """A set of images of one size, held in arrays; it knows nothing of anomalies, models or files.

    Attributes:
        images: uint8, uint16 or float32 ``[N, C, H, W]``; may be memory-mapped.
        labels: int64 ``[N]``, the class of each image, an index into ``kinds``.
        kinds: the names of the classes (a digit, a defect type).
        masks: bool ``[N, H, W]``, the marked pixels, or None where the data set has none.
        value_range: the values that stand for 0 and 1; by default the dtype's own (float32: 0 and
            1).
        index: int64 ``[N]``, the number of each image in its data set: it follows an image through
            every selection and names its random draws.
        files: text ``[N]``, the file that each image was read from, or None where images do not
            come from files of their own.
    """

    images: NDArray[np.generic]
    labels: NDArray[np.int64]
    kinds: tuple[str, ...]
    masks: NDArray[np.bool_] | None = None
    value_range: tuple[float, float] = (0.0, 0.0)
    index: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    files: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        images, n = self.images, len(self.images)
        if images.ndim != 4 or images.dtype not in _DTYPES:
            raise InputError(
                f"images must be uint8, uint16 or float32 [N, C, H, W], got {images.dtype} "
                f"{list(images.shape)}"
            )
        if self.labels.shape != (n,):
            raise InputError(f"labels must be [{n}], one an image, got {list(self.labels.shape)}")
        if n and not 0 <= self.labels.min() <= self.labels.max() < len(self.kinds):
            raise InputError(
                f"labels must lie in 0..{len(self.kinds) - 1}, the number of kinds less one"
            )
        if self.masks is not None and self.masks.shape != (n, *images.shape[2:]):
            raise InputError(
                f"masks must be {[n, *images.shape[2:]]}, got {list(self.masks.shape)}"
            )
        if self.value_range == (0.0, 0.0):
            high = 1.0 if images.dtype == np.float32 else 2.0 ** (8 * images.dtype.itemsize) - 1
            object.__setattr__(self, "value_range", (0.0, high))
        if not self.value_range[0] < self.value_range[1]:
            raise InputError(
                f"value_range must be (low, high) with low < high, got {self.value_range}"
            )
        check_steps(images.dtype, *self.value_range)
        if len(self.index) == 0:
            object.__setattr__(self, "index", np.arange(n))
        if self.index.shape != (n,):
            raise InputError(f"index must be [{n}], one an image, got {list(self.index.shape)}")
        if self.files is not None and self.files.shape != (n,):
            raise InputError(f"files must be [{n}], one an image, got {list(self.files.shape)}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[np.int64]) -> ImageSet:
        """Return the images at the positions ``rows``, in that order."""
        masks = None if self.masks is None else self.masks[rows]
        files = None if self.files is None else self.files[rows]
        images, labels, index = self.images[rows], self.labels[rows], self.index[rows]
        return ImageSet(images, labels, self.kinds, masks, self.value_range, index, files)

    def to_float(self) -> NDArray[np.float32]:
        """Return the images as float32 in [0, 1]; values outside ``value_range`` are clipped."""
        low, high = self.value_range
        if self.images.dtype == np.float32 and (low, high) == (0.0, 1.0):
            return np.clip(self.images, 0, 1)
        scaled = self.images.astype(np.float32)
        scaled -= np.float32(low)
        scaled /= np.float32(high - low)
        return np.clip(scaled, 0, 1, out=scaled)


@dataclass(frozen=True)
class Dataset:
    """A data set as its authors split it.

    Attributes:
        name: the text that loads it again: its file's name in ``datasets/``, with the options that
            are not defaults.
        train: the official training split.
        test: the official test split.
        source: where the files came from, in words for the reader.
    """

    name: str
    train: ImageSet
    test: ImageSet
    source: str


def check_steps(dtype: np.dtype[Any], low: float, high: float) -> None:
    """Refuse a range that ``dtype`` divides into fewer than 255 steps.

    float32 near 1e9 has steps of 64: images with values from 1e9 to 1e9 + 100 would become
    constant.

    Raises:
        InputError: the steps are too wide.
    """
    if (
        dtype == np.float32
        and np.spacing(np.float32(max(abs(low), abs(high)))) > (high - low) / 255
    ):
        raise InputError(
            f"values from {low:.12g} to {high:.12g} lie too close together for float32: subtract "
            f"{low:.12g} from them"
        )


def check_images(images: NDArray[np.float32], who: str) -> None:
    """Check that ``images`` are float32 ``[N, C, H, W]``, finite and in [0, 1].

    Args:
        images: what was given.
        who: who asks, for the message.

    Raises:
        InputError: they are not.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.float32 or images.ndim != 4:
        got = (
            f"{images.dtype} {list(images.shape)}"
            if isinstance(images, np.ndarray)
            else type(images).__name__
        )
        raise InputError(
            f"{who} takes float32 images [N, C, H, W] in [0, 1], got {got}; see ImageSet.to_float"
        )
    if images.size == 0:
        raise InputError(f"{who} got no images: shape {list(images.shape)}")
    low, high = float(images.min()), float(images.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{who} got images with NaN or infinite values; remove or repair them")
    if low < 0 or high > 1:
        raise InputError(
            f"{who} takes images in [0, 1], got values in [{low:g}, {high:g}]; see "
            "ImageSet.to_float"
        )

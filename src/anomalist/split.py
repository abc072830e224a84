"""Split: images with what is known of each, and whether two splits share any."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalist.images import ImageSet

__all__ = ["Split", "count_leaks", "fingerprints", "normal_split"]


@dataclass(frozen=True)
class Split:
    """Images with what is known of each.

    Attributes:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        labels: bool ``[N]``, true for an anomaly.
        source: int64 ``[N]``, the number of the data set's image that it was made from: a clean
            image and its corrupted twin share it, so they are not independent.
        masks: bool ``[N, H, W]``, the anomalous pixels, or None where they are not known.
        left_out: how many would-be anomalies were left out since nothing in them changed.
        known: int8 ``[N]``, what training may know of each image: -1 a known anomaly, 0 nothing;
            None: of all nothing.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.bool_]
    source: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None
    left_out: int = 0
    known: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __add__(self, other: Split) -> Split:
        """Return both test splits' images, these first; images without a mask have no anomalous pixel."""
        masks = None
        if self.masks is not None or other.masks is not None:
            masks = np.concatenate([_masks(self), _masks(other)])
        return Split(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.source, other.source]),
            masks,
            self.left_out + other.left_out,
        )


def normal_split(images: ImageSet) -> Split:
    """Return images, as float32, as normal ones."""
    return Split(images.to_float(), np.zeros(len(images), np.bool_), images.index)


def fingerprints(split: Split) -> list[bytes]:
    """Return a hash of each image's bytes."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in split.images]


def count_leaks(tested: Iterable[bytes], seen: Set[bytes]) -> int:
    """Return how many tested images, by their fingerprints, have been seen."""
    return sum(one in seen for one in tested)


def _masks(split: Split) -> NDArray[np.bool_]:
    if split.masks is not None:
        return split.masks
    n, _, h, w = split.images.shape
    return np.zeros((n, h, w), np.bool_)

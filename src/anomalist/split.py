"""Images with their labels and masks, and the leaks between splits."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalist.images import ImageSet

__all__ = ["Split", "count_leaks", "fingerprints", "normal_split"]


@dataclass(frozen=True)
class Split:
    """Images with their labels, masks and source images.

    Attributes:
        images: float32 ``[N, C, H, W]`` in [0, 1].
        is_anomaly: bool ``[N]``.
        image_index: int64 ``[N]``, index of the source image in the data set. A clean image and its
            corrupted copy share it, so they are not independent.
        masks: bool ``[N, H, W]``, the anomalous pixels; None if unknown.
        excluded: number of corrupted images that were excluded because the corruption did not
            change them.
        train_labels: int8 ``[N]``, labels for training: -1 for a known anomaly, 0 for an unlabelled
            image; None: all unlabelled.
    """

    images: NDArray[np.float32]
    is_anomaly: NDArray[np.bool_]
    image_index: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None
    excluded: int = 0
    train_labels: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __add__(self, other: Split) -> Split:
        """Return the images of both test splits; missing masks become empty masks."""
        masks = None
        if self.masks is not None or other.masks is not None:
            masks = np.concatenate([masks_of(self), masks_of(other)])
        return Split(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.is_anomaly, other.is_anomaly]),
            np.concatenate([self.image_index, other.image_index]),
            masks,
            self.excluded + other.excluded,
        )


def normal_split(images: ImageSet) -> Split:
    """Return a split of normal images, converted to float32."""
    return Split(images.to_float(), np.zeros(len(images), np.bool_), images.index)


def fingerprints(split: Split) -> list[bytes]:
    """Return a hash of each image's bytes."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in split.images]


def count_leaks(split: Split, seen: Set[bytes]) -> int:
    """Return how many images of ``split`` are identical to images seen in training.

    Args:
        split: test images.
        seen: fingerprints of the training and calibration images.
    """
    return sum(fingerprint in seen for fingerprint in fingerprints(split))


def masks_of(split: Split) -> NDArray[np.bool_]:
    """Return the masks ``[N, H, W]``; missing masks become empty masks."""
    if split.masks is not None:
        return split.masks
    n, _, height, width = split.images.shape
    return np.zeros((n, height, width), np.bool_)

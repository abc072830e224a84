"""Images of one data set are normal; images of another data set, resized to match, are anomalies.

Values are scaled to [0, 1] by each data set's own range. Colour is converted to grey by the mean of
the channels, grey to colour by repetition. Pillow's bilinear filter, which includes anti-aliasing,
resizes images to the normal images' height and width without keeping the aspect ratio.

Brightness and contrast alone often distinguish two data sets. With ``matched`` every foreign image
is scaled and shifted until its mean and standard deviation over all values match those of a normal
image: in testing, the normal test image at the same position; in training, the image that it
replaces. Clipping to [0, 1] changes both, so matching is repeated until both are within 0.001, at
most 300 times.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist import datasets
from anomalist.core.errors import InputError
from anomalist.core.randomness import generator
from anomalist.images import Dataset, ImageSet
from anomalist.split import Split
from anomalist.tasks._base import Task, sample

__all__ = ["Foreign"]

_MAX_ROUNDS = 300  # of matching
_TOLERANCE = 1e-3  # of mean and standard deviation


class Foreign(Task):
    """Detect images of another data set, at most as many as normal test images."""

    dataset_fields: ClassVar[tuple[str, ...]] = ("dataset", "foreign")
    contaminant_fields: ClassVar[frozenset[str]] = frozenset({"foreign", "matched"})

    kind: Literal["foreign"] = Field("foreign", description="name of the task")
    foreign: str = Field("digits", description="data set that anomalies come from")
    matched: bool = Field(
        False,
        description="whether to match mean and deviation of anomalies to those of normal images",
    )

    @property
    def label(self) -> str:
        """The foreign data set, and whether it is matched."""
        return f"against {self.foreign}, matched" if self.matched else f"against {self.foreign}"

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return foreign test images: as many as normal ones, or all if there are fewer."""
        other = self._other(dataset).test
        drawn = sample(other, min(len(other), len(normal)), seed, "foreign")
        images = _in_shape(drawn, normal.images.shape[1:])
        if self.matched:
            images = _match(images, normal.images[: len(images)])
        # Indices that no image of the normal data set has.
        highest = max(len(dataset.test), int(normal.image_index.max()))
        return Split(images, np.ones(len(images), np.bool_), drawn.index + 1 + highest)

    def _contaminants(
        self,
        images: NDArray[np.float32],
        image_index: NDArray[np.int64],
        dataset: Dataset,
        seed: int,
    ) -> NDArray[np.float32]:
        other = self._other(dataset).train
        if len(images) > len(other):
            raise InputError(
                f"task.contamination needs {len(images):,} foreign images, there are {len(other):,}"
            )
        order = generator(seed, "contaminants").permutation(len(other))
        drawn = _in_shape(other.take(order[: len(images)]), images.shape[1:])
        return _match(drawn, images) if self.matched else drawn

    def _other(self, dataset: Dataset) -> Dataset:
        if self.foreign == self.dataset:
            raise InputError(
                f"task.foreign: {self.foreign!r} is the normal data set itself; choose another"
            )
        return datasets.load(self.foreign)


def _in_shape(images: ImageSet, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the images as float32 ``[n, *shape]``, where shape is C, H, W."""
    from PIL import Image

    channels, height, width = shape
    values = images.to_float()
    if channels == 1:
        values = values.mean(
            axis=1,
            keepdims=True,
            dtype=np.float32,
        )
    elif values.shape[1] == 1:
        values = np.repeat(values, channels, axis=1)
    elif values.shape[1] != channels:
        raise InputError(
            f"task.foreign: images of {values.shape[1]} channels cannot be converted to "
            f"{channels} channels"
        )
    if values.shape[2:] == (height, width):
        return values
    resized = np.empty((len(values), channels, height, width), np.float32)
    for number, image in enumerate(values):
        for channel, plane in enumerate(image):
            one = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
            resized[number, channel] = np.asarray(one)
    return np.clip(resized, 0, 1, out=resized)


def _match(images: NDArray[np.float32], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the images with the means and standard deviations of the images ``like``."""
    wanted = like.reshape(len(like), -1).astype(np.float64)
    mean = wanted.mean(axis=1)
    spread = wanted.std(axis=1)
    matched = images.reshape(images.shape[0], -1).astype(np.float64)
    rows = np.arange(len(matched))  # images still to be matched, independently of each other
    for _ in range(_MAX_ROUNDS):
        values = matched[rows]
        own_mean = values.mean(axis=1)
        own_spread = values.std(axis=1)
        mean_error = abs(own_mean - mean[rows])
        spread_error = abs(own_spread - spread[rows])
        far = np.maximum(mean_error, spread_error) > _TOLERANCE
        rows = rows[far]
        scale = spread[rows] / np.maximum(own_spread[far], 1e-12)
        scaled = (values[far] - own_mean[far][:, None]) * scale[:, None]
        matched[rows] = np.clip(scaled + mean[rows, None], 0, 1)
    return matched.astype(np.float32).reshape(images.shape)

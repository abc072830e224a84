"""Normal is one data set; an anomaly is an image of another, brought to the first one's size and channels.

The rule: values in [0, 1] by each set's own range; colour becomes grey as the mean of the channels,
grey becomes colour by repetition; then Pillow's bilinear filter, whose support grows when it
shrinks an image, to the normal images' height and width, whatever the aspect ratio. Brightness and
contrast alone often tell two data sets apart. With ``matched`` every foreign image is scaled and
shifted until its mean and standard deviation over all values are those of a normal image: in a
test, the normal test image of the same place; in training, the image that it replaces. Clipping to
[0, 1] moves both, so an image is matched again until they are within 0.001, 300 times at most.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomalist import datasets
from anomalist.errors import InputError
from anomalist.images import Dataset, ImageSet
from anomalist.randomness import generator
from anomalist.split import Split
from anomalist.task import TaskConfig, choose

__all__ = ["Foreign"]

_ROUNDS, _NEAR = 300, 1e-3  # of matching: at most, and how near is near enough


class Foreign(TaskConfig):
    """Tell images of another data set, as many as there are normal test images at most, from test images."""

    DATA: ClassVar[tuple[str, ...]] = ("dataset", "foreign")
    CONTAMINANT: ClassVar[frozenset[str]] = frozenset({"foreign", "matched"})

    kind: Literal["foreign"] = Field("foreign", description="what an anomaly is")
    foreign: str = Field("digits", description="the data set that anomalies come from")
    matched: bool = Field(
        False, description="whether anomalies get the mean and deviation of normal images"
    )

    @property
    def label(self) -> str:
        """The other data set, and whether it is matched."""
        return f"against {self.foreign}" + ", matched" * self.matched

    def anomalies(self, normal: Split, dataset: Dataset, seed: int) -> Split:
        """Return test images of the other data set: as many as there are normal ones, or all if they are fewer."""
        found = self._other(dataset).test
        drawn = choose(found, min(len(found), len(normal)), seed, "foreign")
        images = _alike(drawn, normal.images.shape[1:])
        images = _matched(images, normal.images[: len(images)]) if self.matched else images
        source = (
            drawn.index + 1 + max(len(dataset.test), int(normal.source.max()))
        )  # numbers of their own
        return Split(images, np.ones(len(images), np.bool_), source)

    def _contaminants(
        self, images: NDArray[np.float32], source: NDArray[np.int64], dataset: Dataset, seed: int
    ) -> NDArray[np.float32]:
        found = self._other(dataset).train
        if len(images) > len(found):
            raise InputError(
                f"task.contamination: {len(images):,} foreign images needed, there are "
                f"{len(found):,}"
            )
        drawn = found.take(generator(seed, "contaminants").permutation(len(found))[: len(images)])
        alike = _alike(drawn, images.shape[1:])
        return _matched(alike, images) if self.matched else alike

    def _other(self, dataset: Dataset) -> Dataset:
        if self.foreign == self.dataset:
            raise InputError(
                f"task.foreign: {self.foreign!r} is the normal data set itself; name another"
            )
        return datasets.load(self.foreign)


def _alike(images: ImageSet, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the images as float32 ``[n, *shape]``, shape being C, H, W."""
    from PIL import Image

    channels, height, width = shape
    found = images.to_float()
    if channels == 1:
        found = found.mean(axis=1, keepdims=True, dtype=np.float32)
    elif found.shape[1] == 1:
        found = np.repeat(found, channels, axis=1)
    elif found.shape[1] != channels:
        raise InputError(
            f"task.foreign: images of {found.shape[1]} channels cannot stand for images of "
            f"{channels}"
        )
    if found.shape[2:] == (height, width):
        return found
    out = np.empty((len(found), channels, height, width), np.float32)
    for number, image in enumerate(found):
        for channel, values in enumerate(image):
            resized = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)
            out[number, channel] = np.asarray(resized)
    return np.clip(out, 0, 1, out=out)


def _matched(images: NDArray[np.float32], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the images with the means and standard deviations of ``like``, place by place."""
    want = like.reshape(len(like), -1).astype(np.float64)
    mean, spread = want.mean(axis=1), want.std(axis=1)
    out = images.reshape(len(images), -1).astype(np.float64)
    rows = np.arange(
        len(out)
    )  # those that are not there yet: an image's rounds do not depend on the others
    for _ in range(_ROUNDS):
        now = out[rows]
        centre, width = now.mean(axis=1), now.std(axis=1)
        far = np.maximum(abs(centre - mean[rows]), abs(width - spread[rows])) > _NEAR
        rows, centre, width = rows[far], centre[far], width[far]
        scaled = (now[far] - centre[:, None]) * (spread[rows] / np.maximum(width, 1e-12))[:, None]
        out[rows] = np.clip(scaled + mean[rows, None], 0, 1)
    return out.astype(np.float32).reshape(images.shape)

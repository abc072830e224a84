"""The normal images of a fit: decoded once into a cache, or read and cut into tiles."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anomalist.core.console import announce, track
from anomalist.core.errors import InputError, printable
from anomalist.core.randomness import generator
from anomalist.datasets.folder import Folder
from anomalist.deployment.config import FitConfig
from anomalist.deployment.reading import Reading
from anomalist.deployment.scorers import images_at_once
from anomalist.deployment.tiling import Tiling
from anomalist.image_files.decode import reason
from anomalist.image_files.entries import Entry, Layout
from anomalist.image_files.jobs import DecodeRequest, hash_files, look_at

__all__ = ["DecodedImages", "NormalImages", "TiledImages", "open_images"]

_MOST_VALUES = 1 << 28  # values of all training tiles together: a gigabyte as float32


class NormalImages(Protocol):
    """The normal images of a folder.

    Attributes:
        names: the files, relative to the folder.
        digests: a hash of each file.
        reading: how files are read.
    """

    names: list[str]
    digests: list[str]
    reading: Reading

    def training(self, rows: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
        """Return what a detector is fitted on, float32 ``[N, C, H, W]`` in [0, 1]."""

    def batches(self, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        """Yield images as read from files, ``[n, C, H, W]``."""


class DecodedImages:
    """Images of one size, in the cache of decoded folders."""

    def __init__(self, folder: Folder, layout: Layout) -> None:
        """Decode the normal images of a folder.

        Raises:
            InputError: there is none, or too many cannot be read.
        """
        train = folder.load_normal(layout).train
        assert train.files is not None
        self._images = train.images
        self.names = train.files.tolist()
        root = Path(folder.path).expanduser()
        entries = {printable(entry.name): entry for entry in layout.entries}
        self.digests = _digests(root, [entries[name] for name in self.names])
        self.reading = Reading(
            size=folder.resize,
            resize_mode=folder.resize_mode,
            channels=train.images.shape[1],
            dtype=str(train.images.dtype),
            intensity=None if folder.intensity == "dtype" else folder.intensity,
        )

    def training(self, rows: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
        """Return the chosen images."""
        return self.reading.to_float(self._images[np.sort(rows)])

    def batches(self, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        """Yield images in batches."""
        assert self.reading.size is not None
        size = images_at_once(self.reading.size)
        for first in track(range(0, len(rows), size), "calibrating"):
            yield np.asarray(self._images[rows[first : first + size]])


class TiledImages:
    """Images at full resolution, which are read again whenever they are needed."""

    def __init__(self, folder: Folder, entries: Sequence[Entry], tiling: Tiling) -> None:
        """Look at the headers of the files.

        Raises:
            InputError: too many files cannot be read.
        """
        self._root = Path(folder.path).expanduser()
        self._tiling = tiling
        window = None if folder.intensity == "dtype" else folder.intensity
        headers = dict(look_at(self._root, list(enumerate(entries))))
        faults = {
            row: entry.fault or headers[row].fault
            for row, entry in enumerate(entries)
            if entry.fault or headers[row].fault
        }
        for row, fault in faults.items():
            announce(f"folder: broken: {printable(entries[row].name)}: {fault}")
        if len(faults) > folder.max_broken_share * len(entries):
            raise InputError(
                f"folder: {len(faults):,} of {len(entries):,} images cannot be used, more than "
                f"max_broken_share={folder.max_broken_share:g}"
            )
        good = [row for row in range(len(entries)) if row not in faults]
        request = DecodeRequest((1, 1), folder.resize_mode, folder.channels, window)
        spec = request.settle(headers[row] for row in good)
        self._files = [entries[row].name for row in good]
        self.names = [printable(name) for name in self._files]
        self.digests = _digests(self._root, [entries[row] for row in good])
        self.reading = Reading(
            size=None,
            channels=3 if spec.colour else 1,
            dtype=spec.dtype,
            intensity=window,
        )

    def training(self, rows: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
        """Return tiles of the chosen images, drawn by the seed if there are many."""
        tiles: list[NDArray[Any]] = []
        most = max(1, _MOST_VALUES // (self.reading.channels * self._tiling.side**2))
        each = max(1, -(-most // len(rows)))
        for row in track(np.sort(rows).tolist(), "reading tiles"):
            image = self._tiling.padded(self._read(row))
            places = self._tiling.places(image.shape[1:])
            order = generator(seed, f"tiles/{self.names[row]}").permutation(len(places))
            side = self._tiling.side
            for place in np.sort(order[:each]):
                y, x = places[place]
                tiles.append(image[:, y : y + side, x : x + side])
        return self.reading.to_float(np.stack(tiles[:most]))

    def batches(self, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        """Yield images one by one, because their sizes may differ."""
        for row in track(rows.tolist(), "calibrating"):
            yield self._read(row)[None]

    def _read(self, row: int) -> NDArray[Any]:
        try:
            with warnings.catch_warnings(action="ignore"):
                return self.reading.read(self._root / self._files[row]).image
        except Exception as error:  # a hostile file may raise any exception in a decoder
            raise InputError(
                f"folder: {self.names[row]!r} cannot be read ({reason(error)}): remove it"
            ) from None


def open_images(
    config: FitConfig, layout: Layout, entries: Sequence[Entry], size: tuple[int, int] | None
) -> NormalImages:
    """Return the normal images of a folder.

    Args:
        config: the options of the fit.
        layout: the images of the folder.
        entries: the normal ones among them.
        size: height and width; None for tiles.

    Raises:
        InputError: too many files cannot be read.
    """
    if config.tiling is not None:
        return TiledImages(config.folder(), entries, config.tiling)
    return DecodedImages(config.folder(size), layout)


def _digests(root: Path, entries: Sequence[Entry]) -> list[str]:
    """Return the sha256 of each file."""
    jobs = list(enumerate(entries))
    digests = itertools.chain.from_iterable(
        hash_files(root, jobs[first : first + 256])
        for first in track(range(0, len(jobs), 256), "hashing files")
    )
    return [digest.partition("/")[0] for _, digest in digests]

"""60,000 colour photographs of ten classes, 32 x 32 (Krizhevsky, 2009).

A. Krizhevsky: Learning multiple layers of features from tiny images, technical report, University
of Toronto, 2009. The binary version is used, not the pickled one. A record consists of a label of
one byte and the red, the green and the blue plane.

File: cifar-10-binary.tar.gz.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download import official
from anomalist.datasets._download.official import Official, ensure
from anomalist.images import Dataset, ImageSet

__all__ = ["Cifar10"]

ARCHIVE = "cifar-10-binary.tar.gz"
FILES = Official(
    {ARCHIVE: "md5:c32a1d4ab5d03f1284b67883e8d87530"},
    ("https://www.cs.toronto.edu/~kriz/",),
    probe_seconds=900,  # for one file of 170 MB
)
KINDS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_FOLDER = "cifar-10-batches-bin"
_BATCHES = {
    "train": [f"{_FOLDER}/data_batch_{number}.bin" for number in range(1, 6)],
    "test": [f"{_FOLDER}/test_batch.bin"],
}
_COUNT = 10_000  # records in a batch
_RECORD = 1 + 3 * 32 * 32  # bytes in a record
# Limit of the uncompressed bytes, with room for the archive's small files.
_MOST = 6 * _COUNT * _RECORD + (1 << 20)


class Cifar10(DatasetConfig):
    """CIFAR-10: 50,000 training and 10,000 test images, uint8 ``[N, 3, 32, 32]``, 10 classes."""

    licence: ClassVar[str] = "none stated; cite the report"
    size: ClassVar[str] = "60,000 images"
    shape: ClassVar[str] = "3 x 32 x 32"
    home: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar.html"

    def load(self) -> Dataset:
        """Return CIFAR-10; the first call downloads 170 MB.

        Raises:
            InputError: the archive is missing and cannot be downloaded.
        """
        folder, source = ensure(self.name, FILES)
        batches = _read_batches(folder / ARCHIVE)
        train, test = (_image_set([batches[name] for name in names]) for names in _BATCHES.values())
        return Dataset(self.name, train, test, source)

    def status(self) -> Status:
        """Return "ready" if the archive is in the data folder, else "fetchable"."""
        return official.status(self.name, FILES)


def _image_set(batches: list[NDArray[np.uint8]]) -> ImageSet:
    records = np.concatenate(batches)
    images = np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32)
    return ImageSet(images, records[:, 0].astype(np.int64), KINDS)


def _read_batches(archive: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the records of all batches by file name, uint8 ``[10000, 3073]``."""
    try:
        with gzip.open(archive) as stream:
            unpacked = stream.read(_MOST + 1)
        if len(unpacked) > _MOST:
            raise InputError(f"{archive} unpacks to more than CIFAR-10")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as opened:
            return {
                name: _read_batch(opened, name) for names in _BATCHES.values() for name in names
            }
    except KeyError as error:
        raise InputError(f"{archive}: {error.args[0]}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(f"{archive} is a damaged archive: {error}") from None


def _read_batch(opened: tarfile.TarFile, name: str) -> NDArray[np.uint8]:
    file = opened.extractfile(name)
    values = file.read(_COUNT * _RECORD + 1) if file else b""
    if len(values) != _COUNT * _RECORD:
        raise InputError(f"{name} must hold {_COUNT * _RECORD} bytes, it holds {len(values)}")
    return np.frombuffer(values, np.uint8).reshape(_COUNT, _RECORD)

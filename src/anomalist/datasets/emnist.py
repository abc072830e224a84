"""145,600 handwritten letters in 26 classes, both cases, 28 x 28 grey (Cohen et al., 2017).

G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST: an extension of MNIST to handwritten letters,
arXiv:1702.05373, 2017. This is the authors' split "letters", in which upper and lower case of a
letter are one class. The published images are transposed (columns first); here they are upright,
like those of MNIST.

File: gzip.zip (562 MB, with all splits of EMNIST).
"""

from __future__ import annotations

import gzip
import string
import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.datasets._base import DatasetConfig, Status
from anomalist.datasets._download import official
from anomalist.datasets._download.official import Official, ensure
from anomalist.datasets._formats import read_idx_stream
from anomalist.images import Dataset, ImageSet

__all__ = ["Emnist"]

FILES = Official(
    {"gzip.zip": "md5:58c8d27c78d21e728a6bc7b3cc06412e"},
    (
        "https://biometrics.nist.gov/cs_links/EMNIST/",
        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
    ),
    probe_seconds=1800,  # for one file of 562 MB
)
COUNTS = {"train": 124_800, "test": 20_800}


class Emnist(DatasetConfig):
    """EMNIST letters: 124,800 training and 20,800 test images, uint8 ``[N, 1, 28, 28]``."""

    licence: ClassVar[str] = "public domain (NIST)"
    size: ClassVar[str] = "145,600 images"
    shape: ClassVar[str] = "1 x 28 x 28"
    home: ClassVar[str] = "https://www.nist.gov/itl/products-and-services/emnist-dataset"

    def load(self) -> Dataset:
        """Return the letters; the first call downloads 562 MB, which contain all of EMNIST.

        Raises:
            InputError: the archive is missing and cannot be downloaded.
        """
        folder, source = ensure(self.name, FILES)
        train, test = (_read_split(folder / "gzip.zip", split) for split in COUNTS)
        return Dataset(self.name, train, test, source)

    def status(self) -> Status:
        """Return "ready" if the archive is in the data folder, else "fetchable"."""
        return official.status(self.name, FILES)


def _read_split(archive: Path, split: str) -> ImageSet:
    images = _read_member(
        archive, f"gzip/emnist-letters-{split}-images-idx3-ubyte.gz", (COUNTS[split], 28, 28)
    )
    labels = _read_member(
        archive, f"gzip/emnist-letters-{split}-labels-idx1-ubyte.gz", (COUNTS[split],)
    )
    upright = np.ascontiguousarray(images.transpose(0, 2, 1))
    return ImageSet(upright[:, None], labels.astype(np.int64) - 1, tuple(string.ascii_uppercase))


def _read_member(
    archive: Path,
    member: str,
    shape: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Return an IDX file of the archive, decompressed only as far as ``shape`` requires."""
    try:
        with (
            zipfile.ZipFile(archive) as opened,
            opened.open(member) as packed,
            gzip.GzipFile(fileobj=packed) as stream,
        ):
            return read_idx_stream(stream, member, shape)
    except KeyError:
        raise InputError(f"{archive} has no {member}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{archive} is a damaged archive: {error}") from None

"""Safe readers of the file formats of data sets, which do not trust their input.

IDX is the format of MNIST's authors: https://yann.lecun.com/exdb/mnist (a magic number, one
big-endian 32-bit size per dimension, then the values).
"""

from __future__ import annotations

import gzip
import hashlib
import math
import pickle
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = ["check_sha256", "read_idx", "read_idx_stream", "unpickle_arrays"]

_IDX_UINT8 = 8  # the code of unsigned bytes, the third byte of the magic number

# `_reconstruct` is private, but every pickled array refers to it.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the uint8 array of an IDX file, plain or gzip-compressed.

    Args:
        path: the file.
        shape: the expected shape. It limits the memory that is allocated, regardless of the header
            and the uncompressed size.

    Raises:
        InputError: the file is not IDX, not uint8, of another shape, too short, too long or
            damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        return read_idx_stream(gzip.GzipFile(fileobj=raw) if zipped else raw, path.name, shape)


def read_idx_stream(
    stream: IO[bytes] | gzip.GzipFile,
    name: str,
    shape: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Return the uint8 array of an open IDX file; ``name`` appears in error messages."""
    size = math.prod(shape)
    try:
        _check_idx_header(name, stream.read(4 + 4 * len(shape)), shape)
        values = stream.read(size + 1)  # one more byte, to detect a longer file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{name} is a damaged gzip file: {error}") from None
    if len(values) != size:
        found = "more" if len(values) > size else len(values)
        raise InputError(f"{name} must hold {size} values, it holds {found}")
    return np.frombuffer(bytearray(values), np.uint8).reshape(shape)


def check_sha256(data: bytes, sha256: str, what: str) -> None:
    """Check the sha256 of ``data``; ``what`` names it in the message.

    Raises:
        InputError: the hash differs.
    """
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{what} has the wrong sha256")


def unpickle_arrays(stream: IO[bytes] | gzip.GzipFile) -> Any:
    """Return the contents of a pickle of NumPy arrays in plain containers.

    Strings written by Python 2 become bytes. Check the hash of the stream first: this function
    prevents a pickle from running code, but not from allocating much memory.

    Raises:
        InputError: the pickle refers to anything but NumPy arrays, or is damaged.
    """
    try:
        return _ArraysOnly(stream, encoding="bytes").load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        raise InputError(f"not a pickle of NumPy arrays only: {error}") from None


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        return _ADMITTED[module_name, global_name]


def _check_idx_header(
    name: str,
    header: bytes,
    shape: tuple[int, ...],
) -> None:
    if header[:4] != bytes([0, 0, _IDX_UINT8, len(shape)]):
        raise InputError(f"{name} is not an IDX file of uint8 in {len(shape)} dimensions")
    if len(header) != 4 + 4 * len(shape):
        raise InputError(f"{name} ends within its header")
    actual = tuple(int(size) for size in np.frombuffer(header[4:], ">u4"))
    if actual != shape:
        raise InputError(f"{name} must be {list(shape)}, its header says {list(actual)}")

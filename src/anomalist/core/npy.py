"""Safe reader of NumPy's .npy and .npz files, which does not trust their contents.

It never unpickles, and it uses no more memory than the file's contents need.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. At first only
the header of an array is read. A .npy file, and an uncompressed member of a .npz file, is
memory-mapped; a compressed member is decompressed, up to :data:`MOST_BYTES`.
"""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = ["MOST_BYTES", "Readers", "check_bytes", "read_npy", "read_npz"]

MOST_BYTES = 4 << 30  # limit for an array that must be held in memory

Readers = dict[str, Callable[[], NDArray[Any]]]  # functions that read the arrays, by name

_LOCAL_HEADER = 30  # bytes of a zip member's header, before its name and extra field


class _Header(NamedTuple):
    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype[Any]
    start: int  # where the values begin

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of a .npy file, memory-mapped.

    Raises:
        InputError: it is not a .npy file, it contains Python objects, or it is truncated.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return _map(path, stream, path.stat().st_size, str(path))


def read_npz(path: Path) -> Readers:
    """Return a function that reads each array of a .npz file, by name.

    The functions raise InputError if a member is damaged, contains Python objects, or would
    decompress to more than :data:`MOST_BYTES`.

    Raises:
        InputError: it is not a .npz file.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path} is not a .npz file, or is damaged: {error}") from None
    names = {
        info.filename.removesuffix(".npy"): info
        for info in members
        if info.filename.endswith(".npy")
    }
    return {name: partial(_read_member, path, info) for name, info in names.items()}


def check_bytes(count: int, what: str) -> None:
    """Check that an array of ``count`` bytes is below the limit; ``what`` is for the message.

    Raises:
        InputError: it is larger than :data:`MOST_BYTES`.
    """
    if count > MOST_BYTES:
        raise InputError(
            f"{what} needs {count / 2**30:.3g} GiB of memory, the limit is "
            f"{MOST_BYTES / 2**30:g}; save it as uint8, uint16 or float32 with numpy.save, to be "
            "memory-mapped"
        )


def _read_member(path: Path, info: zipfile.ZipInfo) -> NDArray[Any]:
    what = f"{path}: {info.filename}"
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{what} is encrypted, or compressed by another method than numpy.savez")
    try:
        if info.compress_type == zipfile.ZIP_STORED:
            return _map_member(path, info, what)
        with zipfile.ZipFile(path) as opened, opened.open(info) as stream:
            header = _read_header(stream, what)
            check_bytes(header.bytes, what)
            values = stream.read(header.bytes + 1)  # one more byte, to detect a longer member
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what} is damaged: {error}") from None
    if len(values) != header.bytes:
        raise InputError(f"{what} is damaged: it must contain {header.bytes} bytes")
    flat = np.frombuffer(values, header.dtype)
    return flat.reshape(header.shape, order="F" if header.columns_first else "C")


def _map_member(path: Path, info: zipfile.ZipInfo, what: str) -> NDArray[Any]:
    """Memory-map an uncompressed member, whose header gives the start of its bytes."""
    with path.open("rb") as stream:
        stream.seek(info.header_offset)
        own = stream.read(_LOCAL_HEADER)
        if len(own) != _LOCAL_HEADER or own[:4] != b"PK\3\4":
            raise InputError(f"{what} is damaged: no member begins there")
        stream.seek(int.from_bytes(own[26:28], "little") + int.from_bytes(own[28:30], "little"), 1)
        return _map(path, stream, stream.tell() + info.file_size, what)


def _map(
    path: Path,
    stream: IO[bytes],
    end: int,
    what: str,
) -> NDArray[Any]:
    header = _read_header(stream, what)
    present = min(end, path.stat().st_size) - header.start
    if present != header.bytes:
        raise InputError(
            f"{what} is damaged: it must contain {header.bytes} bytes, it contains {present}"
        )
    if header.bytes == 0:
        return np.empty(header.shape, header.dtype)
    order: Literal["F", "C"] = "F" if header.columns_first else "C"
    mapped: NDArray[Any] = np.memmap(
        path,
        header.dtype,
        mode="r",
        offset=header.start,
        shape=header.shape,
        order=order,
    )
    return mapped


def _read_header(stream: IO[bytes], what: str) -> _Header:
    try:
        version = npy_format.read_magic(stream)
        if version != (1, 0):  # newer versions have longer headers, for arrays with many fields
            raise InputError(f"{what} is not an array of plain numbers")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers from Python 2
            shape, columns_first, dtype = npy_format.read_array_header_1_0(stream)
    except (
        ValueError,
        SyntaxError,
        TypeError,
        RecursionError,
        MemoryError,
        tokenize.TokenError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{what} is not an array of numpy.save: {str(error)[:120]}") from None
    if dtype.hasobject or dtype.names is not None or dtype.itemsize == 0:
        raise InputError(
            f"{what} contains {dtype}: only numbers, booleans and fixed-length text are supported"
        )
    if any(size < 0 for size in shape):
        raise InputError(f"{what} is damaged: its header says {list(shape)}")
    return _Header(shape, columns_first, dtype, stream.tell())

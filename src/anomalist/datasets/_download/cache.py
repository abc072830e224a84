"""The cache of data sets: one verified file each, filled from the first available source.

The file contains the raw bytes of the arrays, one after the other, at known sizes. There is no
format to parse that a damaged file could exploit, and every array is hashed on every load.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalist.core.console import announce
from anomalist.core.data_home import FOLDER_VARIABLE
from anomalist.core.errors import InputError
from anomalist.core.files import abbreviate_home, atomic_write, make_folder
from anomalist.datasets._base import Status

__all__ = [
    "Arrays",
    "Part",
    "Source",
    "load_arrays",
    "state",
]

Arrays = dict[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Part:
    """One uint8 array of a data set: its shape and the sha256 of its bytes in C order."""

    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Source:
    """A source of the arrays.

    Attributes:
        name: description of the source for the user.
        read: returns the arrays, or raises InputError or OSError on failure; it never hangs.
        verb: the word for reading it in the console line.
    """

    name: str
    read: Callable[[], Arrays]
    verb: str = "fetching"


def load_arrays(
    name: str,
    parts: Mapping[str, Part],
    sources: Iterable[Source],
    folder: Path,
    by_hand: str,
) -> tuple[Arrays, str]:
    """Return a data set's arrays from the cache or the first available source.

    No lock is needed, because the file is replaced as a whole and every process writes the same
    bytes.

    Args:
        name: name of the data set and of its cached file.
        parts: the arrays of the data set.
        sources: the sources, each tried once in this order.
        folder: folder of the cached file.
        by_hand: the files that a user may put into ``folder``, for the error message.

    Returns:
        The verified arrays by the names in ``parts``, and a description of their source.

    Raises:
        InputError: all sources fail, or the folder cannot be written to.
    """
    file = _file(name, folder)
    try:
        return _read(file, parts), f"the cache, {file}"
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (InputError, OSError) as error:
        announce(f"fetching the cached file again: {error}")
    try:
        make_folder(folder, "data folder")
    except InputError as error:
        raise InputError(f"{error} in the environment variable {FOLDER_VARIABLE}") from None
    failures: list[str] = []
    for source in sources:
        announce(
            f"{source.verb} {name} from {source.name}" + (f" ({failures[-1]})" if failures else "")
        )
        try:
            arrays = source.read()
            _verify(arrays, parts)
        except (InputError, OSError) as error:
            failures.append(f"{source.name}: {_line(error)}")
            continue
        _write(file, parts, arrays)
        return arrays, source.name
    why = "; ".join(failures)
    where = abbreviate_home(folder)
    raise InputError(f"{name} could not be fetched; {why}; put these files into {where}: {by_hand}")


def state(name: str, parts: Mapping[str, Part], folder: Path) -> Status:
    """Return "ready" and the folder if the cached file has the right size, else "fetchable".

    The contents are not read; :func:`load_arrays` checks them and replaces a changed file.
    """
    file = _file(name, folder)
    try:
        right = file.is_file() and file.stat().st_size == _total(parts)
    except OSError:
        right = False
    return Status("ready" if right else "fetchable", str(folder))


def _file(name: str, folder: Path) -> Path:
    return folder / f"{name}.uint8"


def _total(parts: Mapping[str, Part]) -> int:
    return sum(math.prod(part.shape) for part in parts.values())


def _read(file: Path, parts: Mapping[str, Part]) -> Arrays:
    total = _total(parts)
    values = np.fromfile(file, np.uint8, total + 1)  # one more byte, to detect a longer file
    if values.size != total:
        raise InputError(f"{file} is truncated or changed: its size is not {total} bytes")
    arrays = {}
    start = 0
    for name, part in parts.items():
        size = math.prod(part.shape)
        arrays[name] = values[start : start + size].reshape(part.shape)
        start += size
    try:
        _verify(arrays, parts)
    except InputError as error:
        raise InputError(f"{file} was changed: {error}") from None
    return arrays


def _write(file: Path, parts: Mapping[str, Part], arrays: Arrays) -> None:
    try:
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            for name in parts:
                stream.write(_bytes(arrays[name]))
    except OSError as error:
        raise InputError(
            f"cannot write {file}: {error.strerror}; set another folder in the environment "
            f"variable {FOLDER_VARIABLE}"
        ) from None


def _verify(arrays: Arrays, parts: Mapping[str, Part]) -> None:
    for name, part in parts.items():
        array = arrays[name]
        if array.dtype != np.uint8 or array.shape != part.shape:
            raise InputError(
                f"{name} are {array.dtype} {list(array.shape)}, not uint8 {list(part.shape)}"
            )
        if hashlib.sha256(_bytes(array)).hexdigest() != part.sha256:
            raise InputError(f"{name} have the wrong sha256")


def _bytes(array: NDArray[np.uint8]) -> memoryview:
    return np.ascontiguousarray(array).data


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

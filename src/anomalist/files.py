"""Files are written whole or not at all: a temporary name in the target folder, then a rename."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.errors import InputError

__all__ = [
    "is_writable",
    "make_folder",
    "replacing",
    "tilde",
    "write_arrays",
    "write_json",
    "write_text",
]


def make_folder(path: Path, what: str = "results folder") -> Path:
    """Create ``path`` (and its parents) and return it.

    Raises:
        InputError: it cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to the {what} {str(path)!r}: {error.strerror}; name another"
        ) from None
    return path


def is_writable(folder: Path) -> bool:
    """Return whether files can be made in an existing folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def tilde(path: Path) -> str:
    """Return a path as a person would write it, ``~`` for the home folder: messages end up in reports."""
    home = Path.home()
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the place of ``path``, else it is removed.

    The temporary name keeps the suffix, since writers such as Matplotlib choose the format by it.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes files private; results are meant to be read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as an uncompressed ``.npz``; the same arrays give the same bytes."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)

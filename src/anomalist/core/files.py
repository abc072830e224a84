"""Atomic writes: a temporary file in the target folder, which is then renamed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = [
    "abbreviate_home",
    "atomic_folder",
    "atomic_write",
    "is_writable",
    "make_folder",
    "write_arrays",
    "write_csv",
    "write_json",
    "write_table",
    "write_text",
]


_PREFIX = 50  # characters of a file's name in that of its temporary file


def make_folder(path: Path, what: str = "results folder") -> Path:
    """Create ``path`` (and its parents) and return it.

    Raises:
        InputError: the folder cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to the {what} {str(path)!r}: {error.strerror}; choose another"
        ) from None
    return path


def is_writable(folder: Path) -> bool:
    """Return whether files can be created in an existing folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def abbreviate_home(path: Path) -> str:
    """Return a path with ``~`` for the home folder, because messages may appear in reports."""
    home = Path.home()
    if not path.is_relative_to(home):
        return str(path)
    return str(Path("~") / path.relative_to(home))


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` on success and is removed otherwise.

    The temporary name keeps the suffix, because writers such as Matplotlib derive the format from
    it.
    """
    handle, name = tempfile.mkstemp(
        dir=path.parent,
        prefix=f".{path.stem[:_PREFIX]}-",
        suffix=path.suffix,
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp creates private files
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that becomes ``path`` on success and is removed otherwise.

    If another process has created ``path`` in the meantime, that folder is kept.
    """
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp creates private folders
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON; NaN raises an error, because JSON has no NaN."""
    write_text(
        path,
        json.dumps(
            value,
            indent=2,
            allow_nan=False,
            ensure_ascii=False,
        )
        + "\n",
    )


def write_csv(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    first: Sequence[str] = (),
) -> None:
    """Write rows as CSV with a column for every key; None becomes an empty cell.

    Args:
        path: the file.
        rows: the rows.
        first: columns that come first, and are written even without rows.
    """
    columns = list(dict.fromkeys([*first, *(column for row in rows for column in row)]))
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_table(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    first: Sequence[str] = (),
) -> list[Path]:
    """Write rows as CSV and, if pyarrow is installed, as Parquet beside it.

    Args:
        path: the CSV file; the other has the ending ``.parquet``.
        rows: the rows; the values of a column have one type, or are None.
        first: columns that come first, and are written even without rows.

    Returns:
        the files.
    """
    write_csv(path, rows, first)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return [path]
    other = path.with_suffix(".parquet")
    columns = dict.fromkeys([*first, *(column for row in rows for column in row)])
    whole = {column: [row.get(column) for row in rows] for column in columns}
    with atomic_write(other) as temporary:
        parquet.write_table(pyarrow.table(whole), temporary)
    return [path, other]


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as an uncompressed ``.npz``; the same arrays give the same bytes."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)

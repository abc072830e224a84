"""Store: one file per trial, written atomically; stored trials are not run again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalist.core.console import announce
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_json
from anomalist.core.hashing import json_hash

if TYPE_CHECKING:
    from anomalist.trial import Row

__all__ = ["Store"]


class Store:
    """A folder of result rows, ``KEY.json``.

    Each row has a side file ``KEY.run.json`` (times, machine, versions). Failed trials have a file
    ``KEY.error.json``. A row depends only on its config, so writing it twice gives the same bytes
    and needs no lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def row(self, key: str) -> Row | None:
        """Return the row of a finished trial, or None.

        A damaged file is renamed to ``KEY.damaged`` with a message, and the result is None.
        """
        path = self.folder / f"{key}.json"
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            row: Row = stored["row"]
            if stored["sha256"] == json_hash(row) and row["trial"] == key:
                return row
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            pass
        announce(f"{path} is damaged and ignored; run its study again to replace it")
        with contextlib.suppress(OSError):  # a read-only folder
            path.replace(path.with_suffix(".damaged"))
        return None

    def side(self, key: str) -> dict[str, Any]:
        """Return the side file of a row; empty if it is missing or damaged."""
        return self._read(f"{key}.run.json") or {}

    def failure(self, key: str) -> dict[str, Any] | None:
        """Return the record of a failed trial, or None."""
        return self._read(f"{key}.error.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            stored: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return stored

    def keep(self, row: Row, side: dict[str, Any]) -> None:
        """Write a row and its side file, and remove the record of an earlier failure."""
        key = row["trial"]
        make_folder(self.folder)
        write_json(self.folder / f"{key}.run.json", side)
        stored = {"schema": 1, "sha256": json_hash(row), "row": row}
        write_json(self.folder / f"{key}.json", stored)
        self.forget_failure(key)

    def keep_failure(self, key: str, failure: dict[str, Any]) -> None:
        """Write the record of a failed trial."""
        write_json(make_folder(self.folder) / f"{key}.error.json", failure)

    def forget_failure(self, key: str) -> None:
        """Remove the record of a failure, so that the trial is run again."""
        (self.folder / f"{key}.error.json").unlink(missing_ok=True)

    def find(self, prefix: str) -> str:
        """Return the only key that begins with ``prefix``.

        Raises:
            InputError: there is no such key, or more than one.
        """
        files = self.folder.glob(f"{prefix}*.json")
        keys = sorted(path.stem for path in files if path.name.count(".") == 1)
        if len(keys) == 1:
            return keys[0]
        there = f"{len(keys)} trials, {', '.join(keys[:3])}, …" if keys else "no trial"
        raise InputError(f"trial {prefix!r}: {there} in {str(self.folder)!r}; give one key")

"""Store: one file per trial, written whole or not at all; a stored trial is not run again."""

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

    Each has a side file ``KEY.run.json`` (times, machine, versions); a row that failed is
    ``KEY.error.json``. Rows hold nothing but what their config determines, so writing one twice
    writes the same bytes, and no lock is needed for them to be right.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def row(self, key: str) -> Row | None:
        """Return a finished trial's row, or None.

        A damaged file is renamed to ``KEY.damaged``, with a line that says so, and counts as none.
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
        announce(f"{path} is damaged and not counted; run its study again to replace it")
        with contextlib.suppress(OSError):  # a folder that can only be read
            path.replace(path.with_suffix(".damaged"))
        return None

    def side(self, key: str) -> dict[str, Any]:
        """Return a row's side file; empty where it is missing or damaged."""
        return self._read(f"{key}.run.json") or {}

    def failure(self, key: str) -> dict[str, Any] | None:
        """Return what is known about a trial that failed, or None."""
        return self._read(f"{key}.error.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            stored: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return stored

    def keep(self, row: Row, side: dict[str, Any]) -> None:
        """Write a row and its side file; an earlier failure is forgotten."""
        key = row["trial"]
        make_folder(self.folder)
        write_json(self.folder / f"{key}.run.json", side)
        stored = {"schema": 1, "sha256": json_hash(row), "row": row}
        write_json(self.folder / f"{key}.json", stored)
        self.forget_failure(key)

    def keep_failure(self, key: str, failure: dict[str, Any]) -> None:
        """Write that a trial failed, and how."""
        write_json(make_folder(self.folder) / f"{key}.error.json", failure)

    def forget_failure(self, key: str) -> None:
        """Let a failed trial be run again."""
        (self.folder / f"{key}.error.json").unlink(missing_ok=True)

    def find(self, prefix: str) -> str:
        """Return the one key that begins with ``prefix``.

        Raises:
            InputError: there is none, or more than one.
        """
        files = self.folder.glob(f"{prefix}*.json")
        keys = sorted(path.stem for path in files if path.name.count(".") == 1)
        if len(keys) == 1:
            return keys[0]
        there = f"{len(keys)} trials, {', '.join(keys[:3])}, …" if keys else "no trial"
        raise InputError(f"trial {prefix!r}: {there} in {str(self.folder)!r}; give the name of one")

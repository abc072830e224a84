"""The journal of a scoring: finished rows are kept, whatever happens.

A line of JSON is appended for each file. After an interruption the files whose size and time are
unchanged are not scored again; a last line that was cut off is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from anomalist.core.errors import InputError
from anomalist.deployment.files import FoundFile

__all__ = ["Journal"]


class Journal:
    """Rows by file, for one model with one set of options.

    Attributes:
        rows: the finished rows, by key of the file.
    """

    def __init__(self, path: Path, model: str, options: Mapping[str, Any]) -> None:
        """Open a journal, or begin a new one.

        Args:
            path: the file.
            model: identity of the model.
            options: the options of the scoring.

        Raises:
            InputError: the journal is damaged, or of another model or other options.
        """
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        if not self._read(model, dict(options)):
            path.write_bytes(_line({"model": model, "options": options}))

    def __enter__(self) -> Self:
        self._file = self.path.open("ab")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        self._file.close()

    def missing(self, files: Sequence[FoundFile]) -> list[int]:
        """Return the positions of the files that have no row, or that changed since."""
        return [
            place
            for place, file in enumerate(files)
            if self._stamps.get(file.key) != (file.size, file.time)
        ]

    def add(self, rows: Sequence[tuple[FoundFile, Mapping[str, Any]]]) -> None:
        """Append the rows of several files."""
        assert self._file is not None
        lines = []
        for file, row in rows:
            lines.append(
                _line({"file": file.key, "size": file.size, "time": file.time, "row": row})
            )
        end = self._file.tell()
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
        except OSError:  # a full disk: no part of a line stays
            os.truncate(self.path, end)
            raise
        for file, row in rows:
            self.rows[file.key] = dict(row)
            self._stamps[file.key] = (file.size, file.time)

    def _read(self, model: str, options: dict[str, Any]) -> bool:
        """Read the finished rows; return whether there is a journal."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return False
        whole = data.rpartition(b"\n")[0]
        if not whole:
            return False
        first, *lines = whole.split(b"\n")
        try:
            begun = json.loads(first)
            other = _difference(begun["model"] != model, begun["options"], options)
            for line in () if other else lines:
                entry = json.loads(line)
                row = entry["row"]
                if not {"score", "fault"} & set(row):
                    raise ValueError("a row without a score")
                self.rows[entry["file"]] = row
                self._stamps[entry["file"]] = (entry["size"], entry["time"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{str(self.path)!r} is damaged: remove it, or choose another folder"
            ) from None
        if other:
            raise InputError(
                f"{str(self.path.parent)!r} contains scores {other}: choose another folder, or "
                "replace them with --restart"
            )
        if len(whole) + 1 < len(data):  # the last line was cut off
            with self.path.open("r+b") as file:
                file.truncate(len(whole) + 1)
        return True


def _difference(other_model: bool, before: Any, now: dict[str, Any]) -> str:
    """Return how an earlier scoring differs, or an empty text."""
    if other_model:
        return "of another model"
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return f"with another {', '.join(names)}" if names else ""


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"

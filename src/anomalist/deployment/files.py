"""The image files that a command line names, and the names of what is written about them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from anomalist.core.console import announce
from anomalist.core.errors import InputError, printable
from anomalist.image_files.names import split_ending
from anomalist.image_files.walk import READ, walk

__all__ = ["FoundFile", "files_in", "output_name"]

_LONGEST = 100  # characters of a part of a path that is written
_DIGITS = 8  # of the hash in the name of a picture


class FoundFile(NamedTuple):
    """A file to score.

    Attributes:
        path: where it is, as given on the command line.
        size: bytes; -1 if unknown.
        time: last change, in ns.
        fault: why it cannot be read, if this is known already; else empty.
    """

    path: Path
    size: int
    time: int
    fault: str

    @property
    def name(self) -> str:
        """The path as text that can be printed."""
        return printable(str(self.path))

    @property
    def key(self) -> str:
        """The path as text that differs for different paths."""
        return str(self.path)


def files_in(paths: Sequence[Path], out: Path | None = None) -> list[FoundFile]:
    """Return the image files at several paths, each once, in this order; folders by name.

    Args:
        paths: files, and folders whose images are taken with those of all folders inside.
        out: a folder that is left out, because results are written to it.

    Raises:
        InputError: a path does not exist, or there is no image.
    """
    files: dict[str, FoundFile] = {}
    ignored: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            found, others = walk(path)
            ignored += others
            for name in sorted(found):
                file = found[name]
                one = FoundFile(path / name, file.size, file.times[0], file.fault or "")
                files.setdefault(_absolute(one.path), one)
        elif path.exists():
            stats = path.stat()
            one = FoundFile(path, stats.st_size, stats.st_mtime_ns, "")
            files.setdefault(_absolute(path), one)
        else:
            raise InputError(f"there is no file or folder {printable(str(path))!r}")
    if out is not None:
        inside = os.path.join(_absolute(out), "")  # noqa: PTH118
        files = {place: one for place, one in files.items() if not place.startswith(inside)}
    if ignored:
        most = ", ".join(f"{n:,} {printable(ending)}" for ending, n in ignored.most_common(5))
        announce(f"ignored files: {most}")
    if not files:
        raise InputError(f"no image in {', '.join(printable(str(path)) for path in paths)}")
    return list(files.values())


def output_name(path: Path) -> str:
    """Return the relative name, without ending, of what is written about a file.

    It depends on the path alone, and differs for different paths. The ending ``.png`` is left out;
    others are kept: ``a.png`` becomes ``a``, and ``a.jpg`` stays. Parts that cannot be printed or
    are long are shortened, and a hash is added.
    """
    parts = [part for part in PurePath(os.path.normpath(path)).parts if part not in ("/", ".")]
    parts = ["__" if part == ".." else _part(part) for part in parts]
    stem, _ = split_ending(parts[-1])
    if parts[-1].endswith(".png") and split_ending(stem)[1] not in READ:
        parts[-1] = stem
    return "/".join(parts)


def _part(part: str) -> str:
    shown = printable(part)
    if shown == part and len(os.fsencode(part)) <= _LONGEST:
        return part
    digest = hashlib.sha256(os.fsencode(part)).hexdigest()[:_DIGITS]
    return f"{shown[: _LONGEST // 2]}-{digest}{split_ending(part)[1][:8]}"


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100

"""Find the files in a folder, without opening images."""

from __future__ import annotations

import csv
import os
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from anomalist.core.errors import InputError
from anomalist.image_files import dicom_fits
from anomalist.image_files.names import split_ending

__all__ = ["READ", "File", "read_list", "walk"]

READ = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", *dicom_fits.DICOM, *dicom_fits.FITS)
_NOT_READ = (
    ".gif",
    ".webp",
    ".avif",
    ".heic",
    ".jp2",
    ".jxl",
    ".ppm",
    ".pgm",
    ".pbm",
    ".exr",
    ".hdr",
    ".svg",
    ".psd",
)


class File(NamedTuple):
    """A file's properties from the file system."""

    size: int = 0
    times: tuple[int, int] = (0, 0)  # last changes of contents and of metadata, in ns
    fault: str | None = None
    link: bool = False  # whether it is a link to a folder


def walk(root: Path) -> tuple[dict[str, File], Counter[str]]:
    """Return the image files below ``root`` by name, and the number of other files by ending."""
    files: dict[str, File] = {}
    others: Counter[str] = Counter()
    inside = os.path.realpath(root) + os.sep
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            listed = list(os.scandir(root / prefix))
        except OSError as error:
            if not prefix:
                raise InputError(
                    f"folder.path: {str(root)!r} cannot be listed: {error.strerror}"
                ) from None
            files[prefix.rstrip("/")] = File(fault=f"folder cannot be listed: {error.strerror}")
            continue
        for item in listed:
            name = prefix + item.name
            _, ending = split_ending(item.name)
            if item.name.startswith("."):
                others["hidden folders"] += item.is_dir(follow_symlinks=False)
                continue
            if item.is_dir(follow_symlinks=False) and ending not in READ:
                waiting.append(name + "/")
            elif ending in READ or (item.is_symlink() and Path(item.path).is_dir()):
                files[name] = _look(item, inside)
            elif ending in _NOT_READ:
                files[name] = File(
                    fault=f"{ending[1:].upper()} is not supported; convert it to PNG or TIFF"
                )
            else:
                others[ending or "no ending"] += 1
    return files, +others  # + removes zero counts


def _look(item: os.DirEntry[str], inside: str) -> File:
    try:
        stats = item.stat()
        if stat.S_ISDIR(stats.st_mode):
            if item.is_symlink():
                return File(fault="a link to a folder; such links are not followed", link=True)
            return File(fault="a folder, not a file")
        if not stat.S_ISREG(stats.st_mode):
            return File(fault="not a regular file")
        if item.is_symlink() and not os.path.realpath(item.path).startswith(inside):
            return File(fault="a link to a file outside the folder; copy the file into it")
    except OSError as error:
        link = "a broken or circular link: " if item.is_symlink() else ""
        return File(fault=link + (error.strerror or str(error)))
    return File(stats.st_size, (stats.st_mtime_ns, stats.st_ctime_ns))


def read_list(root: Path, anomalous: str) -> dict[str, str | None]:
    """Return the names in the list, each with the name of its mask or None."""
    path = root / anomalous
    if not path.is_file():
        raise InputError(f"folder.anomalous: there is no file {str(path)!r}")
    try:
        with path.open(
            encoding="utf-8-sig",
            errors="surrogateescape",
            newline="",
        ) as file:
            rows = [row for row in csv.reader(file, delimiter="\t") if row]
    except (OSError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"folder.anomalous: cannot read {str(path)!r}: {why}") from None
    if wrong := [row for row in rows if len(row) > 2]:
        raise InputError(
            f"folder.anomalous: {wrong[0][0]!r}: a line must be a name, or name, tab, name of mask"
        )
    return {row[0]: row[1] if len(row) == 2 and row[1] else None for row in rows}

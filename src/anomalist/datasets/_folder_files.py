"""Which images a folder holds and what each of them is, by names alone: nothing is opened."""

from __future__ import annotations

import csv
import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from anomalist.datasets import _science
from anomalist.errors import InputError, printable
from anomalist.randomness import derive

__all__ = ["Entry", "Layout", "find"]

_READ = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", *_science.DICOM, *_science.FITS)
_NOT_READ = (".gif", ".webp", ".avif", ".heic", ".jp2", ".jxl", ".ppm", ".pgm", ".pbm", ".exr", ".hdr", ".svg", ".psd")


class _File(NamedTuple):
    """What the file system says of a file."""

    size: int = 0
    times: tuple[int, int] = (0, 0)  # of the last change of contents and of anything, in nanoseconds
    fault: str | None = None


@dataclass(frozen=True)
class Entry:
    """One image of the data set.

    Attributes:
        name: path relative to the folder, parted by ``/``.
        kind: ``"good"`` or the kind of defect.
        test: whether it belongs to the test split.
        mask: the name of its mask, or None.
        fault: why it cannot be used, where that can be seen without opening it.
        sizes: bytes of the image and of its mask.
        times: when each was last changed.
    """

    name: str
    kind: str
    test: bool
    mask: str | None = None
    fault: str | None = None
    sizes: tuple[int, ...] = ()
    times: tuple[tuple[int, int], ...] = ()


@dataclass
class Layout:
    """What a folder was found to hold.

    Attributes:
        entries: the images, training ones first, each split sorted by name.
        others: how many files were left alone, by ending.
        masked: whether the anomalous images have masks.
    """

    entries: list[Entry]
    others: Counter[str] = field(default_factory=Counter)
    masked: bool = False


def find(root: Path, anomalous: str, test_share: float, seed: int) -> Layout:
    """Return the images below ``root``, in the MVTec AD layout or any other.

    Args:
        root: the folder.
        anomalous: the list of anomalous images, a file relative to ``root``; empty: none.
        test_share: which share of the good images of another layout is tested on.
        seed: of that choice. Whether a file goes to the test depends little on which others there are.

    Raises:
        InputError: no such folder, no image in it, or a list that does not fit.
    """
    if not root.is_dir():
        raise InputError(f"folder.path: {str(root)!r} is no folder")
    files, others = _walk(root)
    if (root / "train" / "good").is_dir() and (root / "test").is_dir():
        if anomalous:
            raise InputError(
                "folder.anomalous: this folder has the MVTec AD layout, which says itself what is anomalous"
            )
        layout = _mvtec(files, others)
    else:
        layout = _flat(files, others, _read_list(root, anomalous) if anomalous else {}, test_share, seed)
    if not layout.entries:
        raise InputError(f"folder.path: no image in {str(root)!r}; endings that are read: {', '.join(_READ)}")
    layout.entries.sort(key=lambda entry: (entry.test, entry.name))
    return layout


def _walk(root: Path) -> tuple[dict[str, _File], Counter[str]]:
    """Return the image files below ``root`` by name, and the number of others by ending; no link is walked into."""
    files: dict[str, _File] = {}
    others: Counter[str] = Counter()
    inside = os.path.realpath(root) + os.sep
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            listed = list(os.scandir(root / prefix))
        except OSError as error:
            if not prefix:
                raise InputError(f"folder.path: {str(root)!r} cannot be listed: {error.strerror}") from None
            files[prefix.rstrip("/")] = _File(fault=f"a folder that cannot be listed: {error.strerror}")
            continue
        for item in listed:
            name, ending = prefix + item.name, os.path.splitext(item.name)[1].lower()  # noqa: PTH122
            if item.name.startswith("."):
                continue
            if item.is_dir(follow_symlinks=False) and ending not in _READ:
                waiting.append(name + "/")
            elif ending in _READ or (item.is_symlink() and Path(item.path).is_dir()):
                files[name] = _look(item, inside)
            elif ending in _NOT_READ:
                files[name] = _File(fault=f"{ending[1:].upper()} is not read; convert it to PNG or TIFF")
            else:
                others[ending or "no ending"] += 1
    return files, others


def _look(item: os.DirEntry[str], inside: str) -> _File:
    try:
        found = item.stat()
        if stat.S_ISDIR(found.st_mode):
            followed = "a folder, not a file" if not item.is_symlink() else "a link to a folder; these are not followed"
            return _File(fault=followed)
        if not stat.S_ISREG(found.st_mode):
            return _File(fault="no regular file")
        if item.is_symlink() and not os.path.realpath(item.path).startswith(inside):
            return _File(fault="a link that leads out of the folder; copy the file into it")
    except OSError as error:
        link = "a link that leads nowhere or in a circle: " if item.is_symlink() else ""
        return _File(fault=link + (error.strerror or str(error)))
    return _File(found.st_size, (found.st_mtime_ns, found.st_ctime_ns))


def _mvtec(files: dict[str, _File], others: Counter[str]) -> Layout:
    masks = {os.path.splitext(name)[0]: name for name in files if name.startswith("ground_truth/")}  # noqa: PTH122
    entries = []
    for name, file in files.items():
        top, _, rest = name.partition("/")
        kind, _, inner = rest.partition("/")
        if top == "ground_truth":
            continue
        if top == "train" and kind != "good":
            raise InputError(f"folder: {name!r}: in the MVTec AD layout all training images are in train/good")
        if top not in ("train", "test"):
            others["images outside of train and test"] += 1
        elif not inner:
            entries.append(Entry(name, "good", True, fault="not in a folder of its kind, test/KIND/NAME"))
        else:
            entries.append(_entry(name, file, kind, top == "test", None, None, files))
            if kind != "good" and masks:
                stem = f"ground_truth/{kind}/{os.path.splitext(inner)[0]}"  # noqa: PTH122
                mask = masks.get(f"{stem}_mask") or masks.get(stem)
                missing = None if mask else f"its mask is missing: {stem}_mask.png or {stem}.png"
                entries[-1] = _entry(name, file, kind, True, mask, missing, files)
    return Layout(entries, others, bool(masks))


def _flat(
    files: dict[str, _File], others: Counter[str], bad: dict[str, str | None], test_share: float, seed: int
) -> Layout:
    if absent := [name for name in bad if name not in files]:
        raise InputError(f"folder.anomalous lists {absent[0]!r}, which is no image of the folder")
    masks = {mask for mask in bad.values() if mask}
    if masks and None in bad.values():
        count = sum(mask is None for mask in bad.values())
        raise InputError(f"folder.anomalous: {count} of {len(bad)} images have no mask; give all of them one, or none")
    good = [name for name in files if name not in bad and name not in masks]
    good.sort(key=lambda name: derive(seed, f"folder/test/{printable(name)}"))
    tested = set(good[: round(test_share * len(good))])
    entries = [_entry(name, files[name], "good", name in tested, None, None, files) for name in good]
    for name, mask in bad.items():
        missing = None if mask is None or mask in files else f"its mask is missing: {mask}"
        entries.append(_entry(name, files[name], "anomalous", True, None if missing else mask, missing, files))
    return Layout(entries, others, bool(masks))


def _entry(
    name: str, file: _File, kind: str, test: bool, mask: str | None, missing: str | None, files: dict[str, _File]
) -> Entry:
    both = (file,) if mask is None else (file, files[mask])
    fault = file.fault or missing
    if fault is None and mask is not None and files[mask].fault:
        fault = f"its mask: {files[mask].fault}"
    return Entry(name, kind, test, mask, fault, tuple(f.size for f in both), tuple(f.times for f in both))


def _read_list(root: Path, anomalous: str) -> dict[str, str | None]:
    """Return the names in the list, each with its mask's or None."""
    path = root / anomalous
    if not path.is_file():
        raise InputError(f"folder.anomalous: there is no file {str(path)!r}")
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter="\t") if row]
    except (OSError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"folder.anomalous: cannot read {str(path)!r}: {why}") from None
    if wrong := [row for row in rows if len(row) > 2]:
        raise InputError(f"folder.anomalous: {wrong[0][0]!r}: a line is a name, or name, tab, mask's name")
    return {row[0]: row[1] if len(row) == 2 and row[1] else None for row in rows}

"""The images of a folder and what each of them is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from anomalist.datasets._image_files.walk import File

__all__ = ["Entry", "Layout", "make_entry"]


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
    """The images that were found in a folder.

    Attributes:
        entries: the images, training ones first, each split sorted by name.
        others: how many files were ignored, by ending.
        masked: whether the anomalous images have masks.
        reading: in one line, what was taken for what, where names do not say it by themselves; else
            empty.
    """

    entries: list[Entry]
    others: Counter[str] = field(default_factory=Counter)
    masked: bool = False
    reading: str = ""


def make_entry(
    name: str,
    file: File,
    kind: str,
    test: bool,
    mask: str | None,
    missing: str | None,
    files: dict[str, File],
) -> Entry:
    """Return an image with the sizes and times of its files, and what is wrong with them."""
    both = (file,) if mask is None else (file, files[mask])
    fault = file.fault or missing
    if fault is None and mask is not None and files[mask].fault:
        fault = f"its mask: {files[mask].fault}"
    return Entry(
        name=name,
        kind=kind,
        test=test,
        mask=mask,
        fault=fault,
        sizes=tuple(one.size for one in both),
        times=tuple(one.times for one in both),
    )

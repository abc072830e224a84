"""The images of a folder and their classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from anomalist.image_files.walk import File

__all__ = ["Entry", "Layout", "make_entry"]


@dataclass(frozen=True)
class Entry:
    """One image of the data set.

    Attributes:
        name: path relative to the folder, separated by ``/``.
        kind: ``"good"`` or the type of defect.
        test: whether the image belongs to the test split.
        mask: name of the mask, or None.
        fault: why the image cannot be used, if this is known without opening it; else None.
        sizes: bytes of the image and of its mask.
        times: times of the last change of each.
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
    """The images of a folder.

    Attributes:
        entries: the images, training ones first, each split sorted by name.
        others: number of ignored files, by ending.
        masked: whether the anomalous images have masks.
        reading: one line on how ambiguous names were interpreted, or empty.
        has_test_split: whether the folder itself says which images are for testing.
    """

    entries: list[Entry]
    others: Counter[str] = field(default_factory=Counter)
    masked: bool = False
    reading: str = ""
    has_test_split: bool = False


def make_entry(
    name: str,
    file: File,
    kind: str,
    test: bool,
    mask: str | None,
    missing: str | None,
    files: dict[str, File],
) -> Entry:
    """Return an image with the sizes, times and faults of its files."""
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

"""Find the images of a folder and their classes by name, without opening images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from anomalist.core.errors import InputError, printable
from anomalist.core.randomness import derive
from anomalist.image_files.entries import Entry, Layout, make_entry
from anomalist.image_files.mvtec import mvtec, mvtec_folders, refuse_marked_good
from anomalist.image_files.names import is_good, refuse_unclear
from anomalist.image_files.walk import READ, File, read_list, walk

__all__ = ["LayoutHints", "find"]


class LayoutHints(NamedTuple):
    """Information from the user about a folder without a known layout.

    Attributes:
        anomalous: the list of anomalous images, a file relative to the folder; empty: none.
        good: folders of normal images; ``"."`` for all that are not in ``bad``.
        bad: folders of anomalous images; the last part of each is the type of defect.
        test_share: fraction of the good images that are tested on if there is no test split.
        seed: seed of that choice, which depends little on the other files.
    """

    anomalous: str = ""
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    test_share: float = 0.2
    seed: int = 0


def find(root: Path, hints: LayoutHints) -> Layout:
    """Return the images below ``root``, in the MVTec AD layout or any other.

    Args:
        root: the folder.
        hints: information from the user.

    Raises:
        InputError: no such folder, no image in it, a list that does not fit, or ambiguous names.
    """
    if not root.is_dir():
        raise InputError(f"folder.path: {str(root)!r} is not a folder")
    files, others = walk(root)
    structure = mvtec_folders(root)
    if hints.good or hints.bad:
        if hints.anomalous:
            raise InputError(
                "folder.anomalous: give good and bad, or a list of the anomalous images, not both"
            )
        if structure is not None:
            raise InputError(
                "folder.good, folder.bad: this folder has the MVTec AD layout, which defines the "
                "good images; remove these options"
            )
        layout = _named(files, others, hints)
    elif structure is not None:
        if hints.anomalous:
            raise InputError(
                "folder.anomalous: this folder has the MVTec AD layout, which defines the "
                "anomalous images; remove this option"
            )
        layout = mvtec(files, others, *structure)
        refuse_marked_good(root, files, structure[1])
    else:
        bad = read_list(root, hints.anomalous) if hints.anomalous else {}
        listed = {*bad, *bad.values()}
        refuse_unclear(
            [name for name, file in files.items() if name not in listed and not file.fault],
            str(root),
        )
        layout = _flat(files, others, bad, hints)
    if not layout.entries:
        raise InputError(
            f"folder.path: no image in {str(root)!r}; supported endings: {', '.join(READ)}"
        )
    layout.entries.sort(key=lambda entry: (entry.test, entry.name))
    return layout


def _named(
    files: dict[str, File],
    others: Counter[str],
    hints: LayoutHints,
) -> Layout:
    """Return the images of the user's good and bad folders."""
    good = []
    entries = []
    folders = (*hints.good, *hints.bad)
    if "." in hints.bad or set(hints.good) & set(hints.bad):
        raise InputError(
            "folder.good, folder.bad: give each folder once; '.' (all others) can only be good"
        )
    for folder in folders:
        if folder != "." and not any(_inside(name, folder) for name in files):
            raise InputError(
                f"folder: good and bad must be folders with images; {folder!r} has none"
            )
    for name in files:
        # The longest name, so that good and bad folders may be nested.
        around = [one for one in folders if one != "." and _inside(name, one)]
        called = max(around, key=len, default="")
        if called in hints.bad:
            kind = PurePosixPath(called).name
            kind = f"bad {kind}" if is_good(kind) else kind
            entries.append(make_entry(name, files[name], kind, True, None, None, files))
        elif called or "." in hints.good:
            good.append(name)
        else:
            others["images in folders that are neither good nor bad"] += 1
    reading = f"{len(good):,} images are good, {len(entries):,} are anomalous"
    return Layout(entries + _split_good(good, files, hints), others, reading=reading)


def _inside(name: str, folder: str) -> bool:
    return name.startswith(folder.strip("/") + "/")


def _flat(
    files: dict[str, File],
    others: Counter[str],
    bad: dict[str, str | None],
    hints: LayoutHints,
) -> Layout:
    if absent := [name for name in bad if name not in files]:
        raise InputError(f"folder.anomalous lists {absent[0]!r}, which is no image of the folder")
    masks = {mask for mask in bad.values() if mask}
    if masks and None in bad.values():
        count = sum(mask is None for mask in bad.values())
        raise InputError(
            f"folder.anomalous: {count} of {len(bad)} images have no mask; give masks for "
            "all of them, or for none"
        )
    good = [name for name in files if name not in bad and name not in masks]
    entries = _split_good(good, files, hints)
    for name, mask in bad.items():
        missing = None
        if mask is not None and mask not in files:
            missing = f"its mask is missing: {mask}"
        usable = None if missing else mask
        entries.append(make_entry(name, files[name], "anomalous", True, usable, missing, files))
    return Layout(entries, others, bool(masks), "" if bad else "all images are taken as normal")


def _split_good(
    good: list[str],
    files: dict[str, File],
    hints: LayoutHints,
) -> list[Entry]:
    """Return good images, a fraction of them in the test split."""
    good = sorted(good, key=lambda name: derive(hints.seed, f"folder/test/{printable(name)}"))
    tested = set(good[: round(hints.test_share * len(good))])
    return [
        make_entry(name, files[name], "good", name in tested, None, None, files) for name in good
    ]

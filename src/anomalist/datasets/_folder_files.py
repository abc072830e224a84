"""Which images a folder holds and what each of them is, by names alone: nothing is opened."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from anomalist.datasets._decode import open_regular
from anomalist.datasets._folder_names import is_good, refuse_unclear
from anomalist.datasets._folder_walk import READ, File, read_list, walk
from anomalist.errors import InputError, printable
from anomalist.randomness import derive

__all__ = ["Entry", "Layout", "Question", "find"]


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
        reading: in one line, what was taken for what, where names do not say it by themselves; else
            empty.
    """

    entries: list[Entry]
    others: Counter[str] = field(default_factory=Counter)
    masked: bool = False
    reading: str = ""


class Question(NamedTuple):
    """What a user may say of a folder that its layout does not.

    Attributes:
        anomalous: the list of anomalous images, a file relative to the folder; empty: none.
        good: folders of normal images; ``"."`` for all that are not in ``bad``.
        bad: folders of anomalous images; the last part of each is the kind of its anomalies.
        test_share: which share of the good images of a layout without a test split is tested on.
        seed: of that choice. Whether a file goes to the test depends little on which others there
            are.
    """

    anomalous: str = ""
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    test_share: float = 0.2
    seed: int = 0


def find(root: Path, said: Question) -> Layout:
    """Return the images below ``root``, in the MVTec AD layout or any other.

    Args:
        root: the folder.
        said: what the user says of it.

    Raises:
        InputError: no such folder, no image in it, a list that does not fit, or names that leave
            unclear which images are normal.
    """
    if not root.is_dir():
        raise InputError(f"folder.path: {str(root)!r} is no folder")
    files, others = walk(root)
    structure = _mvtec_folders(root)
    if said.good or said.bad:
        if said.anomalous:
            raise InputError(
                "folder.anomalous: give good and bad, or a list of the anomalous images, not both"
            )
        if structure is not None:
            raise InputError(
                "folder.good, folder.bad: this folder has the MVTec AD layout, which says itself "
                "what is good"
            )
        layout = _named(files, others, said)
    elif structure is not None:
        if said.anomalous:
            raise InputError(
                "folder.anomalous: this folder has the MVTec AD layout, which says itself what is "
                "anomalous"
            )
        layout = _mvtec(files, others, *structure)
        _refuse_marked_good(root, files, structure[1])
    else:
        bad = read_list(root, said.anomalous) if said.anomalous else {}
        listed = {*bad, *bad.values()}
        refuse_unclear(
            [name for name, file in files.items() if name not in listed and not file.fault],
            str(root),
        )
        layout = _flat(files, others, bad, said)
    if not layout.entries:
        raise InputError(
            f"folder.path: no image in {str(root)!r}; endings that are read: {', '.join(READ)}"
        )
    layout.entries.sort(key=lambda entry: (entry.test, entry.name))
    return layout


def _mvtec_folders(root: Path) -> tuple[str, str] | None:
    """Return the names of ``good`` in ``train``, and of ``test``, as they are here; None where it is another layout."""
    if not (root / "train").is_dir():
        return None
    inside = sorted(path.name for path in (root / "train").iterdir() if path.is_dir())
    good = [name for name in inside if is_good(name)]
    tests = [name for name in ("test", "test_public") if (root / name).is_dir()]
    if not good or not tests:
        return None
    if len(good) > 1 or len(inside) > 1:
        other = next(name for name in inside if name != good[0])
        raise InputError(
            f"folder: 'train/{printable(other)}': in the MVTec AD layout all training images are "
            f"in train/{good[0]}"
        )
    return good[0], tests[0]


def _mvtec(files: dict[str, File], others: Counter[str], good: str, test: str) -> Layout:
    truths = ("ground_truth/", f"{test}/ground_truth/")
    for name, file in files.items():
        if file.link and (name in ("train", test, "ground_truth") or name.count("/") == 1):
            raise InputError(
                f"folder: {printable(name)!r}: {file.fault}; put the folder itself there"
            )
    masks: dict[str, list[str]] = {}  # by kind and name without ending
    for name in files:
        if truth := next((prefix for prefix in truths if name.startswith(prefix)), None):
            masks.setdefault(os.path.splitext(name.removeprefix(truth))[0], []).append(name)  # noqa: PTH122
    entries, used = [], set()
    for name, file in files.items():
        top, _, rest = name.partition("/")
        kind, _, inner = rest.partition("/")
        if name.startswith(truths):
            continue
        if top == "train" and kind != good:
            raise InputError(
                f"folder: {name!r}: in the MVTec AD layout all training images are in train/{good}"
            )
        if top not in ("train", test):
            others["images outside of train and test"] += 1
        elif not inner:
            entries.append(
                Entry(name, "good", True, fault="not in a folder of its kind, test/KIND/NAME")
            )
        elif is_good(kind) or not masks:
            entries.append(
                _entry(
                    name, file, "good" if is_good(kind) else kind, top == test, None, None, files
                )
            )
        else:
            stem = f"{kind}/{os.path.splitext(inner)[0]}"  # noqa: PTH122
            own = [*masks.get(f"{stem}_mask", []), *masks.get(stem, [])]
            used |= set(own)
            fault = (
                None
                if own
                else f"its mask is missing: ground_truth/{stem}_mask.png or ground_truth/{stem}.png"
            )
            if len(own) > 1:
                fault = f"it has {len(own)} masks, {', '.join(sorted(own))}: keep one"
            entries.append(
                _entry(name, file, kind, True, own[0] if len(own) == 1 else None, fault, files)
            )
    _refuse_unused(masks, used)
    reading = (
        "" if (good, test) == ("good", "test") else f"train/{good} is good, {test} is tested on"
    )
    return Layout(entries, others, any(entry.mask for entry in entries), reading)


def _refuse_marked_good(root: Path, files: dict[str, File], test: str) -> None:
    """Raise InputError for a mask of an image that counts as good which marks something: one of the two is wrong."""
    for name in files:
        folder = name.removeprefix(f"{test}/").removeprefix("ground_truth/").partition("/")[0]
        if "ground_truth/" in name and is_good(folder):
            try:
                with open_regular(root / name) as file, Image.open(file) as mask:
                    marked = mask.convert("L").getbbox() is not None
            except (OSError, ValueError, InputError):
                continue  # a mask that cannot be read marks nothing
            if marked:
                raise InputError(
                    f"folder: {printable(name)!r} marks pixels, but images in {folder!r} count as "
                    "good: rename that"
                )


def _refuse_unused(masks: dict[str, list[str]], used: set[str]) -> None:
    """Raise InputError for masks that belong to no image; those of good images, which mark nothing, are passed over."""
    spare = [
        name
        for stem, names in sorted(masks.items())
        for name in names
        if name not in used and not is_good(stem.partition("/")[0])
    ]
    if spare:
        raise InputError(
            f"folder: {len(spare):,} masks belong to no image, the first is "
            f"{printable(spare[0])!r}: name a mask as "
            "its image, KIND/NAME_mask or KIND/NAME, or remove it"
        )


def _named(files: dict[str, File], others: Counter[str], said: Question) -> Layout:
    """Return the images of the folders that the user calls good and bad."""
    good, entries = [], []
    if "." in said.bad or set(said.good) & set(said.bad):
        raise InputError(
            "folder.good, folder.bad: name each folder once; '.', all others, can only be good"
        )
    for folder in (*said.good, *said.bad):
        if folder != "." and not any(_inside(name, folder) for name in files):
            raise InputError(
                f"folder: good and bad name folders with images in them; {folder!r} is none"
            )
    for name in files:
        # The folder that says most, so that a good one may lie in a bad one and the other way
        # round.
        called = max(
            (one for one in (*said.good, *said.bad) if one != "." and _inside(name, one)),
            key=len,
            default="",
        )
        if called in said.bad:
            kind = PurePosixPath(called).name
            kind = f"bad {kind}" if is_good(kind) else kind
            entries.append(_entry(name, files[name], kind, True, None, None, files))
        elif called or "." in said.good:
            good.append(name)
        else:
            others["images in folders that are called neither good nor bad"] += 1
    reading = f"{len(good):,} images are good, {len(entries):,} are not"
    return Layout(entries + _split_good(good, files, said), others, reading=reading)


def _inside(name: str, folder: str) -> bool:
    return name.startswith(folder.strip("/") + "/")


def _flat(
    files: dict[str, File], others: Counter[str], bad: dict[str, str | None], said: Question
) -> Layout:
    if absent := [name for name in bad if name not in files]:
        raise InputError(f"folder.anomalous lists {absent[0]!r}, which is no image of the folder")
    masks = {mask for mask in bad.values() if mask}
    if masks and None in bad.values():
        count = sum(mask is None for mask in bad.values())
        raise InputError(
            f"folder.anomalous: {count} of {len(bad)} images have no mask; give all of them one, "
            "or none"
        )
    good = [name for name in files if name not in bad and name not in masks]
    entries = _split_good(good, files, said)
    for name, mask in bad.items():
        missing = None if mask is None or mask in files else f"its mask is missing: {mask}"
        entries.append(
            _entry(name, files[name], "anomalous", True, None if missing else mask, missing, files)
        )
    return Layout(entries, others, bool(masks), "" if bad else "every image is taken as normal")


def _split_good(good: list[str], files: dict[str, File], said: Question) -> list[Entry]:
    """Return good images, a share of them in the test split."""
    good = sorted(good, key=lambda name: derive(said.seed, f"folder/test/{printable(name)}"))
    tested = set(good[: round(said.test_share * len(good))])
    return [_entry(name, files[name], "good", name in tested, None, None, files) for name in good]


def _entry(
    name: str,
    file: File,
    kind: str,
    test: bool,
    mask: str | None,
    missing: str | None,
    files: dict[str, File],
) -> Entry:
    both = (file,) if mask is None else (file, files[mask])
    fault = file.fault or missing
    if fault is None and mask is not None and files[mask].fault:
        fault = f"its mask: {files[mask].fault}"
    return Entry(
        name, kind, test, mask, fault, tuple(f.size for f in both), tuple(f.times for f in both)
    )

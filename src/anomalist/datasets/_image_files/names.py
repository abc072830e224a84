"""What folder names mean: good, bad or part of a layout; unclear names are refused.

Defects or masks that are mistaken for normal images would silently spoil training. A folder with
names of defects is therefore never read as a folder of only normal images.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from anomalist.core.errors import InputError, printable

__all__ = ["LAYOUTS", "is_good", "refuse_unclear", "split_ending"]

_GOOD = frozenset(
    {
        "good",
        "ok",
        "okay",
        "io",
        "normal",
        "normals",
        "nominal",
        "regular",
        "healthy",
        "clean",
        "intact",
        "undamaged",
        "pass",
        "passed",
        "accept",
        "accepted",
        "negative",
        "gut",
        "fine",
        "nodefect",
        "nodefects",
        "defectfree",
        "nondefective",
        "nonanomalous",
        "noanomaly",
    }
)
_BAD = frozenset(
    {
        "bad",
        "nok",
        "notok",
        "nio",
        "ng",
        "ko",
        "notgood",
        "anomaly",
        "anomalies",
        "anomalous",
        "abnormal",
        "abnormals",
        "defect",
        "defects",
        "defective",
        "fault",
        "faults",
        "faulty",
        "flaw",
        "flaws",
        "damage",
        "damaged",
        "broken",
        "fail",
        "failed",
        "failure",
        "reject",
        "rejects",
        "rejected",
        "scrap",
        "outlier",
        "outliers",
        "positive",
        "schlecht",
        "unhealthy",
        "sick",
        "diseased",
    }
)
_LAYOUT = frozenset(
    {
        "test",
        "testing",
        "testpublic",
        "testprivate",
        "testprivatemixed",
        "val",
        "valid",
        "validation",
        "groundtruth",
        "gt",
        "mask",
        "masks",
        "annotation",
        "annotations",
        "label",
        "labels",
        "segmentation",
        "segmentations",
    }
)
_BAD_FILES = _BAD - {"broken"}  # a file called so may be one that cannot be read
_TRAIN = ("train", "training")
_MASK_ENDINGS = ("_mask", "-mask", "_gt", "_label", "_seg")

LAYOUTS = (
    "known layouts: train/good with test/good, test/KIND and ground_truth/KIND/NAME_mask.png "
    "(MVTec AD); or a folder "
    "of only normal images. For any other, name the folders: good=FOLDER,bad=FOLDER (separate "
    "several by ; and use good=. for all others), or list the anomalous images with anomalous=FILE"
)


def is_good(name: str) -> bool:
    """Return whether a folder's name says that its images are normal: good, OK, defect-free, ..."""
    return _plain(name) in _GOOD


def refuse_unclear(images: Sequence[str], root: str) -> None:
    """Refuse images that would all be taken for normal ones although names say that some are not.

    Args:
        images: paths relative to the folder, parted by ``/``.
        root: the folder, for the message.

    Raises:
        InputError: a name speaks of defects, masks or a layout; the message says which, and how to
            answer.
    """
    folders = {str(PurePosixPath(name).parent) for name in images}
    if above := _data_sets_below(folders):
        raise InputError(
            f"folder.path: {root!r} lies above a data set in the MVTec AD layout: give "
            f"folder:path={root}/{above}"
        )
    if question := _unclear(folders) or _files_in_doubt(images):
        raise InputError(f"folder: {question}: are all of these normal images? {LAYOUTS}")


def _data_sets_below(folders: Iterable[str]) -> str:
    """Return the first folder that has ``train/good`` in it, or nothing."""
    folders_above = []
    for folder in folders:
        parts = PurePosixPath(folder).parts
        for place in range(1, len(parts) - 1):
            if parts[place].lower() == "train" and is_good(parts[place + 1]):
                folders_above.append("/".join(parts[:place]))
    return min(folders_above, default="")


def _unclear(folders: Iterable[str]) -> str:
    """Return what speaks against all being normal, in words, or nothing."""
    # Folders with images below them, by the folder that they are in.
    siblings: dict[str, set[str]] = {}
    for folder in folders:
        parts = PurePosixPath(folder).parts
        for place, part in enumerate(parts):
            siblings.setdefault("/".join(parts[:place]), set()).add(part)
    for parent, names in sorted(siblings.items()):
        within = f" in {printable(parent)!r}" if parent else ""
        for name in sorted(names):
            if _speaks_of(name, _BAD) and not is_good(name):
                return f"the folder {printable(name)!r}{within} is named as anomalous images are"
            if _plain(name) in _LAYOUT:
                return f"the folder {printable(name)!r}{within} is named as a part of a layout"
        good = sorted(name for name in names if _speaks_of(name, _GOOD) or _plain(name) in _TRAIN)
        if good and len(names) > len(good):
            other = min(name for name in names if name not in good)
            return f"the folder {printable(other)!r} lies beside {printable(good[0])!r}{within}"
    return ""


def _files_in_doubt(images: Sequence[str]) -> str:
    """Return, in words, an image named as an anomaly or as the mask of another; or nothing."""
    stems = {name.rpartition(".")[0] for name in images}
    for name in sorted(images):
        stem = name.rpartition(".")[0]
        if _speaks_of(file := stem.rpartition("/")[2], _BAD_FILES) and not is_good(file):
            return f"{printable(name)!r} is named as anomalous images are"
        for ending in _MASK_ENDINGS:
            if stem.lower().endswith(ending) and stem[: -len(ending)] in stems:
                return f"{printable(name)!r} is named as a mask of another image"
    return ""


def _plain(name: str) -> str:
    """Return a name as the lists above have it: lower case, only letters."""
    return "".join(sign for sign in name.lower() if sign.isalpha())


def _speaks_of(name: str, words: frozenset[str]) -> bool:
    """Return whether a name, or a word in it, is one of these: ``nok_parts`` contains ``nok``."""
    parts = "".join(sign if sign.isalpha() else " " for sign in name.lower()).split()
    return _plain(name) in words or any(part in words for part in parts)


def split_ending(name: str) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending in lower case with its dot.

    Names may contain bytes that are not text.
    """
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    return stem, ending.lower()

"""The meaning of folder names: good, bad or part of a layout; ambiguous names are refused.

Defects or masks that are mistaken for normal images would silently corrupt training. A folder whose
names suggest defects is therefore never read as a folder of only normal images.
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
_BAD_FILES = _BAD - {"broken"}  # as a file name, it may mean a damaged file
_TRAIN = ("train", "training")
_MASK_ENDINGS = ("_mask", "-mask", "_gt", "_label", "_seg")

LAYOUTS = (
    "known layouts: train/good with test/good, test/KIND and ground_truth/KIND/NAME_mask.png "
    "(MVTec AD); or a folder of only normal images. For other layouts give the folders, "
    "with --good FOLDER --bad FOLDER (`anomalist fit`, `evaluate`), or good=FOLDER,bad=FOLDER in a "
    "data set (separate several by ; and use good=. for all others); or a list of the anomalous "
    "images: --anomalous FILE, or anomalous=FILE"
)


def is_good(name: str) -> bool:
    """Return whether a folder's name means normal images: good, OK, defect-free, ..."""
    return _plain(name) in _GOOD


def refuse_unclear(images: Sequence[str], root: str) -> None:
    """Refuse images that would all count as normal although names suggest that some are not.

    Args:
        images: paths relative to the folder, separated by ``/``.
        root: the folder, for the message.

    Raises:
        InputError: a name suggests defects, masks or a layout; the message says how to clarify it.
    """
    folders = {str(PurePosixPath(name).parent) for name in images}
    if above := _data_sets_below(folders):
        raise InputError(
            f"folder.path: {root!r} contains a data set in the MVTec AD layout: give "
            f"folder:path={root}/{above}"
        )
    if question := _unclear(folders) or _files_in_doubt(images):
        raise InputError(f"folder: {question}: are all of these normal images? {LAYOUTS}")


def _data_sets_below(folders: Iterable[str]) -> str:
    """Return the first folder that contains ``train/good``, or an empty text."""
    folders_above = []
    for folder in folders:
        parts = PurePosixPath(folder).parts
        for place in range(1, len(parts) - 1):
            if parts[place].lower() == "train" and is_good(parts[place + 1]):
                folders_above.append("/".join(parts[:place]))
    return min(folders_above, default="")


def _unclear(folders: Iterable[str]) -> str:
    """Return the reason why not all images may be normal, or an empty text."""
    # Folders with images below them, by parent folder.
    siblings: dict[str, set[str]] = {}
    for folder in folders:
        parts = PurePosixPath(folder).parts
        for place, part in enumerate(parts):
            siblings.setdefault("/".join(parts[:place]), set()).add(part)
    for parent, names in sorted(siblings.items()):
        within = f" in {printable(parent)!r}" if parent else ""
        for name in sorted(names):
            if _speaks_of(name, _BAD) and not is_good(name):
                return f"the folder {printable(name)!r}{within} has a name for anomalous images"
            if _plain(name) in _LAYOUT:
                return f"the folder {printable(name)!r}{within} has a name for part of a layout"
        good = sorted(name for name in names if _speaks_of(name, _GOOD) or _plain(name) in _TRAIN)
        if good and len(names) > len(good):
            other = min(name for name in names if name not in good)
            return f"the folder {printable(other)!r} is beside {printable(good[0])!r}{within}"
    return ""


def _files_in_doubt(images: Sequence[str]) -> str:
    """Return the reason why a file name may mean an anomaly or a mask, or an empty text."""
    stems = {name.rpartition(".")[0] for name in images}
    for name in sorted(images):
        stem = name.rpartition(".")[0]
        if _speaks_of(file := stem.rpartition("/")[2], _BAD_FILES) and not is_good(file):
            return f"{printable(name)!r} has a name for anomalous images"
        for ending in _MASK_ENDINGS:
            if stem.lower().endswith(ending) and stem[: -len(ending)] in stems:
                return f"{printable(name)!r} has a name for the mask of another image"
    return ""


def _plain(name: str) -> str:
    """Return a name in the form of the lists above: lower case, only letters."""
    return "".join(sign for sign in name.lower() if sign.isalpha())


def _speaks_of(name: str, words: frozenset[str]) -> bool:
    """Return whether a name or a word in it is in ``words``: ``nok_parts`` contains ``nok``."""
    parts = "".join(sign if sign.isalpha() else " " for sign in name.lower()).split()
    return _plain(name) in words or any(part in words for part in parts)


def split_ending(name: str) -> tuple[str, str]:
    """Return a file's name without its ending, and the ending in lower case with its dot.

    Names may contain bytes that cannot be decoded.
    """
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    return stem, ending.lower()

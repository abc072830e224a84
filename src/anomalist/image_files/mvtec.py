"""The MVTec AD layout: ``train/good``, ``test/KIND`` and masks in ``ground_truth/KIND``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image

from anomalist.core.errors import InputError, printable
from anomalist.image_files.decode import open_regular
from anomalist.image_files.entries import Entry, Layout, make_entry
from anomalist.image_files.names import is_good, split_ending
from anomalist.image_files.walk import File

__all__ = ["mvtec", "mvtec_folders", "refuse_marked_good"]


def mvtec_folders(root: Path) -> tuple[str, str] | None:
    """Return the folder names for ``good`` and ``test``; None for another layout."""
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
            f"folder: 'train/{printable(other)}': in the MVTec AD layout all training images must "
            f"be in train/{good[0]}"
        )
    return good[0], tests[0]


def mvtec(
    files: dict[str, File],
    others: Counter[str],
    good: str,
    test: str,
) -> Layout:
    """Return the images of the MVTec AD layout, with their masks if there are any."""
    _refuse_links(files, test)
    masks = _masks_by_stem(files, test)
    entries = []
    used: set[str] = set()
    for name, file in files.items():
        top, _, rest = name.partition("/")
        kind, _, inner = rest.partition("/")
        if _in_truth(name, test):
            continue
        if top == "train" and kind != good:
            raise InputError(
                f"folder: {name!r}: in the MVTec AD layout training images must be in train/{good}"
            )
        if top not in ("train", test):
            others["images outside of train and test"] += 1
        elif not inner:
            misplaced = "not in a folder test/KIND"
            entries.append(Entry(name, "good", True, fault=misplaced))
        elif is_good(kind):
            entries.append(make_entry(name, file, "good", top == test, None, None, files))
        elif not masks:
            entries.append(make_entry(name, file, kind, top == test, None, None, files))
        else:
            mask, fault = _mask_of(kind, inner, masks, used)
            entries.append(make_entry(name, file, kind, True, mask, fault, files))
    _refuse_unused(masks, used)
    reading = ""
    if (good, test) != ("good", "test"):
        reading = f"train/{good} contains the good images, {test} the test images"
    masked = any(entry.mask for entry in entries)
    return Layout(entries, others, masked, reading, has_test_split=True)


def _refuse_links(files: dict[str, File], test: str) -> None:
    """Refuse a link in place of a folder of the layout, which would be ignored silently."""
    for name, file in files.items():
        is_folder = name in ("train", test, "ground_truth") or name.count("/") == 1
        if file.link and is_folder:
            raise InputError(
                f"folder: {printable(name)!r}: {file.fault}; replace it by the folder itself"
            )


def _in_truth(name: str, test: str) -> str:
    """Return the folder of masks that contains a file, or an empty text."""
    for folder in ("ground_truth/", f"{test}/ground_truth/"):
        if name.startswith(folder):
            return folder
    return ""


def _masks_by_stem(files: dict[str, File], test: str) -> dict[str, list[str]]:
    """Return the masks by type of defect and name without ending."""
    masks: dict[str, list[str]] = {}
    for name in files:
        folder = _in_truth(name, test)
        if folder:
            stem, _ = split_ending(name.removeprefix(folder))
            masks.setdefault(stem, []).append(name)
    return masks


def _mask_of(
    kind: str,
    inner: str,
    masks: dict[str, list[str]],
    used: set[str],
) -> tuple[str | None, str | None]:
    """Return the mask of an anomalous image or its fault, and add it to ``used``."""
    stem = f"{kind}/{split_ending(inner)[0]}"
    own = [*masks.get(f"{stem}_mask", []), *masks.get(stem, [])]
    used.update(own)
    if not own:
        wanted = f"ground_truth/{stem}_mask.png or ground_truth/{stem}.png"
        return None, f"its mask is missing: {wanted}"
    if len(own) > 1:
        return None, f"it has {len(own)} masks, {', '.join(sorted(own))}: keep only one"
    return own[0], None


def refuse_marked_good(root: Path, files: dict[str, File], test: str) -> None:
    """Refuse masks that mark pixels of good images."""
    for name in files:
        folder = name.removeprefix(f"{test}/").removeprefix("ground_truth/").partition("/")[0]
        if "ground_truth/" in name and is_good(folder):
            try:
                with open_regular(root / name) as file, Image.open(file) as mask:
                    marked = mask.convert("L").getbbox() is not None
            except (OSError, ValueError, InputError):
                continue  # a mask that cannot be read is ignored
            if marked:
                raise InputError(
                    f"folder: {printable(name)!r} marks pixels, but images in {folder!r} count as "
                    "good: rename the folder"
                )


def _refuse_unused(masks: dict[str, list[str]], used: set[str]) -> None:
    """Refuse masks without an image; masks of good images are empty and ignored."""
    spare = []
    for stem, names in sorted(masks.items()):
        if not is_good(stem.partition("/")[0]):
            spare += [name for name in names if name not in used]
    if spare:
        raise InputError(
            f"folder: {len(spare):,} masks belong to no image, the first is "
            f"{printable(spare[0])!r}: name a mask like its image, KIND/NAME_mask or KIND/NAME, or "
            "remove it"
        )

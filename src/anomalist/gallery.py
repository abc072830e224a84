"""The gallery: one picture and one page of all corruptions, made from what their files do and say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalist import catalog
from anomalist.corruption import Corrupted, parse
from anomalist.errors import InputError
from anomalist.files import make_folder, replacing, write_text
from anomalist.images import ImageSet

__all__ = ["make", "paragraph"]

_SEVERITIES = (0.1, 0.25, 0.5, 0.75, 1.0)
_MASK_AT = 0.5
_LOOK_AT = 200  # images among which one is looked for that the weakest corruption changes
_DPI = 100


def make(images: ImageSet, source: str, picture: Path) -> Path:
    """Draw every corruption at several severities, and write a page that says what each one is.

    Args:
        images: where the examples are taken from: for each corruption the first image that changes
            at the lowest severity, among the first 200; or the very first.
        source: the data set's name, for the page.
        picture: the PNG to write; the page has the same name, but ends in ``.md``.

    Returns:
        the page's path.

    Raises:
        InputError: ``picture`` does not end in .png, or its folder cannot be written to.
    """
    from anomalist.reports import panels

    if picture.suffix != ".png":
        raise InputError(f"gallery: the picture must end in .png, got {str(picture)!r}")
    make_folder(picture.parent, "gallery's folder")
    names = catalog.names("corruptions")
    some = images.take(np.arange(min(_LOOK_AT, len(images))))
    rows = [_row(name, some.to_float(), some.index) for name in names]
    titles = ["clean", *(f"{severity:g}" for severity in _SEVERITIES), f"mask at {_MASK_AT:g}"]
    columns = {title: np.stack([row[place] for row in rows]) for place, title in enumerate(titles)}
    with replacing(picture) as path:
        panels.gallery(names, columns).savefig(path, dpi=_DPI)
    page = picture.with_suffix(".md")
    write_text(page, _page(names, source, picture.name))
    return page


def paragraph(name: str, label: str) -> str:
    """Return what follows ``label:`` in the docstring of a corruption's file, up to the next empty line.

    Raises:
        InputError: there is no such paragraph.
    """
    for text in (catalog.find_module("corruptions", name).__doc__ or "").split("\n\n"):
        if text.startswith(f"{label}:"):
            return " ".join(text.removeprefix(f"{label}:").split())
    raise InputError(
        f"the docstring of corruptions/{name}.py has no paragraph that begins with {label}:"
    )


def _row(
    name: str, images: NDArray[np.float32], index: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Return one image clean, at each severity, and its mask."""

    def corrupt(severity: float, part: slice) -> Corrupted:
        return parse({"name": name, "severity": severity})(images[part], seed=0, index=index[part])

    first = int(corrupt(_SEVERITIES[0], slice(None)).masks.any(axis=(1, 2)).argmax())
    one = slice(first, first + 1)
    mask = corrupt(_MASK_AT, one).masks[0].astype(np.float32)
    return [images[first], *(corrupt(severity, one).images[0] for severity in _SEVERITIES), mask]


def _page(names: list[str], source: str, picture: str) -> str:
    lines = [
        "# Corruptions",
        "",
        f"Made by `anomalist gallery --dataset {source}` from what lies in `corruptions/`; do not "
        "edit. Each row of "
        "the picture is one image: clean, at five severities, and the pixels that have changed at "
        "the middle one. "
        "Every corruption is described in full, with its options, in its own file.",
        "",
        f'<img src="{picture}" width="690" alt="every corruption at severities 0.1 to 1, with its '
        'mask">',
        "",
        "| name | what it is | strength | source |",
        "|---|---|---|---|",
    ]
    for name in names:
        idea, strength = (
            catalog.describe("corruptions", name),
            paragraph(name, "Strength").partition(". ")[0],
        )
        cells = (
            f"`{name}`",
            idea.rstrip("."),
            strength.replace("``", "`").rstrip("."),
            paragraph(name, "Source").rstrip("."),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"

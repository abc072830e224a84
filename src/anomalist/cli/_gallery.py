"""The gallery: a figure of all corruptions, and a page that describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalist.core import catalog
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_text
from anomalist.corruptions import Corruption, parse
from anomalist.images import ImageSet

__all__ = ["make", "paragraph"]

_SEVERITIES = (0.1, 0.25, 0.5, 0.75, 1.0)
_MASK_AT = 0.5
_EXAMINED = 200  # images searched for one that the weakest corruption changes
_ENDINGS = (".png", ".svg", ".pdf")


def make(images: ImageSet, dataset: str, picture: Path) -> Path:
    """Draw every corruption at several severities, and write a page that describes each one.

    Args:
        images: the source of the examples. Each corruption is shown on the first image that changes
            at the lowest severity, among the first 200. If none of these changes, it is shown on
            the first image.
        dataset: the data set's name, for the page.
        picture: the PNG, SVG or PDF file to write; the page has the same name with the ending
            ``.md``.

    Returns:
        the page's path.

    Raises:
        InputError: ``picture`` has another ending, or its folder cannot be written to.
    """
    from anomalist.reports import output, panels

    if picture.suffix not in _ENDINGS:
        endings = ", ".join(_ENDINGS)
        raise InputError(f"gallery: the picture must end in {endings}; got {str(picture)!r}")
    make_folder(picture.parent, "gallery's folder")
    names = catalog.own_names("corruptions")
    some = images.take(np.arange(min(_EXAMINED, len(images))))
    rows = [_row(name, some.to_float(), some.index) for name in names]
    titles = ["clean", *(f"{severity:g}" for severity in _SEVERITIES), f"mask at {_MASK_AT:g}"]
    columns = {title: np.stack([row[i] for row in rows]) for i, title in enumerate(titles)}
    output.save(panels.gallery(names, columns), picture)
    page = picture.with_suffix(".md")
    write_text(page, _page(names, dataset, picture.name))
    return page


def paragraph(name: str, label: str) -> str:
    """Return what follows ``label:`` in the docstring of a corruption's file.

    It ends at the next empty line.

    Raises:
        InputError: there is no such paragraph.
    """
    docstring = catalog.find_module("corruptions", name).__doc__ or ""
    for text in docstring.split("\n\n"):
        if text.startswith(f"{label}:"):
            return " ".join(text.removeprefix(f"{label}:").split())
    raise InputError(
        f"the docstring of corruptions/{name}.py has no paragraph that begins with {label}:"
    )


def _row(
    name: str,
    images: NDArray[np.float32],
    index: NDArray[np.int64],
) -> list[NDArray[np.float32]]:
    """Return one image: clean, at each severity, and its mask at the middle severity."""
    corruptions = {severity: _at(name, severity) for severity in _SEVERITIES}
    changed = corruptions[_SEVERITIES[0]](images, seed=0, index=index).masks.any(axis=(1, 2))
    first = int(changed.argmax())
    one = slice(first, first + 1)
    row = [images[first]]
    for corruption in corruptions.values():
        row.append(corruption(images[one], seed=0, index=index[one]).images[0])
    masks = _at(name, _MASK_AT)(images[one], seed=0, index=index[one]).masks
    return [*row, masks[0].astype(np.float32)]


def _at(name: str, severity: float) -> Corruption:
    return parse({"name": name, "severity": severity})


def _page(names: list[str], dataset: str, picture: str) -> str:
    lines = [
        "# Corruptions",
        "",
        f"`anomalist gallery --dataset {dataset}` wrote this page; do not edit it. Each row of the "
        "picture shows one image: clean, corrupted at five severities, and the mask of the pixels "
        "that change at the middle severity.",
        "",
        f"![Every corruption at severities 0.1 to 1, and its mask]({picture})",
        "",
        "The table says what each corruption does, how severity sets its strength, and where it "
        "comes from.",
        "",
        "| name | what it is | strength | source |",
        "|---|---|---|---|",
    ]
    for name in names:
        strength = paragraph(name, "Strength").partition(". ")[0].replace("``", "`")
        idea = catalog.describe("corruptions", name)
        cells = [f"`{name}`", idea, strength, paragraph(name, "Source")]
        escaped = [cell.rstrip(".").replace("|", "\\|") for cell in cells]
        lines.append(f"| {' | '.join(escaped)} |")
    return "\n".join(lines) + "\n"

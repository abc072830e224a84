"""`anomalist gallery`: every corruption at several severities, as a picture and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import datasets, gallery, options

__all__ = ["main"]


def main(words: Sequence[str]) -> None:
    """Draw the picture, write the page, and print where they lie."""
    parser = options.Parser(
        "gallery", "Draw every corruption at several severities, with a page that describes them."
    )
    parser.add_argument(
        "--dataset", default="mnist", help="whose images are shown (default: mnist)"
    )
    parser.add_argument(
        "--out",
        type=options.a_path,
        default=Path("results/corruptions.png"),
        help="the picture; the page lies beside it, as .md",
    )
    found = parser.read(words)
    print(gallery.make(datasets.load(found.dataset).test, found.dataset, found.out))

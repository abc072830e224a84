"""Draw all corruptions at several severities, with a page that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import datasets
from anomalist.cli import _gallery
from anomalist.cli._options import Parser, a_path

__all__ = ["main"]


def main(words: Sequence[str]) -> None:
    """Draw the picture, write the page, and print where they are."""
    parser = Parser("gallery", "Draw every corruption at several severities, with a page on each.")
    parser.add_argument(
        "--dataset", default="mnist", help="data set to take images from (default: mnist)"
    )
    parser.add_argument(
        "--out",
        type=a_path,
        default=Path("results/corruptions.png"),
        help="the picture to write; the page is written beside it, as .md",
    )
    arguments = parser.read(words)
    images = datasets.load(arguments.dataset).test
    print(_gallery.make(images, arguments.dataset, arguments.out))

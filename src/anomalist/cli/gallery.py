"""Draw every corruption at several severities, and write a page that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import datasets
from anomalist.cli import _gallery
from anomalist.cli._parser import Parser, a_path

__all__ = ["main"]

_ABOUT = """\
Draw every corruption at several severities, and write a page that describes each one.

examples:
  anomalist gallery
  anomalist gallery --dataset fashion_mnist --out gallery/corruptions.svg
"""


def main(words: Sequence[str]) -> None:
    """Draw the figure, write the page, and print the path of the page."""
    parser = Parser("gallery", _ABOUT)
    parser.add_argument(
        "--dataset",
        default="mnist",
        metavar="NAME",
        help="data set of the example images (default: mnist)",
    )
    parser.add_argument(
        "--out",
        type=a_path,
        default=Path("results/corruptions.png"),
        metavar="FILE",
        help="figure to write, as .png, .svg or .pdf; the page has the same name and the ending "
        ".md (default: results/corruptions.png)",
    )
    arguments = parser.read(words)
    images = datasets.load(arguments.dataset).test
    print(_gallery.make(images, arguments.dataset, arguments.out))

"""List data sets and where their files belong; `data export` writes a test set to share."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from anomalist import datasets
    from anomalist.cli import _export
    from anomalist.cli._options import Parser

    if list(words[:1]) == ["export"]:
        _export.main(words[1:])
        return
    parser = Parser(
        "data",
        "Show which data sets are ready, which can be fetched, and where files belong;\n"
        "`anomalist data export --help` explains how to write a test set to share.",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME[:OPTION=VALUE,…]",
        help="show all details of one data set",
    )
    name = parser.read(words).name
    for line in datasets.table() if name is None else datasets.details(name):
        print(line)

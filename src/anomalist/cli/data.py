"""Show which data sets are available; `data export` writes a test set to a file."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]

_ABOUT = """\
Show which data sets are ready to use, which can be downloaded, and where to put the files of the
others. `anomalist data export --help` explains how to write a test set to a file.

examples:
  anomalist data
  anomalist data mnist                  papers, licence, status and options of one data set
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from anomalist import datasets
    from anomalist.cli import _export
    from anomalist.cli._parser import Parser

    if list(words[:1]) == ["export"]:
        _export.main(words[1:])
        return
    parser = Parser("data", _ABOUT)
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME[:OPTION=VALUE,…]",
        help="show the details of one data set (default: one line per data set)",
    )
    name = parser.read(words).name
    for line in datasets.table() if name is None else datasets.details(name):
        print(line)

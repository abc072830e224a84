"""List the models, data sets, corruptions, tasks, suites and studies."""

from __future__ import annotations

from collections.abc import Sequence

from anomalist.core import catalog
from anomalist.core.errors import unknown

__all__ = ["main"]


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from anomalist.cli._options import Parser

    kinds = catalog.LISTED
    parser = Parser("list", "List what is available, one line each.")
    parser.add_argument(
        "what",
        nargs="?",
        metavar=f"{{{','.join(kinds)}}}",
        help="default: everything",
    )
    what = parser.read(words).what
    if what is not None and what not in kinds:
        raise unknown("kind", what, kinds)
    for package in [what] if what else kinds:
        print(f"{package}:")
        for name in catalog.names(package):
            print(f"  {name:<18}{catalog.describe(package, name)}")

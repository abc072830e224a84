"""List the available data sets, corruptions, tasks, models, suites and studies."""

from __future__ import annotations

from collections.abc import Sequence

from anomalist.core import catalog
from anomalist.core.errors import unknown

__all__ = ["main"]

_ABOUT = """\
List the available data sets, corruptions, tasks, models, suites and studies with a short
description of each. For what another package adds, the package follows in brackets.

examples:
  anomalist list
  anomalist list models
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from anomalist.cli._parser import Parser

    kinds = catalog.LISTED
    parser = Parser("list", _ABOUT)
    parser.add_argument(
        "what",
        nargs="?",
        metavar=f"{{{','.join(kinds)}}}",
        help="what to list (default: everything)",
    )
    what = parser.read(words).what
    if what is not None and what not in kinds:
        raise unknown("kind", what, kinds)
    for package in [what] if what else kinds:
        print(f"{package}:")
        for name in catalog.names(package):
            origin = catalog.origin(package, name)
            where = "" if origin == "anomalist" else f" [{origin}]"
            print(f"  {name:<18}{catalog.describe(package, name)}{where}")

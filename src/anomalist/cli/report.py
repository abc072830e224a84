"""Write the tables and figures of a study or a run again from its stored results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._options import add_formats
from anomalist.cli._parser import Parser, a_path
from anomalist.core import catalog
from anomalist.core.errors import unknown

__all__ = ["main", "print_report"]

_RUN = "run"
_ABOUT = """\
Write the tables and figures of a study or a run again from its stored results. No detector is
fitted or evaluated.

examples:
  anomalist report difficulty                  report of `anomalist study difficulty`
  anomalist report run --format svg,pdf,tex    figures and table of `anomalist run`, for a paper
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    studies = catalog.names("studies")
    parser = Parser("report", _ABOUT)
    names = (_RUN, *studies)
    parser.add_argument(
        "name",
        metavar=f"{{{','.join(names)}}}",
        help="name of the study, or run for the results of `anomalist run`",
    )
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder of the results (default: results)",
    )
    add_formats(parser)
    arguments = parser.read(words)
    if arguments.name == _RUN:
        from anomalist.reports import pages

        print(pages.remake(arguments.results, arguments.format))
        return
    kept = arguments.results / "studies" / f"{arguments.name}.json"
    if arguments.name not in studies and not kept.exists():
        raise unknown("study", arguments.name, names)

    from anomalist.reports import study

    study.remake(arguments.name, arguments.results, arguments.format)
    print_report(arguments.name, arguments.results)


def print_report(name: str, results: Path) -> None:
    """Print a study's report."""
    print((results / "studies" / f"{name}.md").read_text(encoding="utf-8"))

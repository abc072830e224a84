"""Make a study's tables and pictures again from the stored rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._options import Parser, a_path
from anomalist.core import catalog
from anomalist.core.errors import unknown

__all__ = ["main", "print_report"]


def main(words: Sequence[str]) -> None:
    """Run the command."""
    studies = catalog.names("studies")
    parser = Parser("report", "Make a study's tables and pictures again from the stored rows.")
    parser.add_argument("name", metavar=f"{{{','.join(studies)}}}", help="which study")
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder of the study (default: results)",
    )
    arguments = parser.read(words)
    kept = arguments.results / "studies" / f"{arguments.name}.json"
    if arguments.name not in studies and not kept.exists():
        raise unknown("study", arguments.name, studies)

    from anomalist.reports import study

    study.remake(arguments.name, arguments.results)
    print_report(arguments.name, arguments.results)


def print_report(name: str, results: Path) -> None:
    """Print a study's report."""
    print((results / "studies" / f"{name}.md").read_text(encoding="utf-8"))

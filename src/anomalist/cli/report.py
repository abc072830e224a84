"""Write the tables and figures of a study or a run again, or one HTML file of all results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._options import add_formats
from anomalist.cli._parser import Parser, a_path
from anomalist.core import catalog
from anomalist.core.errors import InputError, unknown

__all__ = ["main", "print_report", "write_html"]

_RUN = "run"
_ABOUT = """\
Write the tables and figures of a study or a run again from its stored results. No detector is
fitted or evaluated.

With --html, write everything in a folder of results to one HTML file instead: a gallery, a
threshold slider, curves, every table, and what was run. The file needs no network and can be sent
to others. FOLDER is the results of a run, studies and benchmarks, or of `anomalist score` or
`anomalist evaluate`.

examples:
  anomalist report difficulty                  report of `anomalist study difficulty`
  anomalist report run --format svg,pdf,tex    figures and table of `anomalist run`, for a paper
  anomalist report results --html report.html  everything in the folder results, as one page
  anomalist report scores --html report.html   the scores of your own images
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    studies = catalog.names("studies")
    parser = Parser("report", _ABOUT)
    names = (_RUN, *studies)
    parser.add_argument(
        "name",
        metavar=f"{{{','.join(names)},FOLDER}}",
        help="a study; run for the results of `anomalist run`; with --html, a folder of results",
    )
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder of the results of a study or a run (default: results)",
    )
    parser.add_argument(
        "--html",
        type=a_path,
        metavar="FILE.html",
        help="write one interactive HTML file of all results in the folder",
    )
    add_formats(parser)
    arguments = parser.read(words)
    if arguments.html is not None:
        is_folder = arguments.name not in names
        folder = Path(arguments.name) if is_folder else arguments.results
        if arguments.format:
            raise InputError("--format does not apply to --html: give one of them")
        _check_html(arguments.html, folder)
        write_html(folder, arguments.html)
        return
    if arguments.name == _RUN:
        from anomalist.reports import pages

        print(pages.remake(arguments.results, arguments.format))
        return
    kept = arguments.results / "studies" / f"{arguments.name}.json"
    if arguments.name not in studies and not kept.exists():
        if Path(arguments.name).is_dir():
            raise InputError(
                f"{arguments.name!r} is a folder: add --html FILE.html to write its report"
            )
        raise unknown("study", arguments.name, names)

    from anomalist.reports import study

    study.remake(arguments.name, arguments.results, arguments.format)
    print_report(arguments.name, arguments.results)


def print_report(name: str, results: Path) -> None:
    """Print a study's report."""
    print((results / "studies" / f"{name}.md").read_text(encoding="utf-8"))


def write_html(folder: Path, path: Path) -> None:
    """Write the interactive report of a folder, and print its path and size."""
    from anomalist.reports import html

    html.write(html.collect(folder), path.resolve())
    print(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in any browser")


def _check_html(path: Path, folder: Path) -> None:
    """Check the file to write and the folder to read.

    Raises:
        InputError: the file has another ending, its folder does not exist, or there is no folder of
            results.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--html writes a .html file, got {str(path)!r}")
    if (path.exists() and not path.is_file()) or not path.parent.is_dir():
        raise InputError(
            f"--html {str(path)!r} cannot be written: choose a file in an existing folder"
        )
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}: give the folder of results")

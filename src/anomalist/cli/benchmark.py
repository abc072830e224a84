"""Compare detectors on a suite of tasks, with statistical tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import suites
from anomalist.cli._execution import add_execution, execution
from anomalist.cli._parser import Parser, a_path, options_of
from anomalist.core import catalog
from anomalist.core.config_file import write_config

__all__ = ["main"]

_ABOUT = """\
Compare detectors on all tasks of a suite, over several seeds. The report ranks the detectors and
tests which differences are significant. Finished trials are not run again: an interrupted benchmark
resumes where it stopped.

suites:
{suites}

examples:
  anomalist benchmark quick                        the suite's detectors, under two minutes
  anomalist benchmark quick --models lof:k=5 pca   your choice from `anomalist list models`
  anomalist benchmark cross-domain --data DIR      some data sets are read from the folder DIR

To compare your own detector with stored results, write it to src/anomalist/models/mine.py. Only
your detector is run:
  anomalist benchmark quick --models mine --reference docs/benchmark/quick.csv

To add scores of other software to the table, see docs/guide/scores_schema.md:
  anomalist data export "quick/digits one-class/class 2" --seed 0 --out test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv
  anomalist benchmark quick --reference theirs.csv

The folder RESULTS/benchmarks/SUITE then contains report.md, rows.csv (for a later --reference),
leaderboard.csv and the figures.
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a trial failed, else 0."""
    about = {
        name.replace("_", "-"): catalog.describe("suites", name) for name in catalog.names("suites")
    }
    listed = "\n".join(f"  {name:<14}{line}" for name, line in about.items())
    parser = Parser("benchmark", _ABOUT.format(suites=listed))
    parser.add_argument("suite", metavar=f"{{{','.join(about)}}}", help="the suite to run")
    _add_options(parser)
    arguments = parser.read(words)
    where = execution(arguments)
    suite = suites.load(arguments.suite, arguments.data)

    from anomalist.reports import benchmark as report
    from anomalist.running import benchmark

    outcome = benchmark.run(
        suite,
        arguments.results,
        models=arguments.models,
        seeds=arguments.seeds,
        references=arguments.reference,
        **where,
    )
    folder = arguments.results / "benchmarks" / suite.name
    print(report.report(outcome, folder, arguments.format))
    write_config(folder / "options.yaml", options_of(arguments))
    return 1 if outcome.failures else 0


def _add_options(parser: Parser) -> None:
    parser.add_argument(
        "--models",
        nargs="+",
        default=(),
        metavar="MODEL",
        help="detectors to run, each as NAME or NAME:OPTION=VALUE,… (default: those of the suite)",
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        default=(),
        type=a_path,
        metavar="FILE",
        help="CSV files of stored results to compare with, such as the rows.csv of a benchmark",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="number of seeds (default: set by the suite)",
    )
    parser.add_argument(
        "--data",
        type=a_path,
        default=Path("data"),
        help="folder of the data sets that a suite reads by path (default: data)",
    )
    add_execution(parser)

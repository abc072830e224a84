"""Compare detectors on the tasks of a suite, with statistical tests and stored results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import suites
from anomalist.cli._execution import add_execution, execution
from anomalist.cli._options import Parser, a_path
from anomalist.core import catalog

__all__ = ["main"]

_ABOUT = """\
Run detectors on all tasks of a suite over several seeds, and report which is better, by how much,
and whether the difference is significant. Finished trials are never run again: a benchmark that was
stopped resumes from there.

suites:
{suites}

examples:
  anomalist benchmark quick
  anomalist benchmark quick --models lof:k=5 pca       any of `anomalist list models`, with options
  anomalist benchmark cross-domain --data shared/data  the folder of data sets given by path

your own detector, compared with stored results (only your detector is run):
  write src/anomalist/models/mine.py, then
  anomalist benchmark quick --models mine --reference docs/benchmark/quick.csv

scores of other software, in the same table (docs/scores-schema.md):
  anomalist data export "quick/digits one-class/class 2" --seed 0 --out test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv
  anomalist benchmark quick --reference theirs.csv

written to RESULTS/benchmarks/SUITE: report.md, rows.csv (for a later --reference),
leaderboard.csv, pictures
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a trial failed, else 0."""
    about = {
        name.replace("_", "-"): catalog.describe("suites", name) for name in catalog.names("suites")
    }
    listed = "\n".join(f"  {name:<14}{line}" for name, line in about.items())
    parser = Parser("benchmark", _ABOUT.format(suites=listed))
    parser.add_argument("suite", metavar=f"{{{','.join(about)}}}", help="which suite")
    parser.add_argument(
        "--models",
        nargs="+",
        default=(),
        metavar="NAME:OPTION=VALUE,…",
        help="detectors to run",
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        default=(),
        type=a_path,
        metavar="FILE",
        help="stored rows to compare them with",
    )
    parser.add_argument(
        "--seeds", type=int, help="how many seeds (default: the suite's own number)"
    )
    parser.add_argument(
        "--data",
        type=a_path,
        default=Path("data"),
        help="folder with data sets given by path (default: data)",
    )
    add_execution(parser)
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
    print(report.report(outcome, arguments.results / "benchmarks" / suite.name))
    return 1 if outcome.failures else 0

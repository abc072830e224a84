"""`anomalist benchmark`: a suite of tasks, detectors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import catalog, suite
from anomalist.commands._execution import add_execution, execution
from anomalist.options import Parser, a_path

__all__ = ["main"]

_ABOUT = """\
Run detectors on all tasks of a suite over several seeds, and say which is better, by how much, and whether that holds.
What is finished is never run again: a benchmark that was stopped goes on where it was.

suites:
{suites}

examples:
  anomalist benchmark quick
  anomalist benchmark quick --models lof:k=5 pca       other detectors: any of `anomalist list models`, with options
  anomalist benchmark cross-domain --data shared/data  where data sets given by path lie

your own detector, beside results that are kept (nothing but yours is run):
  write src/anomalist/models/mine.py, then
  anomalist benchmark quick --models mine --reference docs/benchmark/quick.csv

scores of other software, in the same table (docs/scores-schema.md):
  anomalist data export "quick/digits one-class/class 2" --seed 0 --out test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv
  anomalist benchmark quick --reference theirs.csv

written to RESULTS/benchmarks/SUITE: report.md, rows.csv (a later --reference), leaderboard.csv, pictures
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a trial failed, else 0."""
    names = {
        name.replace("_", "-"): catalog.describe("suites", name) for name in catalog.names("suites")
    }
    listed = "\n".join(f"  {name:<14}{line}" for name, line in names.items())
    parser = Parser("benchmark", _ABOUT.format(suites=listed))
    parser.add_argument("suite", metavar="{" + ",".join(names) + "}", help="which suite")
    parser.add_argument(
        "--models", nargs="+", default=(), metavar="NAME:OPTION=VALUE,…", help="detectors to run"
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        default=(),
        type=a_path,
        metavar="FILE",
        help="rows to put beside them",
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
    found = parser.read(words)
    where = execution(found)
    chosen = suite.load(found.suite, found.data)

    from anomalist.studies import benchmark, benchmark_report

    outcome = benchmark.run(
        chosen,
        found.results,
        models=found.models,
        seeds=found.seeds,
        references=found.reference,
        **where,
    )
    print(benchmark_report.report(outcome, found.results / "benchmarks" / chosen.name))
    return 1 if outcome.failures else 0

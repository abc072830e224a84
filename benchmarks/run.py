"""Run the benchmarks one after the other; print their ratios, and keep or compare them.

    python benchmarks/run.py [NAMES] [--quick] [--check]

Every file here that does not begin with an underscore is a benchmark. Each benchmark runs in a
separate process. A ratio compares two things that were measured in the same run. The ratios are
written to results/NAME.json, with machine, versions and commit.

`--check` writes nothing. It compares the ratios with the kept ones and lists those that are worse
by more than 25 %; if there are any, it exits with status 1. `--quick` does little work, to show
that everything runs. Its ratios have no meaning and are not kept.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _bench import WORST_CHANGE, compare, number, read_record
from tabulate import tabulate

from anomalist.core.files import make_folder, write_json

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"

Record = dict[str, Any]  # a kept result, with its environment


def names() -> list[str]:
    """Return the names of all benchmarks, sorted."""
    stems = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
    return [stem for stem in stems if stem != Path(__file__).stem]


def run(name: str, quick: bool) -> Record | None:
    """Run a benchmark in a separate process; return its record, or None if it failed.

    Its standard error, such as the progress of training, is shown only if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "result.json")
        command = [sys.executable, str(FOLDER / "_child.py"), name, str(file)]
        if quick:
            command.append("--quick")
        process = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if process.returncode:
            print(process.stderr)
            return None
        return read_record(file)


def table(records: Sequence[Record], kept: Sequence[Record | None]) -> str:
    """Return a table of the ratios of all records, with the kept ratios."""
    rows = []
    for record, before in zip(records, kept, strict=True):
        old = before["ratios"] if before else {}
        for ratio, value in record["ratios"].items():
            now = number(value)
            then = number(old[ratio]) if ratio in old else "-"
            rows.append((record["name"], ratio, now, then))
    headers = ("benchmark", "ratio, higher is better", "now", "kept")
    align = ("left", "left", "right", "right")
    return tabulate(rows, headers, colalign=align if rows else None, disable_numparse=True)


def skipped_lines(record: Record) -> list[str]:
    """Return one line for each part that could not be measured."""
    return [f"{record['name']}: skipped: {line}" for line in record["skipped"]]


def check_lines(record: Record, kept: Record | None) -> tuple[list[str], bool]:
    """Compare a record with the kept one; return lines to print, and whether a ratio is worse."""
    name = record["name"]
    if not record["ratios"]:  # skipped as a whole; skipped_lines reports it
        return [], False
    if kept is None:
        return [f"{name}: new: no ratios are kept yet; `make bench` keeps them"], False
    comparison = compare(kept["ratios"], record["ratios"])
    lines = []
    for ratio, (before, now) in comparison.worse.items():
        fall = 1 - now / before
        change = f"{number(before)} before, {number(now)} now"
        lines.append(f"{name}: worse by {fall:.0%}: {ratio}: {change}")
    lines += [f"{name}: new: {ratio}" for ratio in comparison.new]
    lines += [f"{name}: missing: {ratio}" for ratio in comparison.missing]
    return lines, bool(comparison.worse)


def keep(record: Record, folder: Path) -> bool:
    """Write a record to the kept files, unless it was skipped as a whole; return if it is written.

    Args:
        record: the record.
        folder: folder of the kept files.
    """
    if not record["ratios"]:
        return False
    write_json(make_folder(folder) / f"{record['name']}.json", record)
    return True


def read_kept(name: str, folder: Path) -> Record | None:
    """Return the kept record of a benchmark, or None."""
    file = folder / f"{name}.json"
    return read_record(file) if file.is_file() else None


def main() -> int:
    """Run, print, and keep or compare; return the exit status."""
    options = _options()
    records = []
    failed = []
    for name in options.names or names():
        print(f"\n=== {name}", flush=True)
        record = run(name, options.quick)
        if record is None:
            failed.append(name)
        else:
            records.append(record)
    kept = [read_kept(record["name"], RESULTS) for record in records]
    print("\n" + table(records, kept))
    for record in records:
        for line in skipped_lines(record):
            print(line)
    worse = _finish(records, kept, options)
    for name in failed:
        print(f"{name}: failed, see the error above")
    return int(worse or bool(failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ", ".join(names())
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"{known} (default: all)")
    parser.add_argument("--quick", action="store_true", help="do little work and keep nothing")
    parser.add_argument("--check", action="store_true", help="compare with the kept ratios")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in names()]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {known}")
    if options.quick and options.check:
        parser.error("the ratios of --quick have no meaning: use --check without it")
    return options


def _finish(
    records: Sequence[Record],
    kept: Sequence[Record | None],
    options: argparse.Namespace,
) -> bool:
    """Keep or compare the records, and print the outcome; return whether a ratio is worse."""
    if options.quick:
        print("--quick: the ratios have no meaning; nothing was written")
        return False
    if not options.check:
        written = [record["name"] for record in records if keep(record, RESULTS)]
        print(f"written to {RESULTS}: {', '.join(written) or 'nothing'}")
        return False
    worse = False
    for record, before in zip(records, kept, strict=True):
        lines, got_worse = check_lines(record, before)
        for line in lines:
            print(line)
        worse = worse or got_worse
    if not worse:
        print(f"no ratio is worse by more than {WORST_CHANGE:.0%}")
    return worse


if __name__ == "__main__":
    sys.exit(main())

"""Measure one benchmark in a separate process and write its result; run.py starts this script.

    python benchmarks/_child.py NAME FILE [--quick]

Each benchmark then has separate memory and thread settings. Nothing may import NumPy before the
benchmark does, because some benchmarks first set the number of its threads.
"""

import argparse
import importlib
import time
from pathlib import Path


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    benchmark = importlib.import_module(options.name)
    from _bench import Missing, Result, write_result

    start = time.perf_counter()
    try:
        result = benchmark.measure(options.quick)
    except Missing as missing:
        result = Result(options.name, skipped=[str(missing)])
    write_result(options.file, result, time.perf_counter() - start)


if __name__ == "__main__":
    main()

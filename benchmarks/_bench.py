"""Shared code of the benchmarks: results, times taken in turns, kept files, comparisons."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from anomalist.core.environment import environment
from anomalist.core.errors import InputError
from anomalist.core.files import write_json

if TYPE_CHECKING:
    from anomalist.images import Dataset

WORST_CHANGE = 0.25  # a ratio that falls by a larger fraction is worse

# Packages that benchmarks compare with, in addition to those that `environment` lists.
_COMPARED = ("scikit-learn", "pillow", "threadpoolctl", "adeval", "opencv-python-headless")


class Missing(Exception):  # noqa: N818  # a reason to skip, not a failure
    """A requirement of a benchmark is missing; the message names it and says how to get it."""


@dataclass(frozen=True)
class Result:
    """The measurements of one benchmark.

    Attributes:
        name: name of the benchmark, which is that of its file.
        ratios: ratios of times or rates measured in one run; higher is better.
        details: seconds, rates and the like, for information; they are never compared.
        threads: largest number of processor threads or processes in use.
        skipped: what could not be measured, and how to get what is missing, one line each.
    """

    name: str
    ratios: dict[str, float] = field(default_factory=dict)
    details: dict[str, float] = field(default_factory=dict)
    threads: int = 1
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    """Comparison of ratios with kept ones, by name."""

    worse: dict[str, tuple[float, float]]  # the kept ratio and the one measured now
    new: list[str]
    missing: list[str]


def compare(kept: Mapping[str, float], measured: Mapping[str, float]) -> Comparison:
    """Return which ratios are worse by more than 25 %, which are new and which are missing."""
    shared = [name for name in measured if name in kept]
    lowest = 1 - WORST_CHANGE
    return Comparison(
        worse={
            name: (kept[name], measured[name])
            for name in shared
            if measured[name] < lowest * kept[name]
        },
        new=[name for name in measured if name not in kept],
        missing=[name for name in kept if name not in measured],
    )


def write_result(path: Path, result: Result, seconds: float) -> None:
    """Write a result with machine, versions and commit. The file is complete, or not written.

    Args:
        path: the file.
        result: the measurements.
        seconds: duration of the whole benchmark.
    """
    surroundings = environment(result.threads, "cpu", "float32", {"benchmark": seconds})
    surroundings["packages"] |= _versions()
    record = asdict(result)
    record["ratios"] = _rounded(result.ratios)
    record["details"] = _rounded(result.details)
    write_json(path, {**record, "environment": surroundings})


def read_record(path: Path) -> dict[str, Any]:
    """Return the whole record that :func:`write_result` wrote."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def read_result(path: Path) -> Result:
    """Return the result that :func:`write_result` wrote, without its environment."""
    record = read_record(path)
    return Result(**{one.name: record[one.name] for one in fields(Result)})


def median_times(
    calls: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    warm_ups: int = 0,
) -> dict[str, float]:
    """Return each call's median time in seconds, with the calls taken in turns.

    Args:
        calls: the calls to time, by name.
        repeats: number of timed runs of each call.
        clock: returns the time in seconds.
        warm_ups: number of untimed runs before them.
    """
    for _ in range(warm_ups):
        for call in calls.values():
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def load_mnist() -> Dataset:
    """Return MNIST.

    Raises:
        Missing: MNIST is not in the cache and cannot be downloaded.
    """
    from anomalist import datasets  # not at the top: it imports torch

    try:
        return datasets.load("mnist")
    except InputError as error:
        raise Missing(str(error)) from None


def number(value: float) -> str:
    """Return a number with three digits, or from 1,000 on without decimals."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def print_result(measure: Callable[[], Result]) -> None:
    """Print the ratios; if something is missing, print one line and exit with status 1."""
    try:
        result = measure()
    except Missing as missing:
        sys.exit(f"error: {missing}")
    rows = [(name, number(ratio)) for name, ratio in result.ratios.items()]
    print(tabulate(rows, ("ratio, higher is better", ""), disable_numparse=True))
    for line in result.skipped:
        print(f"skipped: {line}")


def _versions() -> dict[str, str]:
    versions = {}
    for package in _COMPARED:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items()}

"""Time and memory of the pixel metrics, compared with scikit-learn, adeval and a plain sort.

    python benchmarks/pixel_metrics.py [FOLDER] [--repeats 5] [--quick]

FOLDER contains make_maps.py, which generates the seeded sets of small defects (default:
../shared/bench beside the repository). Another set has the size of the large one; its masks cover a
quarter of the pixels. Every time is the median of several runs, taken in turns. Quote the ratios,
because the times depend on the machine and its load. Memory is what tracemalloc measures beyond the
input.

The package adeval computes AUROC, average precision and AUPRO together from histograms of 1,000
bins, so its values are approximate. On the large sets it is compared with three ways to compute
them exactly: three calls, one call of `localization_metrics`, and `localization_intervals`, which
also computes intervals.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy starts its threads

import numpy as np
import scipy
import sklearn
from _bench import Missing, Result, median_times, print_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from anomalist.metrics import aupro, localization_intervals, pixel_auroc, pixel_average_precision

DEFAULT_FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "bench"
EXPECTED = {  # AUPRO by brute force in float64, and pixel AUROC
    "large": (0.5380928216614, 0.8101399687667),
    "small": (0.5365504596794, 0.8139490320284),
    "ties": (0.5341938720790, 0.8086915551065),
}
REPEATS = {"small": 15, "ties": 25}  # instead of 5, because short times vary more
SKLEARN = "sklearn roc_auc_score"
SORT = "numpy.sort"
ADEVAL = "adeval"
THREE = "three calls"
JOINT = "localization_metrics"
INTERVALS = "localization_intervals"

Maps = NDArray[np.float32]
Masks = NDArray[np.bool_]
Three = tuple[float, float, float]  # AUROC, average precision, AUPRO
Adeval = Callable[[Maps, Masks], Three]


@dataclass(frozen=True)
class MapSet:
    """Score maps and masks, with the options of their comparison."""

    name: str
    maps: Maps
    masks: Masks
    repeats: int
    clusters: NDArray[np.int64] | None = None
    against_adeval: bool = False
    expected: tuple[float, float] | None = None  # AUPRO and AUROC


def joint(maps: Maps, masks: Masks) -> Three:
    """Return the three metrics from one call."""
    from anomalist.metrics import localization_metrics

    values = localization_metrics(maps, masks)
    return values["pixel_auroc"], values["pixel_ap"], values["aupro"]


def three_calls(maps: Maps, masks: Masks) -> Three:
    """Return the three metrics from one call each."""
    return pixel_auroc(maps, masks), pixel_average_precision(maps, masks), aupro(maps, masks)


def load_adeval() -> Adeval:
    """Return the function that computes adeval's three metrics on the processor.

    Raises:
        Missing: adeval is not installed.
    """
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid  # adeval uses the name that NumPy 2.4 has removed
    try:
        from adeval import auroc_aupr_aupro
    except ImportError as error:
        raise Missing(
            f"adeval cannot be imported ({error}): "
            "pip install --no-deps -r requirements-bench.txt, or `make bench`"
        ) from None
    return lambda maps, masks: auroc_aupr_aupro(maps, masks.view(np.uint8))


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the peak memory of the call."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def others_calls(one: MapSet, adeval: Adeval | None) -> dict[str, Callable[[], object]]:
    """Return the calls that the package is compared with, by name."""
    flat = one.maps.ravel()
    truth = one.masks.ravel()
    calls: dict[str, Callable[[], object]] = {
        SKLEARN: lambda: roc_auc_score(truth, flat),
        SORT: lambda: np.sort(flat),
    }
    if adeval is not None and one.against_adeval:
        calls[ADEVAL] = lambda: adeval(one.maps, one.masks)
    return calls


def our_calls(one: MapSet) -> dict[str, Callable[[], object]]:
    """Return the package's functions, by name."""
    maps = one.maps
    masks = one.masks
    return {
        "aupro": lambda: aupro(maps, masks),
        "pixel_auroc": lambda: pixel_auroc(maps, masks),
        "pixel_average_precision": lambda: pixel_average_precision(maps, masks),
        THREE: lambda: three_calls(maps, masks),
        JOINT: lambda: joint(maps, masks),
        INTERVALS: lambda: localization_intervals(maps, masks, clusters=one.clusters),
    }


def compare(one: MapSet, adeval: Adeval | None) -> Result:
    """Print one set's table: time, ratios and memory."""
    others = others_calls(one, adeval)
    ours = our_calls(one)
    calls = {**others, **ours}
    times = median_times(calls, one.repeats)
    memory = {name: peak_bytes(call) / one.maps.nbytes for name, call in calls.items()}
    shape = " x ".join(map(str, one.maps.shape))
    print(f"\n{one.name}: {shape}, {100 * one.masks.mean():.2f} % anomalous")
    print_table(times, memory)
    print_errors(one, adeval if ADEVAL in others else None)
    ratios = {}
    for name in ours:
        ratios[f"{one.name}: sklearn / {name}"] = times[SKLEARN] / times[name]
        ratios[f"{one.name}: maps / memory of {name}"] = 1 / memory[name]
    if ADEVAL in others:
        for name in (THREE, JOINT, INTERVALS):
            ratios[f"{one.name}: adeval / {name}"] = times[ADEVAL] / times[name]
    details = {f"{one.name}: {name}, s": seconds for name, seconds in times.items()}
    return Result("pixel_metrics", ratios, details)


def print_table(times: dict[str, float], memory: dict[str, float]) -> None:
    """Print times in seconds, ratios, and memory relative to that of the maps."""
    rows = []
    for name, seconds in times.items():
        to_sklearn = times[SKLEARN] / seconds
        to_adeval = times[ADEVAL] / seconds if ADEVAL in times else None
        to_sort = seconds / times[SORT]
        row = (name, seconds, to_sklearn, to_adeval, to_sort, memory[name])
        rows.append(row)
    headers = ("", "s", "sklearn / it", "adeval / it", "it / sort", "memory / maps")
    formats = ("", ".4f", ".1f", ".1f", ".2f", ".2f")
    print(tabulate(rows, headers, floatfmt=formats, missingval="-"), flush=True)


def print_errors(one: MapSet, adeval: Adeval | None) -> None:
    """Print the differences from the reference, or from the exact values."""
    exact = three_calls(one.maps, one.masks)
    if one.expected is not None:
        auroc, _, area = exact
        errors = np.abs(np.subtract((area, auroc), one.expected))
        print(f"difference from the reference: {errors.max():.1e}")
    off = np.abs(np.subtract(joint(one.maps, one.masks), exact))
    print(f"difference of one call from three calls: {off.max():.1e}")
    if adeval is not None:
        off = np.abs(np.subtract(adeval(one.maps, one.masks), exact))
        print("error of adeval: {:.1e} (AUROC), {:.1e} (AP), {:.1e} (AUPRO)".format(*off))


def quarter(count: int, side: int) -> tuple[Maps, Masks]:
    """Return smooth noise with slightly higher values in a square of a quarter of each map."""
    rng = np.random.default_rng(5)
    maps = rng.random((count, side, side), dtype=np.float32)
    for axis in (1, 2):
        maps = (maps + np.roll(maps, 1, axis) + np.roll(maps, -1, axis)) / np.float32(3)
    masks = np.zeros(maps.shape, dtype=bool)
    half = side // 2
    corners = rng.integers(half + 1, size=(count, 2))
    for mask, (top, left) in zip(masks, corners, strict=True):
        mask[top : top + half, left : left + half] = True
    maps += masks * np.float32(0.12)
    return maps, masks


def many_small(share: float, count: int) -> tuple[Maps, Masks]:
    """Return maps of 28 x 28; half of them have a hole (share 0), or noise on this share."""
    rng = np.random.default_rng(4)
    shape = (count, 28, 28)
    half = count // 2
    maps = rng.random(shape, dtype=np.float32) + rng.random(shape, dtype=np.float32)
    masks = np.zeros(shape, dtype=bool)
    masks[half:] = rng.random((count - half, 28, 28), dtype=np.float32) < share
    if share == 0:
        masks[half:, 5:8, 5:8] = True
    maps += masks * np.float32(0.5)
    return maps, masks


def quick_sets() -> Iterator[MapSet]:
    """Yield a tiny set of each kind."""
    from make_maps import make_maps

    maps, masks = make_maps(8, 64, 1)
    yield MapSet("large", maps, masks, repeats=1, against_adeval=True)
    maps, masks = quarter(8, 64)
    yield MapSet("quarter", maps, masks, repeats=1, against_adeval=True)
    maps, masks = many_small(0.0, 200)
    pairs = np.tile(np.arange(100), 2)
    yield MapSet("holes", maps, masks, repeats=1, clusters=pairs)


def all_sets(repeats: int | None) -> Iterator[MapSet]:
    """Yield every set; each one is generated when it is needed."""
    from make_maps import standard

    for name, expected in EXPECTED.items():
        maps, masks = standard(name)
        yield MapSet(
            name,
            maps,
            masks,
            repeats=repeats or REPEATS.get(name, 5),
            against_adeval=name == "large",
            expected=expected,
        )
    repeats = repeats or 5
    maps, masks = quarter(200, 256)
    yield MapSet("quarter", maps, masks, repeats, against_adeval=True)
    pairs = np.tile(np.arange(10_000), 2)
    for name, share in (("holes", 0.0), ("noise", 0.5)):
        maps, masks = many_small(share, 20_000)
        yield MapSet(name, maps, masks, repeats, clusters=pairs)


def measure(
    quick: bool,
    *,
    repeats: int | None = None,
    folder: Path = DEFAULT_FOLDER,
) -> Result:
    """Compare on every set.

    Args:
        quick: compare on tiny sets, once.
        repeats: number of calls of each; by default 5, more for short calls.
        folder: contains make_maps.py.
    """
    if not (folder / "make_maps.py").exists():
        raise Missing(
            f"no make_maps.py in {folder}: put the project's shared folder bench there, or give "
            "another folder: python benchmarks/pixel_metrics.py FOLDER"
        )
    sys.path.insert(0, str(folder))
    skipped = []
    adeval = None
    try:
        adeval = load_adeval()
    except Missing as missing:
        skipped.append(str(missing))
    print_machine()
    ratios: dict[str, float] = {}
    details: dict[str, float] = {}
    for one in quick_sets() if quick else all_sets(repeats):
        part = compare(one, adeval)
        ratios |= part.ratios
        details |= part.details
    return Result("pixel_metrics", ratios, details, skipped=skipped)


def print_machine() -> None:
    """Print the versions and the machine."""
    versions = (
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    )
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"Python {platform.python_version()}, {versions}, {machine}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", nargs="?", type=Path, default=DEFAULT_FOLDER, help="contains make_maps.py"
    )
    parser.add_argument(
        "--repeats", type=int, help="number of calls of each (default: 5; 15 or 25 for small sets)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sets")
    options = parser.parse_args()
    print_result(lambda: measure(options.quick, repeats=options.repeats, folder=options.folder))


if __name__ == "__main__":
    main()

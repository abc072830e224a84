"""The main job: fit one detector on normal images, then tell anomalous test images from normal ones.

Anomalies are corrupted twins of the test images, each corruption at several strengths, and the real
defects of a data set that has them. Each number comes with a 95 % interval. Nothing of the test
split reaches fitting, thresholds or scales.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from anomalist import datasets
from anomalist._version import __version__
from anomalist.baseline_config import Baseline, Kind, quick
from anomalist.baseline_results import Results
from anomalist.calibration import rate_range
from anomalist.console import is_live, say
from anomalist.dataset import parse
from anomalist.datasets.folder import Folder
from anomalist.detector import Scores
from anomalist.environment import Stopwatch, environment
from anomalist.errors import InputError
from anomalist.evaluation import Evaluation, Judge
from anomalist.files import make_folder, write_json
from anomalist.images import Dataset
from anomalist.memory import check_fits
from anomalist.reports import pages, tables
from anomalist.split import Split
from anomalist.tasks.defects import has_defects
from anomalist.training import resolve, using_threads

__all__ = ["Baseline", "quick", "run"]

_MUCH_MEMORY = 2e9  # bytes that are worth a line
_AT_ONCE = 2  # kinds of anomaly whose metrics are computed side by side


def run(
    config: Baseline, results: Path, *, save_maps: bool = False, quick: bool = False
) -> list[dict[str, Any]]:
    """Run the main job, say how it goes, and write everything to the folder ``results``.

    Args:
        config: what to run; what it leaves open is settled by the size of the data set.
        results: where to write; the folder is made if need be.
        save_maps: whether ``scores.npz`` also holds every pixel map.
        quick: whether no more images are taken than a run of seconds takes.

    Returns:
        the rows of ``metrics.json``.

    Raises:
        InputError: anything that the user can mend: a name, a size, a folder, a missing extra.
    """
    resolve(config.device, config.precision)
    config.model.check_installed()
    _check_outside(config.dataset, results)
    make_folder(results)
    lock = FileLock(results / ".run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"another run writes to {str(results)!r} now: wait for it, or name another folder"
        ) from None
    try:
        return _run(config, Results(results), save_maps, quick)
    finally:
        lock.release()


def _run(config: Baseline, results: Results, save_maps: bool, quick: bool) -> list[dict[str, Any]]:
    earlier = results.earlier()
    watch = Stopwatch()
    with using_threads(config.threads) as threads:
        say(
            f"anomalist {__version__}: {config.model.label} on {config.dataset}, seed "
            f"{config.seed}, {threads} threads"
        )
        with watch("data"):
            dataset = datasets.load(config.dataset)
            config = config.sized(dataset, quick=quick)
            assert config.corruptions is not None
            assert config.false_alarm_rate is not None
            assert config.calibration is not None
            for (
                corruption
            ) in config.corruptions:  # one beyond what the images allow is said before the fit
                corruption.severity_at(dataset.test.images.shape[2:])
            _check_memory(dataset)
            task = (
                config.defects(())
                if has_defects(dataset)
                else config.corrupted(config.corruptions[0])
            )
            train, held_out = task.training(dataset, config.seed)
            clean = task.normal(dataset, config.seed)
        say(f"data: {dataset.source}")
        say(
            f"{len(train):,} images to train on, {len(held_out):,} held out for thresholds, "
            f"{len(clean):,} to test"
        )
        results.begin(config, datasets.stats(dataset), earlier)
        with watch("fit"):
            detector = config.detector().fit(train.images)
        detector.save(results.folder / "model")
        write_json(results.folder / "training.json", {"loss": detector.history})
        with watch("test"):
            judge = Judge(detector, held_out, clean, config.false_alarm_rate)
            low, high = rate_range(config.calibration, config.false_alarm_rate)
            say(
                f"threshold {judge.threshold:.4g}: {config.false_alarm_rate:.1%} false alarms "
                "expected on average over "
                f"held-out sets, for this one {low:.1%} to {high:.1%} (95 %)"
            )
            results.scored_normal(judge, dataset.test, save_maps)
            _test(config, dataset, judge, results)
        with watch("plots"):
            pages.draw(results.folder)
        made = environment(threads, config.device, config.precision, watch.seconds)
        write_json(results.folder / "environment.json", made)
    say(tables.baseline_table(results.rows))
    say(
        f"total {sum(watch.seconds.values()):.0f} s: "
        + ", ".join(f"{k} {v:.1f} s" for k, v in watch.seconds.items())
    )
    say(f"results in {results.folder}: {results.listing()}")
    return results.rows


def _check_outside(spec: str, results: Path) -> None:
    """Raise InputError for results within the data set's folder, where the next run would take pictures for images."""
    data = parse(spec)
    if isinstance(data, Folder) and data.path:
        root = Path(data.path).expanduser().resolve()
        if results.resolve().is_relative_to(root):
            raise InputError(
                f"--results {str(results)!r} lies within the images {data.path!r}: name another "
                "folder"
            )


def _check_memory(dataset: Dataset) -> None:
    """Say how much memory the images take as float32 where it is much, and refuse what does not fit."""
    values = 4 * dataset.train.images[:1].size
    needed = values * (
        len(dataset.train) + 3 * len(dataset.test)
    )  # tested normal, corrupted, and with its maps
    sides = " x ".join(map(str, dataset.train.images.shape[1:]))
    check_fits(
        needed,
        f"{len(dataset.train) + len(dataset.test):,} images of {sides}",
        "take fewer, or smaller ones",
    )
    if needed > _MUCH_MEMORY:
        say(f"images of {sides} take about {needed / 1e9:.1f} GB of memory")


def _test(config: Baseline, dataset: Dataset, judge: Judge, results: Results) -> None:
    """Judge each kind of anomaly; finished ones are kept, come what may."""
    types = len(_defect_types(dataset))
    kinds = len(config.corruptions or ()) + types + (types > 1)
    bar = tqdm(total=kinds, desc="testing", unit="kind of anomaly", disable=not is_live())
    pool = ThreadPoolExecutor(
        _AT_ONCE
    )  # metrics are most of the work and NumPy lets threads run side by side
    waiting: deque[tuple[Kind, Split, Future[Evaluation]]] = deque()
    try:
        for kind, anomalies, found in _anomalies(config, dataset, judge):
            waiting.append(
                (kind, anomalies, pool.submit(judge.compare, found, anomalies, seed=config.seed))
            )
            results.scored(kind, anomalies, found, judge.detector)
            if len(waiting) > _AT_ONCE:
                _collect(waiting, results, bar)
        while waiting:
            _collect(waiting, results, bar)
    except InputError:
        while waiting:  # what was given out before stays true
            _collect(waiting, results, bar)
        raise
    except KeyboardInterrupt:
        done = len({row["setting"] for row in results.rows})
        say(
            f"interrupted: {done} of {bar.total} kinds of anomaly are finished and kept in "
            f"{results.folder}"
        )
        raise
    finally:
        bar.close()
        pool.shutdown(cancel_futures=True)
        results.save_arrays()


def _collect(
    waiting: deque[tuple[Kind, Split, Future[Evaluation]]], results: Results, bar: tqdm[NoReturn]
) -> None:
    """Take the metrics of the kind that was given out first, and write them down."""
    kind, anomalies, metrics = waiting.popleft()
    results.judged(kind, anomalies, metrics.result())
    bar.update()


def _anomalies(
    config: Baseline, dataset: Dataset, judge: Judge
) -> Iterator[tuple[Kind, Split, Scores]]:
    """Yield each kind of anomaly with its images and their scores: defects first, by type and together."""
    parts: list[tuple[Kind, Split, Scores]] = []
    for name in _defect_types(dataset):
        anomalies = config.defects((name,)).anomalies(judge.normal, dataset, config.seed)
        group = (
            name if name != "all defects" else f"defect {name}"
        )  # which is what they are called together
        parts.append(
            (
                Kind(group, f"defect {name}", "defects"),
                anomalies,
                judge.detector.score(anomalies.images),
            )
        )
    if len(parts) > 1:
        every = parts[0][1]
        for _, anomalies, _ in parts[1:]:
            every = every + anomalies
        images = np.concatenate([found.image for _, _, found in parts])
        maps = [found.pixel for _, _, found in parts if found.pixel is not None]
        yield (
            Kind("all defects", "all defects", "defects"),
            every,
            Scores(images, np.concatenate(maps) if maps else None),
        )
    yield from parts
    for corruption in config.corruptions or ():
        anomalies = config.corrupted(corruption).anomalies(judge.normal, dataset, config.seed)
        if len(anomalies) == 0:
            raise InputError(
                f"{corruption} changes none of the {anomalies.left_out:,} test images; strengthen "
                "it"
            )
        severity = corruption.severity_at(anomalies.images.shape[2:])
        kind = Kind(corruption.name, str(corruption), "corrupted", round(severity, 6))
        yield kind, anomalies, judge.detector.score(anomalies.images)


def _defect_types(dataset: Dataset) -> list[str]:
    """Return the types of defect that the test split has images of."""
    if not has_defects(dataset):
        return []
    return [
        name
        for label, name in enumerate(dataset.test.kinds)
        if label and (dataset.test.labels == label).any()
    ]

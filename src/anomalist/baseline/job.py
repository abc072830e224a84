"""The main job: fit one detector on normal images, then distinguish anomalies from normal images.

Anomalies are corrupted twins of the test images, each corruption at several strengths, and the real
defects of a data set that has them. Each number comes with a 95 % interval. Nothing of the test
split reaches fitting, thresholds or scales.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from anomalist import datasets
from anomalist._version import __version__
from anomalist.baseline.config import AnomalyKind, Baseline
from anomalist.baseline.results import Results
from anomalist.calibration import rate_range
from anomalist.core.console import is_live, say
from anomalist.core.devices import resolve, using_threads
from anomalist.core.environment import Stopwatch, environment
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_json
from anomalist.core.locking import locked
from anomalist.core.memory import check_fits
from anomalist.evaluation import Evaluation, Evaluator
from anomalist.images import Dataset
from anomalist.models import Scores
from anomalist.reports import pages, tables
from anomalist.split import Split
from anomalist.tasks import TaskSplits
from anomalist.tasks.defects import has_defects

__all__ = ["run"]

_MUCH_MEMORY = 2e9  # bytes above which memory use is reported
_AT_ONCE = 2  # kinds of anomaly whose metrics are computed at the same time


def run(
    config: Baseline,
    results: Path,
    *,
    save_maps: bool = False,
    quick: bool = False,
) -> list[dict[str, Any]]:
    """Run the main job, report progress, and write everything to the folder ``results``.

    Args:
        config: what to run; what it leaves open depends on the size of the data set.
        results: where to write; the folder is made if need be.
        save_maps: whether ``scores.npz`` also holds every pixel map.
        quick: whether to use few images, for a run of seconds.

    Returns:
        the rows of ``metrics.json``.

    Raises:
        InputError: anything that the user can fix: a name, a size, a folder, a missing extra.
    """
    resolve(config.device, config.precision)
    config.model.check_installed()
    _check_outside(config.dataset, results)
    make_folder(results)
    busy = f"another run writes to {str(results)!r} now: wait for it, or name another folder"
    with locked(results / ".run.lock", busy, wait=False), using_threads(config.threads) as threads:
        return _run(config, Results(results), threads, save_maps=save_maps, quick=quick)


def _run(
    config: Baseline,
    results: Results,
    threads: int,
    *,
    save_maps: bool,
    quick: bool,
) -> list[dict[str, Any]]:
    """Load, fit, test and draw, and print the results."""
    earlier = results.earlier()
    say(
        f"anomalist {__version__}: {config.model.label} on {config.dataset}, seed {config.seed}, "
        f"{threads} threads"
    )
    watch = Stopwatch()
    with watch("data"):
        config, splits = _load(config, quick)
    results.begin(config, datasets.stats(splits.dataset), earlier)
    with watch("fit"):
        detector = config.detector().fit(splits.train.images)
    detector.save(results.folder / "model")
    write_json(results.folder / "training.json", {"loss": detector.history})
    with watch("test"):
        assert config.false_alarm_rate is not None
        evaluator = Evaluator(detector, splits, config.false_alarm_rate)
        _say_threshold(evaluator.threshold, config)
        results.keep_normal_scores(evaluator, splits.dataset.test.files, save_maps)
        _test(config, splits, evaluator, results)
    with watch("plots"):
        pages.draw(results.folder)
    device, dtype = resolve(config.device, config.precision)
    made_with = environment(threads, str(device), str(dtype), watch.seconds)
    write_json(results.folder / "environment.json", made_with)
    say(tables.baseline_table(results.rows))
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in watch.seconds.items())
    say(f"total {sum(watch.seconds.values()):.0f} s: {stages}")
    say(f"results in {results.folder}: {results.listing()}")
    return results.rows


def _load(config: Baseline, quick: bool) -> tuple[Baseline, TaskSplits]:
    """Return the complete config, and the images."""
    dataset = datasets.load(config.dataset)
    config = config.sized(dataset, quick=quick)
    for corruption in config.corruptions or ():
        corruption.severity_at(dataset.test.images.shape[2:])  # refused before the fit
    _check_memory(dataset)
    splits = config.task(dataset).splits(dataset, config.seed)
    _check_leaks(config, splits)
    say(f"data: {dataset.provenance}")
    say(
        f"{len(splits.train):,} images to train on, {len(splits.calibration):,} held out for "
        f"thresholds, {len(splits.normal):,} to test"
    )
    return config, splits


def _check_leaks(config: Baseline, splits: TaskSplits) -> None:
    """Refuse test images that are also training images; called before the fit.

    Defects are drawn again for the test, so that memory does not hold them during the fit.
    """
    splits.check_normal_leaks()
    for name in _defect_types(splits.dataset):
        splits.with_task(config.defects((name,))).check_leaks()


def _say_threshold(threshold: float, config: Baseline) -> None:
    assert config.false_alarm_rate is not None
    assert config.calibration is not None
    low, high = rate_range(config.calibration, config.false_alarm_rate)
    say(
        f"threshold {threshold:.4g}: {config.false_alarm_rate:.1%} false alarms expected on "
        f"average over held-out sets, for this one {low:.1%} to {high:.1%} (95 %)"
    )


def _test(
    config: Baseline,
    splits: TaskSplits,
    evaluator: Evaluator,
    results: Results,
) -> None:
    """Evaluate each kind of anomaly; finished ones are kept whatever happens."""
    total = len(config.corruptions or ()) + _number_of_defect_kinds(splits.dataset)
    bar = tqdm(
        total=total,
        desc="testing",
        unit="kind of anomaly",
        disable=not is_live(),
    )
    # Metrics are most of the work, and NumPy lets threads run side by side.
    pool = ThreadPoolExecutor(_AT_ONCE)
    waiting: deque[tuple[_Tested, Future[Evaluation]]] = deque()

    def collect() -> None:
        tested, metrics = waiting.popleft()
        results.keep_metrics(tested.kind, tested.anomalies, metrics.result())
        bar.update()

    try:
        for tested in _anomalies(config, splits, evaluator):
            metrics = pool.submit(
                evaluator.evaluate, tested.anomalies, tested.scores, seed=config.seed
            )
            waiting.append((tested, metrics))
            results.keep_scores(tested.kind, tested.anomalies, tested.scores)
            if len(waiting) > _AT_ONCE:
                collect()
        while waiting:
            collect()
    except InputError:
        while waiting:  # results submitted before the error are still valid
            collect()
        raise
    except KeyboardInterrupt:
        done = len({row["setting"] for row in results.rows})
        say(
            f"interrupted: {done} of {total} kinds of anomaly are finished and kept in "
            f"{results.folder}"
        )
        raise
    finally:
        bar.close()
        pool.shutdown(cancel_futures=True)
        results.save_arrays()


class _Tested(NamedTuple):
    """One kind of anomaly with its images and their scores."""

    kind: AnomalyKind
    anomalies: Split
    scores: Scores


def _anomalies(
    config: Baseline,
    splits: TaskSplits,
    evaluator: Evaluator,
) -> Iterator[_Tested]:
    """Yield each kind of anomaly: real defects first, together and by type, then corruptions."""
    defects = [
        _score(AnomalyKind.of_defect(name), splits.with_task(config.defects((name,))), evaluator)
        for name in _defect_types(splits.dataset)
    ]
    if len(defects) > 1:
        yield _together(defects)
    yield from defects
    for corruption in config.corruptions or ():
        corrupted = splits.with_task(config.corrupted(corruption))
        if len(corrupted.anomalies) == 0:
            excluded = corrupted.anomalies.excluded
            raise InputError(
                f"{corruption} changes none of the {excluded:,} test images; strengthen it"
            )
        kind = AnomalyKind.of_corruption(corruption, splits.normal.images.shape[2:])
        yield _score(kind, corrupted, evaluator)


def _score(
    kind: AnomalyKind,
    splits: TaskSplits,
    evaluator: Evaluator,
) -> _Tested:
    """Score the anomalies of a task, after the check that they are not training images."""
    splits.check_leaks()
    if splits.leaks:
        tested = len(splits.normal) + len(splits.anomalies)
        say(
            f"{kind.setting}: {splits.leaks:,} of {tested:,} test images, normal or anomalous, are "
            "training images too, byte for byte"
        )
    anomalies = splits.anomalies
    return _Tested(kind, anomalies, evaluator.detector.score(anomalies.images))


def _together(parts: list[_Tested]) -> _Tested:
    """Return all types of defect as one kind."""
    anomalies = parts[0].anomalies
    for part in parts[1:]:
        anomalies = anomalies + part.anomalies
    image = np.concatenate([part.scores.image for part in parts])
    maps = [part.scores.pixel for part in parts if part.scores.pixel is not None]
    pixel = np.concatenate(maps) if maps else None
    return _Tested(AnomalyKind.all_defects(), anomalies, Scores(image, pixel))


def _defect_types(dataset: Dataset) -> list[str]:
    """Return the types of defect that the test split has images of."""
    if not has_defects(dataset):
        return []
    present = np.unique(dataset.test.class_index)
    return [dataset.test.class_names[index] for index in present if index != 0]


def _number_of_defect_kinds(dataset: Dataset) -> int:
    """Return how many kinds of defect are tested: each type, and all together."""
    types = len(_defect_types(dataset))
    return types + 1 if types > 1 else types


def _check_outside(spec: str, results: Path) -> None:
    """Refuse a results folder among a user's images: the next run would read its pictures.

    Raises:
        InputError: ``results`` lies within the data set's folder.
    """
    folder = datasets.parse(spec).image_folder
    if folder is not None and results.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"--results {str(results)!r} lies within the images {str(folder)!r}: name another "
            "folder"
        )


def _check_memory(dataset: Dataset) -> None:
    """Report how much memory the images take as float32, if it is a lot.

    Raises:
        InputError: they do not fit.
    """
    bytes_per_image = 4 * dataset.train.images[:1].size
    # Each test image is in memory three times: normal, corrupted, and as its map.
    needed = bytes_per_image * (len(dataset.train) + 3 * len(dataset.test))
    sides = " x ".join(map(str, dataset.train.images.shape[1:]))
    count = len(dataset.train) + len(dataset.test)
    check_fits(needed, f"{count:,} images of {sides}", "take fewer, or smaller ones")
    if needed > _MUCH_MEMORY:
        say(f"images of {sides} take about {needed / 1e9:.1f} GB of memory")

"""The main job: fit one detector on normal images, then distinguish anomalies from normal images.

Anomalies are corrupted copies of the test images, with each corruption at several strengths, and
real defects if the data set has them. Every metric has a 95 % interval. Fitting, thresholds and
colour scales never use the test split.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from anomalist import datasets
from anomalist._version import __version__
from anomalist.baseline.config import Baseline
from anomalist.baseline.results import REPORT, SECOND_MODEL, Results
from anomalist.baseline.settings import fastest
from anomalist.baseline.testing import Scoring, Tested, defect_types, number_of_kinds, tests
from anomalist.calibration import rate_range
from anomalist.core.console import is_live, say
from anomalist.core.devices import resolve, set_thread_count, using_threads
from anomalist.core.environment import Stopwatch, environment
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_json
from anomalist.core.locking import locked
from anomalist.core.memory import check_fits, reusing_memory
from anomalist.evaluation import Evaluator
from anomalist.images import Dataset
from anomalist.models import Detector, Scores, SecondScore
from anomalist.reports import html, pages, tables
from anomalist.tasks import TaskSplits

__all__ = ["run"]

_MUCH_MEMORY = 2e9  # bytes above which memory use is reported
_AT_ONCE = 2  # kinds of anomaly that are tested at the same time, sharing the threads


def run(
    config: Baseline,
    results: Path,
    *,
    save_maps: bool = False,
    quick: bool = False,
    formats: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Run the main job, report progress, and write everything to the folder ``results``.

    Args:
        config: the options of the run. Options that are not set depend on the data set.
        results: the folder to write to; it is created if necessary.
        save_maps: whether ``scores.npz`` also contains every pixel map.
        quick: whether to use few images, so that the run takes seconds.
        formats: further formats of figures and tables: ``"svg"``, ``"pdf"``, ``"tex"``.

    Returns:
        the rows of ``metrics.json``.

    Raises:
        InputError: anything that the user can fix: a name, a size, a folder, a missing extra.
    """
    resolve(config.device, config.precision)
    config.model.check_installed()
    _check_outside(config.dataset, results)
    make_folder(results)
    busy = f"another run is writing to {str(results)!r}: wait for it, or choose another folder"
    with (
        locked(results / ".run.lock", busy, wait=False),
        using_threads(config.threads) as threads,
        reusing_memory(),
    ):
        return _run(
            config,
            Results(results),
            threads,
            save_maps=save_maps,
            quick=quick,
            formats=formats,
        )


def _run(
    config: Baseline,
    results: Results,
    threads: int,
    *,
    save_maps: bool,
    quick: bool,
    formats: Sequence[str],
) -> list[dict[str, Any]]:
    """Load, fit, test and draw; print the results."""
    earlier = results.earlier()
    say(
        f"anomalist {__version__}: {config.model.label} on {config.dataset}, seed {config.seed}, "
        f"{threads} threads"
    )
    watch = Stopwatch()
    with watch("data"):
        config, splits = _load(config, quick)
        config = _with_fastest_settings(config, splits, threads)
    results.begin(config, datasets.stats(splits.dataset), earlier)
    with watch("fit"):
        detector, second = _fit(config, splits, results.folder)
    with watch("test"):
        _evaluate(config, splits, detector, second, results, threads, save_maps=save_maps)
    with watch("plots"):
        pages.draw(results.folder, formats)
    device, dtype = resolve(config.device, config.precision)
    made_with = environment(threads, str(device), str(dtype), watch.seconds)
    made_with["model"] = config.model.spec
    write_json(results.folder / "environment.json", made_with)
    say(tables.baseline_table(results.rows, second=results.second_rows))
    if results.second_rows:
        say("AUROC with 95 % intervals; metrics.json has all metrics of both scores")
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in watch.seconds.items())
    say(f"total {sum(watch.seconds.values()):.0f} s: {stages}")
    html.write(html.collect(results.folder), results.folder / REPORT)
    say(f"results in {results.folder}: {results.listing()}")
    say(f"look at them in a browser: {results.folder / REPORT}")
    return results.rows


def _fit(
    config: Baseline,
    splits: TaskSplits,
    folder: Path,
) -> tuple[Detector, SecondScore | None]:
    """Fit the detector, save it, and return it with its second score, if it has one."""
    detector = config.detector().fit(splits.train.images)
    second = detector.second_score(splits.train.images)
    detector.save(folder / "model")
    if second is not None:
        second.detector.save(folder / SECOND_MODEL)
    write_json(folder / "training.json", {"loss": detector.history})
    return detector, second


def _evaluate(
    config: Baseline,
    splits: TaskSplits,
    detector: Detector,
    second: SecondScore | None,
    results: Results,
    threads: int,
    *,
    save_maps: bool,
) -> None:
    """Set the thresholds, then test every kind of anomaly with each score."""
    assert config.false_alarm_rate is not None
    each = max(1, threads // _AT_ONCE)
    # The number of threads is the same for all images: the last bits of a score depend on it.
    with threadpool_limits(each), using_threads(each):
        detectors = [detector]
        score: Scoring = partial(_score_once, detector)
        if second is not None:
            detectors.append(second.detector)
            score = second.score_both
        _ = splits.calibration, splits.normal  # computed once, not in both threads
        with _pool(each) as pool:
            evaluators = [
                pool.submit(Evaluator, one, splits, config.false_alarm_rate) for one in detectors
            ]
        first, *others = [evaluator.result() for evaluator in evaluators]
        _say_threshold(first.threshold, config)
        results.keep_normal_scores(first, splits.dataset.test.files, save_maps)
        if second is not None:
            results.keep_second_score(second.name, others[0])
        results.begin_thumbnails(config.false_alarm_rate)
        _test(config, splits, score, (first, *others), results, each)


def _load(config: Baseline, quick: bool) -> tuple[Baseline, TaskSplits]:
    """Return the complete config, and the images."""
    dataset = datasets.load(config.dataset)
    config = config.sized(dataset, quick=quick)
    for corruption in config.corruptions or ():
        corruption.severity_at(dataset.test.images.shape[2:])  # raises an error before the fit
    _check_memory(dataset)
    splits = config.task(dataset).splits(dataset, config.seed)
    _check_leaks(config, splits)
    say(f"data: {dataset.provenance}")
    say(
        f"{len(splits.train):,} images to train on, {len(splits.calibration):,} held out for "
        f"thresholds, {len(splits.normal):,} to test"
    )
    return config, splits


def _with_fastest_settings(config: Baseline, splits: TaskSplits, threads: int) -> Baseline:
    """Return the config with the fastest training settings, and print them."""
    if config.settings == "reference" or config.precision != "auto":
        return config
    faster = fastest(config.model, splits.train.images, threads, config.device)
    if faster is None:
        return config
    model, line = faster
    say(line)
    return config.model_copy(update={"model": model})


def _check_leaks(config: Baseline, splits: TaskSplits) -> None:
    """Raise an error if too many test images are also training images; called before the fit.

    Defects are selected again for the test, so that they take no memory during the fit.
    """
    splits.check_normal_leaks()
    for name in defect_types(splits.dataset):
        splits.with_task(config.defects((name,))).check_leaks()


def _say_threshold(threshold: float, config: Baseline) -> None:
    assert config.false_alarm_rate is not None
    assert config.calibration is not None
    low, high = rate_range(config.calibration, config.false_alarm_rate)
    say(
        f"threshold {threshold:.4g}: {config.false_alarm_rate:.1%} false alarms expected (mean "
        f"over held-out sets); {low:.1%} to {high:.1%} for this set (95 % interval)"
    )


def _test(
    config: Baseline,
    splits: TaskSplits,
    score: Scoring,
    evaluators: Sequence[Evaluator],
    results: Results,
    threads: int,
) -> None:
    """Evaluate each kind of anomaly; finished kinds are kept even after an error."""
    total = number_of_kinds(config, splits.dataset)
    bar = tqdm(
        total=total,
        desc="testing",
        unit="kind of anomaly",
        disable=not is_live(),
    )
    # Kinds are independent, and NumPy and torch release the GIL, so threads run in parallel.
    pool = _pool(threads)
    waiting: deque[Future[Tested]] = deque()

    def collect() -> None:
        results.keep(waiting.popleft().result())
        bar.update()

    try:
        for test in tests(config, splits, score, evaluators):
            waiting.append(pool.submit(test))
            if len(waiting) > _AT_ONCE:
                collect()
        while waiting:
            collect()
    except InputError:
        while waiting:  # other kinds are still valid
            with contextlib.suppress(InputError):
                collect()
        raise
    except KeyboardInterrupt:
        while waiting and waiting[0].done():
            collect()
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


def _pool(threads: int) -> ThreadPoolExecutor:
    """Return a thread pool in which each worker lets torch use ``threads`` processor threads."""
    return ThreadPoolExecutor(_AT_ONCE, initializer=set_thread_count, initargs=(threads,))


def _score_once(detector: Detector, images: NDArray[np.float32]) -> tuple[Scores, ...]:
    return (detector.score(images),)


def _check_outside(spec: str, results: Path) -> None:
    """Check that the results folder is not inside the image folder.

    Otherwise the next run would read the figures as images.

    Raises:
        InputError: ``results`` lies inside the data set's folder.
    """
    folder = datasets.parse(spec).image_folder
    if folder is not None and results.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"--results {str(results)!r} lies inside the image folder {str(folder)!r}: choose "
            "another folder"
        )


def _check_memory(dataset: Dataset) -> None:
    """Report how much memory the images take as float32, if it is a lot.

    Raises:
        InputError: the images do not fit in memory.
    """
    bytes_per_image = 4 * dataset.train.images[:1].size
    # Each test image takes nine arrays: the image and the maps of both scores, once clean and once
    # for each of the two kinds of anomaly that are tested at the same time.
    needed = bytes_per_image * (len(dataset.train) + 9 * len(dataset.test))
    sides = " x ".join(map(str, dataset.train.images.shape[1:]))
    count = len(dataset.train) + len(dataset.test)
    check_fits(needed, f"{count:,} images of {sides}", "use fewer or smaller images")
    if needed > _MUCH_MEMORY:
        say(f"images of {sides} take about {needed / 1e9:.1f} GB of memory")

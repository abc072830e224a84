"""The main job: fit one detector on normal images, then tell corrupted test images from clean ones.

Every corruption is tried at several strengths; each number comes with a 95 % interval. Nothing of the test
split reaches fitting, thresholds or scales.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from tqdm import tqdm

from anomalist import datasets
from anomalist._version import __version__
from anomalist.calibration import check_enough
from anomalist.config import Config
from anomalist.corruption import Corruption, parse
from anomalist.detector import Detector, Model, Scores, for_run
from anomalist.detector import parse as parse_model
from anomalist.environment import Stopwatch, environment
from anomalist.errors import InputError
from anomalist.evaluation import Evaluation, Judge
from anomalist.files import make_folder, write_arrays, write_json
from anomalist.images import Dataset
from anomalist.reports import pages, tables
from anomalist.split import Split
from anomalist.tasks.corrupted import Corrupted, Spec
from anomalist.training import using_threads
from anomalist.trial import check_unseen

__all__ = ["Baseline", "quick", "run"]

SUITE = tuple(
    parse(spec)
    for spec in (
        *(f"gaussian_noise:sigma={sigma}" for sigma in (0.05, 0.1, 0.2, 0.3)),
        *(f"pixel_dropout:probability={probability}" for probability in (0.05, 0.1, 0.3, 0.5)),
        *(f"stripes:lines={lines}" for lines in (1, 2, 3, 5)),
        *(f"patch_occlusion:side={side},margin=4" for side in (4, 6, 8, 12)),
    )
)
_QUICK = {"train": 6_000, "calibration": 1_000, "test": 1_000}
_QUICK_EPOCHS = 10
_AT_ONCE = 2  # corruptions whose metrics are computed side by side
CASES = 3  # panels of the best, the median and the worst found anomalies, each so many


class Baseline(Config):
    """One detector, one data set, many corruptions."""

    dataset: str = Field("mnist", description="the data set, see `anomalist list datasets`")
    model: Model = Field("autoencoder", validate_default=True, description="the detector, see `anomalist list models`")
    corruptions: tuple[Spec, ...] = Field(
        SUITE,
        min_length=1,
        description="what test images suffer, each as name or name:option=value,option=value",
    )
    train: int | None = Field(None, ge=1, description="normal images to train on; by default all the rest")
    calibration: int = Field(6_000, ge=1, description="normal images held out of training, for thresholds")
    test: int | None = Field(None, ge=1, description="test images, each clean and corrupted; by default all")
    false_alarm_rate: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="share of normal images, and of their pixels, that thresholds let through",
    )
    seed: int = Field(0, description="governs weights, data order, splits and corruptions")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks run")
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="arithmetic of networks")
    threads: int | None = Field(None, ge=1, description="processor threads; by default one a core")
    allow_seen: bool = Field(False, description="whether a detector may be tested on a corruption that it learns from")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_unseen(self.model, self.corruptions, self.allow_seen)
        check_enough(self.calibration, self.false_alarm_rate)
        return self

    def detector(self) -> Detector:
        """Return the detector, not yet fitted, with this run's seed, device and precision."""
        return for_run(self.model, self)

    def task(self, corruption: Corruption) -> Corrupted:
        """Return the task of finding ``corruption``."""
        sizes = {"train": self.train, "calibration": self.calibration, "test": self.test}
        return Corrupted(dataset=self.dataset, corruption=corruption, **sizes)


def quick(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a run of seconds: fewer images and epochs, where ``values`` do not say otherwise."""
    return {**_QUICK, **values, "model": _shortened(parse_model(values.get("model", "autoencoder")))}


def _shortened(model: Detector) -> Detector:
    """Return the detector, or those that it is made of, with few epochs where none are given."""
    changes: dict[str, Any] = {}
    for name, value in model:
        if name == "epochs" and value is None:
            changes[name] = _QUICK_EPOCHS
        elif isinstance(value, tuple):
            changes[name] = tuple(_shortened(part) if isinstance(part, Detector) else part for part in value)
    return model.model_copy(update=changes)


@dataclass
class _Outcome:
    """What is found along the way: rows for ``metrics.json``, arrays for ``scores.npz`` and for the panels."""

    results: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, NDArray[Any]] = field(default_factory=dict)
    cases: dict[str, NDArray[Any]] = field(default_factory=dict)

    def save_rows(self) -> None:
        write_json(self.results / "metrics.json", {"schema": 1, "rows": self.rows})

    def save_arrays(self) -> None:
        write_arrays(self.results / "scores.npz", self.scores)
        write_arrays(make_folder(self.results / "anomalies") / "cases.npz", self.cases)


def run(config: Baseline, results: Path, *, save_maps: bool = False) -> list[dict[str, Any]]:
    """Run the main job, say how it goes, and write everything to the folder ``results``.

    Args:
        config: what to run.
        results: where to write; the folder is made if need be.
        save_maps: whether ``scores.npz`` also holds every pixel map.

    Returns:
        the rows of ``metrics.json``.

    Raises:
        InputError: anything that the user can mend: a name, a size, a folder.
    """
    make_folder(results)
    watch = Stopwatch()
    with using_threads(config.threads) as threads:
        _say(
            f"anomalist {__version__}: {config.model.label} on {config.dataset}, seed {config.seed}, {threads} threads"
        )
        with watch("data"):
            dataset = datasets.load(config.dataset)
            write_json(results / "dataset_stats.json", datasets.stats(dataset))
            first = config.task(config.corruptions[0])
            for corruption in config.corruptions:  # one beyond what the images allow is said before the fit
                corruption.severity_at(dataset.test.images.shape[2:])
            train, held_out = first.training(dataset, config.seed)
            clean = first.normal(dataset, config.seed)
        _say(f"data: {dataset.source}")
        _say(f"{len(train):,} images to train on, {len(held_out):,} held out for thresholds, {len(clean):,} to test")
        with watch("fit"):
            detector = config.detector().fit(train.images)
        detector.save(results / "model")
        write_json(results / "config.json", config.model_dump(mode="json"))
        write_json(results / "training.json", {"loss": detector.history})
        outcome = _Outcome(results)
        with watch("test"):
            judge = Judge(detector, held_out, clean, config.false_alarm_rate)
            _say(f"threshold at {config.false_alarm_rate:.1%} false alarms: {judge.threshold:.4g}")
            _test(config, dataset, judge, outcome, save_maps)
        with watch("plots"):
            pages.draw(results)
        write_json(results / "environment.json", environment(threads, config.device, config.precision, watch.seconds))
    _say(tables.baseline_table(outcome.rows))
    _say(f"total {sum(watch.seconds.values()):.0f} s: " + ", ".join(f"{k} {v:.1f} s" for k, v in watch.seconds.items()))
    _say(f"results in {results}: " + ", ".join(sorted(path.name for path in results.iterdir())))
    return outcome.rows


def _test(config: Baseline, dataset: Dataset, judge: Judge, outcome: _Outcome, save_maps: bool) -> None:
    """Judge each corruption of the clean test images; finished ones are kept, come what may."""
    calibration, clean = judge.calibration, judge.normal_scores
    outcome.scores |= {"calibration": calibration.image, "clean": clean.image, "clean/source": judge.normal.source}
    if calibration.pixel is not None and judge.pixel_threshold is not None:
        top = np.quantile(calibration.pixel, 0.9999)  # the panels' common scale: normal images look normal
        outcome.cases |= {"threshold": np.array(judge.pixel_threshold), "top": np.array(top)}
    if save_maps and clean.pixel is not None:
        outcome.scores["clean/maps"] = clean.pixel
    bar = tqdm(total=len(config.corruptions), desc="testing", unit="corruption", disable=not sys.stderr.isatty())
    pool = ThreadPoolExecutor(_AT_ONCE)  # metrics are most of the work and NumPy lets threads run side by side
    waiting: deque[tuple[Corruption, Split, Future[Evaluation]]] = deque()
    try:
        for corruption in config.corruptions:
            anomalies = config.task(corruption).anomalies(judge.normal, dataset, config.seed)
            if len(anomalies) == 0:
                raise InputError(f"{corruption} changes none of the {anomalies.left_out:,} test images; strengthen it")
            found = judge.detector.score(anomalies.images)
            waiting.append((corruption, anomalies, pool.submit(judge.compare, found, anomalies, seed=config.seed)))
            outcome.scores |= {str(corruption): found.image, f"{corruption}/source": anomalies.source}
            if save_maps and found.pixel is not None:
                outcome.scores[f"{corruption}/maps"] = found.pixel
            outcome.cases |= _cases(corruption, judge.detector, anomalies, found)
            if len(waiting) > _AT_ONCE:
                _collect(waiting, outcome, bar)
        while waiting:
            _collect(waiting, outcome, bar)
    except InputError:
        while waiting:  # what was given out before stays true
            _collect(waiting, outcome, bar)
        raise
    except KeyboardInterrupt:
        done = len({row["setting"] for row in outcome.rows})
        _say(f"interrupted: {done} of {len(config.corruptions)} corruptions are finished and kept in {outcome.results}")
        raise
    finally:
        bar.close()
        pool.shutdown(cancel_futures=True)
        outcome.save_arrays()


def _collect(
    waiting: deque[tuple[Corruption, Split, Future[Evaluation]]], outcome: _Outcome, bar: tqdm[NoReturn]
) -> None:
    """Take the rows of the corruption that was given out first, and write them down."""
    corruption, anomalies, metrics = waiting.popleft()
    outcome.rows += _rows(corruption, anomalies, metrics.result())
    outcome.save_rows()
    bar.update()


def _rows(corruption: Corruption, anomalies: Split, metrics: Evaluation) -> list[dict[str, Any]]:
    """Return a row for each metric of one corruption."""
    height, width = anomalies.images.shape[2:]
    common = {
        "task": "corrupted",
        "corruption": corruption.name,
        "setting": str(corruption),
        "severity": round(corruption.severity_at((height, width)), 6),
    }
    return [
        {**common, "metric": name, **estimate._asdict(), "left_out": anomalies.left_out}
        for name, estimate in metrics.items()
    ]


def _cases(corruption: Corruption, detector: Detector, anomalies: Split, found: Scores) -> dict[str, NDArray[Any]]:
    """Keep the anomalies with the highest, the median and the lowest scores, to look at."""
    if found.pixel is None:
        return {}
    order = np.argsort(-found.image, kind="stable")
    middle = max(0, len(order) // 2 - CASES // 2)
    chosen = np.concatenate([order[:CASES], order[middle : middle + CASES], order[-CASES:]])
    images = anomalies.images[chosen]
    restored = detector.reconstruct(images)
    assert anomalies.masks is not None
    kept = {
        "images": images,
        "maps": found.pixel[chosen],
        "masks": anomalies.masks[chosen],
        "scores": found.image[chosen],
        "source": anomalies.source[chosen],
        **({} if restored is None else {"restored": restored}),
    }
    return {f"{corruption}/{name}": value for name, value in kept.items()}


def _say(text: str) -> None:
    print(text, flush=True)

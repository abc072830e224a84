"""Trial: a frozen config and the pure function that turns it into one result row; its hash is its name.

Training is separated from scoring: trials that agree in everything that training depends on share
one fitted detector, which a folder of models keeps for later.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from anomalist import datasets
from anomalist.calibration import check_enough
from anomalist.config import Config
from anomalist.corruption import Corruption
from anomalist.detector import Detector, Model, for_run, load
from anomalist.environment import Stopwatch
from anomalist.errors import InputError
from anomalist.evaluation import Judge
from anomalist.files import make_folder
from anomalist.images import Dataset
from anomalist.split import Split, count_leaks, fingerprints
from anomalist.task import AnyTask
from anomalist.tasks import Corrupted
from anomalist.training import using_threads

__all__ = ["FitFailed", "Row", "Trial", "check_unseen", "run_together"]

_DIGITS = 16  # of a hash: 64 bits tell apart more trials than anyone will run

Row = dict[str, Any]


class FitFailed(Exception):  # noqa: N818
    """The detector that several trials share could not be fitted."""


def check_unseen(model: Detector, corruptions: Sequence[Corruption], allow_seen: bool) -> None:
    """Raise InputError if a detector would be tested on what it learns from, unless that is allowed.

    Args:
        model: a detector; one that holds others speaks for them in its ``trained_on``.
        corruptions: what test images suffer.
        allow_seen: whether it may be tested on those all the same.
    """
    seen = [str(corruption) for corruption in corruptions if corruption.name in model.trained_on]
    if seen and not allow_seen:
        raise InputError(
            f"{model.name} is trained on {', '.join(model.trained_on)}: a test on {seen[0]} says "
            "nothing of unseen "
            "anomalies; test on another corruption, or set allow_seen"
        )


class Trial(Config):
    """One detector, one task, one seed."""

    task: AnyTask = Field(Corrupted(), description="the task, see `anomalist list tasks`")
    model: Model = Field(
        "autoencoder",
        validate_default=True,
        description="the detector, see `anomalist list models`",
    )
    localize: bool = Field(True, description="whether pixel metrics are computed too")
    false_alarm_rate: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="share of normal images, and of their pixels, that thresholds let through",
    )
    seed: int = Field(
        0, ge=0, description="governs weights, data order, splits, corruptions and contamination"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where networks run")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="arithmetic of networks"
    )
    threads: int = Field(1, ge=1, description="processor threads")
    allow_seen: bool = Field(
        False, description="whether a detector may be tested on a corruption that it learns from"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if isinstance(self.task, Corrupted):
            check_unseen(self.model, (self.task.corruption,), self.allow_seen)
        check_enough(self.task.calibration, self.false_alarm_rate)
        return self

    @property
    def key(self) -> str:
        """The trial's name: a hash of its config without default values, and of the detector's versions."""
        return _hash(self._essence())

    @property
    def fit_key(self) -> str:
        """The fitted detector's name: a hash of what training depends on, and of nothing else."""
        essence = self._essence()
        task = {
            name: value
            for name, value in essence["task"].items()
            if name not in self.task.ignored_in_training
        }
        for judged_only in ("localize", "false_alarm_rate", "allow_seen"):
            essence.pop(judged_only, None)
        return _hash({**essence, "task": task})

    def _essence(self) -> dict[str, Any]:
        """Return the config without default values: a new option with a default leaves old names as they are."""
        dump = self.model_dump(mode="json", exclude_defaults=True)
        task = {**dump.get("task", {}), "kind": self.task.name}
        return {**dump, "task": task, "version": self.model.versions}


def run_together(
    trials: Sequence[Trial], models: Path | None = None
) -> Iterator[tuple[Row, dict[str, float]]]:
    """Fit once, or load what was fitted before, and judge each trial: yield its row and the seconds it took.

    Args:
        trials: trials with one and the same ``fit_key``.
        models: a folder that keeps fitted detectors; None: nothing is kept.

    Yields:
        the row: ``trial`` (its key), ``config``, ``metrics`` (name to value, low, high, n) and
        ``facts`` (severity, mean squared change of a pixel, counts, duplicates where there are
        any); and beside it the seconds of each stage, which no row holds.

    Raises:
        FitFailed: none of the trials can be judged.
    """
    first = trials[0]
    assert {trial.fit_key for trial in trials} == {first.fit_key}
    watch = Stopwatch()
    with using_threads(first.threads):
        try:
            with watch("data"):
                dataset = _dataset(first.task.dataset)
                train, held_out = first.task.training(dataset, first.seed)
            detector = _fitted(first, train, models, watch)
        except OSError:  # a full disk is no property of the trial
            raise
        except Exception as error:
            raise FitFailed(str(error) if isinstance(error, InputError) else repr(error)) from error
        seen = {*fingerprints(train), *fingerprints(held_out)}
        judges: dict[tuple[int | None, float], tuple[Judge, int]] = {}
        for trial in trials:
            shared = (trial.task.test, trial.false_alarm_rate)
            if shared not in judges:
                normal = trial.task.normal(dataset, trial.seed)
                with watch("score_normal"):
                    judge = Judge(detector, held_out, normal, trial.false_alarm_rate)
                judges[shared] = judge, count_leaks(fingerprints(normal), seen)
            with watch("score"):
                row = _row(trial, *judges[shared], seen, dataset)
            yield row, watch.seconds
            watch = Stopwatch()


def _row(trial: Trial, judge: Judge, leaks: int, seen: set[bytes], dataset: Dataset) -> Row:
    """Judge one trial; ``leaks`` are those of its normal test images that are among the ``seen`` ones."""
    anomalies = trial.task.anomalies(judge.normal, dataset, trial.seed)
    if len(anomalies) == 0:
        raise InputError("the task has no anomaly: nothing changed in any test image")
    leaks += count_leaks(fingerprints(anomalies), seen)
    trial.task.check_leaks(leaks, len(judge.normal) + len(anomalies))
    _, metrics = judge.judge(anomalies, seed=trial.seed, localize=trial.localize)
    facts: dict[str, Any] = {"model": trial.model.spec}
    facts |= {
        "normal": len(judge.normal),
        "anomalies": len(anomalies),
        "left_out": anomalies.left_out,
    }
    if leaks:
        facts["duplicates"] = leaks  # test images that are training images too
    if (
        trial.model.trained_on
    ):  # whoever reads the row must know; those of other detectors stay as they were
        facts["trained_on"] = " ".join(trial.model.trained_on)
    if isinstance(trial.task, Corrupted):
        height, width = anomalies.images.shape[2:]
        corruption = trial.task.corruption
        unset = dict.fromkeys(("severity", corruption.physical))
        facts["corruption"] = str(
            corruption.model_copy(update=unset)
        )  # which one, whatever its strength
        facts["severity"] = corruption.severity_at((height, width))
        facts["changed_energy"] = _changed_energy(anomalies, judge.normal)
    return {
        "trial": trial.key,
        "config": trial.model_dump(mode="json"),
        "metrics": {name: estimate._asdict() for name, estimate in metrics.items()},
        "facts": facts,
    }


def _changed_energy(anomalies: Split, normal: Split) -> float:
    """Return the mean squared change of a value between corrupted images and their clean twins."""
    order = np.argsort(normal.source)
    twins = order[np.searchsorted(normal.source, anomalies.source, sorter=order)]
    return float(np.mean((anomalies.images - normal.images[twins]) ** 2, dtype=np.float64))


def _fitted(trial: Trial, train: Split, models: Path | None, watch: Stopwatch) -> Detector:
    """Return the fitted detector: from ``models`` if it is there and whole, else fitted now and put there."""
    detector = for_run(trial.model, trial)
    if models is None:
        with watch("fit"):
            return detector.fit(train.images, train.known)
    place = make_folder(models, "folder of models") / trial.fit_key
    try:
        with watch("load"):
            return load(place)
    except InputError:  # not there, or damaged
        shutil.rmtree(place, ignore_errors=True)
    checkpoint = models / f"{trial.fit_key}.checkpoint"
    with watch("fit"):
        detector.fit(train.images, train.known, checkpoint=checkpoint)
    temporary = Path(tempfile.mkdtemp(dir=models, prefix=f".{trial.fit_key}-"))
    detector.save(temporary)
    try:
        temporary.rename(place)
    except OSError:  # another process was first; its detector is the same
        shutil.rmtree(temporary, ignore_errors=True)
    checkpoint.unlink(missing_ok=True)
    return detector


@lru_cache(maxsize=2)
def _dataset(name: str) -> Dataset:
    return datasets.load(name)


def _hash(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

"""Trial: a frozen config and the pure function that computes its result row.

The key of a trial is a hash of its config. Fitting is separate from scoring: trials that agree in
everything that training depends on share one fitted detector, which is kept in a folder of models.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from anomalist import datasets
from anomalist.calibration import check_enough
from anomalist.core.config import Config
from anomalist.core.devices import using_threads
from anomalist.core.environment import Stopwatch
from anomalist.core.errors import InputError
from anomalist.core.files import atomic_folder, make_folder
from anomalist.core.hashing import json_hash
from anomalist.core.named import old_spelling
from anomalist.corruptions import Corruption
from anomalist.evaluation import Evaluator
from anomalist.images import Dataset
from anomalist.models import Detector, Model, for_run, load
from anomalist.tasks import AnyTask, TaskSplits

__all__ = ["FitFailed", "Row", "Trial", "check_unseen", "run_together"]

_KEY_DIGITS = 16  # 64 bits are enough for any number of trials
_NOT_TRAINED_WITH = ("localize", "false_alarm_rate", "allow_seen")

Row = dict[str, Any]


class FitFailed(Exception):  # noqa: N818
    """The detector that several trials share could not be fitted."""


def check_unseen(
    model: Detector,
    corruptions: Sequence[Corruption],
    allow_seen: bool,
) -> None:
    """Check that a detector is not tested on corruptions of its training, unless allowed.

    Args:
        model: the detector; ``trained_on`` of an ensemble includes that of its members.
        corruptions: the corruptions of the test images.
        allow_seen: whether to allow this.

    Raises:
        InputError: the detector is tested on a corruption that it is trained on.
    """
    seen = [one.spec for one in corruptions if one.name in model.trained_on]
    if seen and not allow_seen:
        raise InputError(
            f"{model.name} is trained on {', '.join(model.trained_on)}: a test on {seen[0]} does "
            "not measure the detection of unseen anomalies; test on another corruption, or set "
            "allow_seen"
        )


class Trial(Config):
    """One detector, one task, one seed."""

    task: AnyTask = Field(
        "corrupted", validate_default=True, description="task, see `anomalist list tasks`"
    )
    model: Model = Field(
        "autoencoder",
        validate_default=True,
        description="detector, see `anomalist list models`",
    )
    localize: bool = Field(True, description="whether to compute pixel metrics")
    false_alarm_rate: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="expected fraction of normal images, and of their pixels, above the threshold",
    )
    seed: int = Field(
        0, ge=0, description="seed of weights, data order, splits, corruptions and contamination"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="device of networks")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="number format of networks"
    )
    threads: int = Field(1, ge=1, description="number of processor threads")
    allow_seen: bool = Field(
        False, description="whether to allow tests on a corruption that the detector is trained on"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        tested = self.task.tested_corruption
        check_unseen(self.model, [tested] if tested else [], self.allow_seen)
        check_enough(self.task.calibration, self.false_alarm_rate)
        return self

    @property
    def key(self) -> str:
        """The name of the trial: a hash of its non-default config values and of the versions."""
        return json_hash(self._essence(), compact=True, digits=_KEY_DIGITS)

    @property
    def fit_key(self) -> str:
        """The name of the fitted detector: a hash of everything that training depends on."""
        essence = self._essence()
        ignored = self.task.ignored_in_training
        task = {name: value for name, value in essence["task"].items() if name not in ignored}
        for name in _NOT_TRAINED_WITH:
            essence.pop(name, None)
        return json_hash({**essence, "task": task}, compact=True, digits=_KEY_DIGITS)

    def _essence(self) -> dict[str, Any]:
        """Return the fields that identify the trial.

        Default values are excluded, so that new options do not change old keys. Renamed options
        have their names from version 0.1.
        """
        dump = old_spelling(self, self.model_dump(mode="json", exclude_defaults=True))
        task = {**dump.get("task", {}), "kind": self.task.name}
        for name in self.task.dataset_fields:
            if name in task:
                task[name] = datasets.old_text(task[name])
        return {**dump, "task": task, "version": self.model.versions}


def run_together(
    trials: Sequence[Trial], models: Path | None = None
) -> Iterator[tuple[Row, dict[str, float]]]:
    """Fit or load one detector, and evaluate each trial with it.

    Args:
        trials: trials with the same ``fit_key``.
        models: a folder that keeps fitted detectors; None: nothing is kept.

    Yields:
        the row of the trial with ``trial`` (its key), ``config``, ``metrics`` (value, low, high, n
        by key) and ``facts`` (severity, mean squared change of a pixel, counts, duplicates); and
        the seconds of each stage, which are not part of the row.

    Raises:
        FitFailed: the detector could not be fitted, so no trial can be evaluated.
    """
    first = trials[0]
    assert {trial.fit_key for trial in trials} == {first.fit_key}
    watch = Stopwatch()
    with using_threads(first.threads):
        try:
            with watch("data"):
                shared = first.task.splits(_dataset(first.task.dataset), first.seed)
                _ = shared.train, shared.calibration
            detector = _fitted(first, shared, models, watch)
        except OSError:  # a full disk does not depend on the trial
            raise
        except Exception as error:
            message = str(error) if isinstance(error, InputError) else repr(error)
            raise FitFailed(message) from error
        evaluators: dict[tuple[int | None, float], tuple[Evaluator, TaskSplits]] = {}
        for trial in trials:
            settings = (trial.task.test, trial.false_alarm_rate)
            if settings not in evaluators:
                same_test = shared.with_task(trial.task)
                _ = same_test.normal
                with watch("score_normal"):
                    evaluator = Evaluator(detector, same_test, trial.false_alarm_rate)
                evaluators[settings] = evaluator, same_test
            evaluator, same_test = evaluators[settings]
            with watch("score"):
                row = _row(trial, evaluator, same_test.with_task(trial.task))
            yield row, watch.seconds
            watch = Stopwatch()


def _row(trial: Trial, evaluator: Evaluator, splits: TaskSplits) -> Row:
    """Evaluate one trial."""
    anomalies = splits.anomalies
    if len(anomalies) == 0:
        raise InputError("the task has no anomalies: the corruption changed no test image")
    splits.check_leaks()
    scores = evaluator.detector.score(anomalies.images)
    metrics = evaluator.evaluate(anomalies, scores, seed=trial.seed, localize=trial.localize)
    facts: dict[str, Any] = {
        "model": trial.model.spec,
        "normal": len(splits.normal),
        "anomalies": len(anomalies),
        "left_out": anomalies.excluded,
    }
    if splits.leaks:
        facts["duplicates"] = splits.leaks
    if trial.model.trained_on:
        facts["trained_on"] = " ".join(trial.model.trained_on)
    facts |= trial.task.facts(anomalies, splits.normal)
    return {
        "trial": trial.key,
        "config": trial.model_dump(mode="json"),
        "metrics": {key: estimate._asdict() for key, estimate in metrics.items()},
        "facts": facts,
    }


def _fitted(
    trial: Trial,
    splits: TaskSplits,
    models: Path | None,
    watch: Stopwatch,
) -> Detector:
    """Return the fitted detector: loaded from ``models`` if it is intact, else fitted now."""
    detector = for_run(trial.model, trial)
    train = splits.train
    if models is None:
        with watch("fit"):
            return detector.fit(train.images, train.train_labels)
    folder = make_folder(models, "folder of models") / trial.fit_key
    try:
        with watch("load"):
            return load(folder)
    except InputError:  # missing or damaged
        shutil.rmtree(folder, ignore_errors=True)
    checkpoint = models / f"{trial.fit_key}.checkpoint"
    with watch("fit"):
        detector.fit(train.images, train.train_labels, checkpoint=checkpoint)
    with atomic_folder(folder) as temporary:
        detector.save(temporary)
    checkpoint.unlink(missing_ok=True)
    return detector


@lru_cache(maxsize=2)
def _dataset(name: str) -> Dataset:
    return datasets.load(name)

"""Testing: score and evaluate every kind of anomaly of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalist.baseline.config import AnomalyKind, Baseline
from anomalist.core.console import say
from anomalist.core.errors import InputError
from anomalist.corruptions import Corruption
from anomalist.evaluation import Evaluation, Evaluator
from anomalist.images import Dataset
from anomalist.models import Scores
from anomalist.split import Split
from anomalist.tasks import TaskSplits
from anomalist.tasks.defects import has_defects

__all__ = ["Scoring", "Tested", "defect_types", "number_of_kinds", "tests"]

Scoring = Callable[[NDArray[np.float32]], tuple[Scores, ...]]


class Tested(NamedTuple):
    """One kind of anomaly with its images, scores and metrics.

    Attributes:
        kind: the kind of anomaly.
        anomalies: the images.
        scores: scores of the images, one entry per evaluator.
        metrics: how well the scores separate the images from normal ones, one entry per evaluator;
            empty before evaluation.
    """

    kind: AnomalyKind
    anomalies: Split
    scores: tuple[Scores, ...]
    metrics: tuple[Evaluation, ...] = ()


def tests(
    config: Baseline,
    splits: TaskSplits,
    score: Scoring,
    evaluators: Sequence[Evaluator],
) -> Iterator[Callable[[], Tested]]:
    """Yield one call per kind of anomaly that tests it; the calls may run in any thread.

    Real defects come first, all types together and then each type; corruptions follow. Defects are
    scored before the first call is yielded, corruptions within their calls.

    Args:
        config: the complete config of the run.
        splits: the images.
        score: returns the detector's scores of images, one entry per score.
        evaluators: one per score.
    """
    defects = []
    for name in defect_types(splits.dataset):
        of_type = splits.with_task(config.defects((name,)))
        defects.append(_score(AnomalyKind.of_defect(name), of_type, score))
    if len(defects) > 1:
        yield partial(_evaluate, _together(defects), config.seed, evaluators)
    for tested in defects:
        yield partial(_evaluate, tested, config.seed, evaluators)
    for corruption in config.corruptions or ():
        yield partial(_test_corruption, corruption, config, splits, score, evaluators)


def defect_types(dataset: Dataset) -> list[str]:
    """Return the types of defect that occur in the test split."""
    if not has_defects(dataset):
        return []
    present = np.unique(dataset.test.class_index)
    return [dataset.test.class_names[index] for index in present if index != 0]


def number_of_kinds(config: Baseline, dataset: Dataset) -> int:
    """Return how many kinds are tested: corruptions, types of defect, and all types together."""
    types = len(defect_types(dataset))
    return len(config.corruptions or ()) + types + (types > 1)


def _test_corruption(
    corruption: Corruption,
    config: Baseline,
    splits: TaskSplits,
    score: Scoring,
    evaluators: Sequence[Evaluator],
) -> Tested:
    corrupted = splits.with_task(config.corrupted(corruption))
    if len(corrupted.anomalies) == 0:
        raise InputError(
            f"{corruption} changes none of the {corrupted.anomalies.excluded:,} test images; "
            "increase its strength"
        )
    kind = AnomalyKind.of_corruption(corruption, splits.normal.images.shape[2:])
    return _evaluate(_score(kind, corrupted, score), config.seed, evaluators)


def _score(
    kind: AnomalyKind,
    splits: TaskSplits,
    score: Scoring,
) -> Tested:
    """Check that the anomalies of a task are not training images, then score them."""
    splits.check_leaks()
    if splits.leaks:
        tested = len(splits.normal) + len(splits.anomalies)
        say(
            f"{kind.setting}: {splits.leaks:,} of {tested:,} test images (normal and anomalous) "
            "are byte for byte identical to training images"
        )
    return Tested(kind, splits.anomalies, score(splits.anomalies.images))


def _evaluate(tested: Tested, seed: int, evaluators: Sequence[Evaluator]) -> Tested:
    metrics = []
    for evaluator, scores in zip(evaluators, tested.scores, strict=True):
        metrics.append(evaluator.evaluate(tested.anomalies, scores, seed=seed))
    return tested._replace(metrics=tuple(metrics))


def _together(parts: Sequence[Tested]) -> Tested:
    """Return all types of defect as one kind."""
    anomalies = parts[0].anomalies
    for part in parts[1:]:
        anomalies = anomalies + part.anomalies
    scores = zip(*(part.scores for part in parts), strict=True)
    return Tested(AnomalyKind.all_defects(), anomalies, tuple(map(_joined, scores)))


def _joined(parts: Sequence[Scores]) -> Scores:
    maps = [part.pixel for part in parts if part.pixel is not None]
    image = np.concatenate([part.image for part in parts])
    return Scores(image, np.concatenate(maps) if maps else None)

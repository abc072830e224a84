"""Tasks define anomalies, one per file: ``one_class.py`` defines ``OneClass``.

In Python, ``make_corrupted``, ``make_one_class``, ``make_foreign`` and ``make_defects`` return the
images of a task. :func:`parse` reads a task from text, such as
``"one_class:dataset=digits,normal_classes=3"``.
"""

from __future__ import annotations

from typing import Any

from anomalist.core import catalog
from anomalist.corruptions import Corruption
from anomalist.corruptions import parse as parse_corruption
from anomalist.images import Dataset
from anomalist.split import Split
from anomalist.tasks._base import AnyTask, Task, parse
from anomalist.tasks._splits import TaskSplits

__all__ = [
    "AnyTask",
    "Split",
    "Task",
    "TaskSplits",
    "make_corrupted",
    "make_defects",
    "make_foreign",
    "make_one_class",
    "parse",
]


def make_corrupted(
    dataset: Dataset,
    corruption: str | Corruption,
    *,
    severity: float | None = None,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> TaskSplits:
    """Return the images of a task: detect corrupted test images among clean ones.

    Args:
        dataset: a data set from ``datasets.load(name)``.
        corruption: a name, ``"name:option=value,…"``, or a corruption.
        severity: strength in [0, 1], if ``corruption`` does not set it.
        seed: seed of the split and the corruption.
        train: number of normal training images; None: all except ``calibration``.
        calibration: number of normal images held out for thresholds.
        test: number of test images, each used clean and corrupted; None: all.

    Raises:
        InputError: an unknown corruption or option, or fewer images than requested.
    """
    parsed = parse_corruption(corruption)
    if severity is not None:
        options = parsed.model_dump(exclude_unset=True)
        parsed = parse_corruption({"name": parsed.name, **options, "severity": severity})
    sizes = {"train": train, "calibration": calibration, "test": test}
    return _build({"kind": "corrupted", "corruption": parsed, **sizes}, dataset, seed)


def make_one_class(
    dataset: Dataset,
    normal_classes: int | tuple[int, ...],
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 500,
    test: int | None = None,
) -> TaskSplits:
    """Return the images of a task: detect test images of the other classes.

    Args:
        dataset: a data set from ``datasets.load(name)``.
        normal_classes: the normal class, or classes, as indices into ``class_names``.
        seed: seed of the split.
        train: number of normal training images; None: all except ``calibration``.
        calibration: number of normal images held out for thresholds.
        test: number of normal test images; None: all. Anomalies are all test images of the other
            classes.

    Raises:
        InputError: a class that the data set does not have, or fewer images than requested.
    """
    classes = (normal_classes,) if isinstance(normal_classes, int) else normal_classes
    sizes = {"train": train, "calibration": calibration, "test": test}
    return _build({"kind": "one_class", "normal_classes": classes, **sizes}, dataset, seed)


def make_foreign(
    dataset: Dataset,
    other: str,
    *,
    matched: bool = False,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> TaskSplits:
    """Return the images of a task: detect images of another data set.

    Args:
        dataset: a data set from ``datasets.load(name)``.
        other: the data set that anomalies come from, as ``"name:option=value,…"``.
        matched: whether to match the mean and standard deviation of anomalies to normal images.
        seed: seed of the split and of the draw of anomalies.
        train: number of normal training images; None: all except ``calibration``.
        calibration: number of normal images held out for thresholds.
        test: number of normal test images, and maximum number of anomalies; None: all.

    Raises:
        InputError: a data set that does not exist or cannot be downloaded, or fewer images than
            requested.
    """
    sizes = {"train": train, "calibration": calibration, "test": test}
    values = {"kind": "foreign", "foreign": other, "matched": matched, **sizes}
    return _build(values, dataset, seed)


def make_defects(
    dataset: Dataset,
    types: str | tuple[str, ...] = (),
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 100,
    test: int | None = None,
) -> TaskSplits:
    """Return the images of a task: detect real defects among good images.

    Args:
        dataset: a data set from ``datasets.load(name)``; its first class is "good".
        types: one or several types of defect to test; by default all.
        seed: seed of the split.
        train: number of good training images; None: all except ``calibration``.
        calibration: number of good images held out for thresholds.
        test: number of good test images; None: all. Anomalies are all test images with these
            types of defect.

    Raises:
        InputError: a type that the data set does not have, or fewer images than requested.
    """
    chosen = (types,) if isinstance(types, str) else types
    sizes = {"train": train, "calibration": calibration, "test": test}
    return _build({"kind": "defects", "types": chosen, **sizes}, dataset, seed)


def _build(values: dict[str, Any], dataset: Dataset, seed: int) -> TaskSplits:
    """Return the images of a task on a loaded data set."""
    return parse({**values, "dataset": dataset.name}).build(dataset, seed)


def __getattr__(name: str) -> Any:
    """Import a task's class on first access (PEP 562)."""
    return catalog.lazy_class("tasks", name)

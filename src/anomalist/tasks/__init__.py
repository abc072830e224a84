"""Tasks: what an anomaly is; one file a kind, whose name is the kind's, under the contract of ``task.py``.

``corrupted``, ``one_class``, ``foreign`` and ``defects`` return the splits of a data set for use in
Python; ``parse`` reads a task from text, such as ``"one_class:dataset=digits,normal_classes=3"``.
"""

from __future__ import annotations

from anomalist.corruption import Corruption
from anomalist.corruption import parse as parse_corruption
from anomalist.images import Dataset
from anomalist.split import Split
from anomalist.task import Task, TaskConfig, parse
from anomalist.tasks.corrupted import Corrupted
from anomalist.tasks.defects import Defects
from anomalist.tasks.foreign import Foreign
from anomalist.tasks.one_class import OneClass

__all__ = [
    "Corrupted",
    "Defects",
    "Foreign",
    "OneClass",
    "Split",
    "Task",
    "TaskConfig",
    "corrupted",
    "defects",
    "foreign",
    "one_class",
    "parse",
]


def corrupted(
    dataset: Dataset,
    corruption: str | Corruption,
    *,
    severity: float | None = None,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> Task:
    """Return the task of telling corrupted test images from clean ones.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        corruption: a name, ``"name:option=value,…"``, or a corruption.
        severity: its strength in [0, 1], when ``corruption`` does not say.
        seed: governs the split and the corruption.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: test images, each of them clean and corrupted; None: all.

    Raises:
        InputError: an unknown corruption or option, or more images asked for than there are.
    """
    parsed = parse_corruption(corruption)
    if severity is not None:
        parsed = parse_corruption(
            {"name": parsed.name, **parsed.model_dump(exclude_unset=True), "severity": severity}
        )
    task = Corrupted(
        dataset=dataset.name, corruption=parsed, train=train, calibration=calibration, test=test
    )
    return task.build(dataset, seed)


def one_class(
    dataset: Dataset,
    normal_classes: int | tuple[int, ...],
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 500,
    test: int | None = None,
) -> Task:
    """Return the task of telling images of the other classes from those of the normal ones.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        normal_classes: the normal class, or classes, as labels.
        seed: governs the split.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: normal test images; None: all. Anomalies are all test images of the other classes.

    Raises:
        InputError: a class that the data set has not, or more images asked for than there are.
    """
    classes = (normal_classes,) if isinstance(normal_classes, int) else normal_classes
    task = OneClass(
        dataset=dataset.name,
        normal_classes=classes,
        train=train,
        calibration=calibration,
        test=test,
    )
    return task.build(dataset, seed)


def foreign(
    dataset: Dataset,
    other: str,
    *,
    matched: bool = False,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 6_000,
    test: int | None = None,
) -> Task:
    """Return the task of telling images of another data set from those of ``dataset``.

    Args:
        dataset: what ``datasets.load(name)`` returned.
        other: the name of the data set that anomalies come from, with its options.
        matched: whether anomalies get the mean and standard deviation of normal images.
        seed: governs the split and which images are drawn.
        train: normal images to train on; None: all that ``calibration`` leaves.
        calibration: normal images held out for thresholds.
        test: normal test images, and the most anomalies; None: all.

    Raises:
        InputError: a data set that does not exist or cannot be fetched, or more images asked for
            than there are.
    """
    sizes = {"train": train, "calibration": calibration, "test": test}
    return Foreign(dataset=dataset.name, foreign=other, matched=matched, **sizes).build(
        dataset, seed
    )


def defects(
    dataset: Dataset,
    types: str | tuple[str, ...] = (),
    *,
    seed: int = 0,
    train: int | None = None,
    calibration: int = 100,
    test: int | None = None,
) -> Task:
    """Return the task of telling images with real defects from good ones.

    Args:
        dataset: what ``datasets.load(name)`` returned; its first kind is "good".
        types: the type of defect that is tested, or several; by default all.
        seed: governs the split.
        train: good images to train on; None: all that ``calibration`` leaves.
        calibration: good images held out for thresholds.
        test: good test images; None: all. Anomalies are all test images with such a defect.

    Raises:
        InputError: a type that the data set has not, or more images asked for than there are.
    """
    chosen = (types,) if isinstance(types, str) else types
    task = Defects(
        dataset=dataset.name, types=chosen, train=train, calibration=calibration, test=test
    )
    return task.build(dataset, seed)

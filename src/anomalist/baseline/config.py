"""The options of the main job: one detector, one data set, and the anomalies to test."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from anomalist.calibration import USUAL_RATES, check_enough, images_needed, usual_rate
from anomalist.core.config import Config
from anomalist.core.errors import InputError
from anomalist.corruptions import Corruption, CorruptionSpec, parse
from anomalist.images import Dataset
from anomalist.models import Detector, Model, for_run
from anomalist.models import parse as parse_model
from anomalist.tasks import Task
from anomalist.tasks.corrupted import Corrupted
from anomalist.tasks.defects import Defects, has_defects
from anomalist.trial import check_unseen

__all__ = ["SUITE", "AnomalyKind", "Baseline", "quick"]

SUITE = tuple(
    parse(spec)
    for spec in (
        *(f"gaussian_noise:sigma={sigma}" for sigma in (0.05, 0.1, 0.2, 0.3)),
        *(f"pixel_dropout:probability={share}" for share in (0.05, 0.1, 0.3, 0.5)),
        *(f"stripes:lines={lines}" for lines in (1, 2, 3, 5)),
        *(f"patch_occlusion:side={side},margin=4" for side in (4, 6, 8, 12)),
    )
)
_USUAL_CALIBRATION = 6_000
_QUICK = {"train": 6_000, "calibration": 1_000, "test": 1_000}
_QUICK_EPOCHS = 6
_ONE_HELD_OUT_OF = 5  # one training image in five is held out, up to the usual number


@dataclass(frozen=True)
class AnomalyKind:
    """One kind of anomaly that is tested.

    Attributes:
        group: the corruption or the type of defect. Figures show all settings of a group together.
        setting: the name in tables, unique within the run.
        task: ``corrupted`` or ``defects``.
        severity: severity of the corruption; None for defects.
    """

    group: str
    setting: str
    task: str
    severity: float | None = None

    @classmethod
    def of_corruption(cls, corruption: Corruption, size: tuple[int, ...]) -> Self:
        """Return the kind of a corruption on images of ``size`` (H, W)."""
        severity = corruption.severity_at((size[0], size[1]))
        return cls(corruption.name, corruption.spec, "corrupted", round(severity, 6))

    @classmethod
    def of_defect(cls, name: str) -> Self:
        """Return the kind of a type of defect."""
        is_taken = name == "all defects"  # the name of all types together
        return cls(f"defect {name}" if is_taken else name, f"defect {name}", "defects")

    @classmethod
    def all_defects(cls) -> Self:
        """Return the kind of all types of defect together."""
        return cls("all defects", "all defects", "defects")


class Baseline(Config):
    """One detector, one data set, many kinds of anomaly."""

    dataset: str = Field("mnist", description="data set, see `anomalist list datasets`")
    model: Model = Field(
        "autoencoder",
        validate_default=True,
        description="detector, see `anomalist list models`",
    )
    corruptions: tuple[CorruptionSpec, ...] | None = Field(
        None,
        description="corruptions of the test images, each as NAME or NAME:OPTION=VALUE,…; by "
        "default four corruptions at four strengths, or none if the data set has real defects, "
        "which are always tested",
    )
    train: int | None = Field(
        None,
        ge=1,
        description="number of normal images to train on; by default all that are not held out",
    )
    calibration: int | None = Field(
        None,
        ge=1,
        description="number of normal images held out of training to set the thresholds; by "
        "default a fifth, at most 6,000",
    )
    test: int | None = Field(
        None,
        ge=1,
        description="number of normal test images, each tested clean and corrupted; by default all",
    )
    false_alarm_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="expected share of normal images above the threshold, and of their pixels; by "
        "default 0.01, or the lowest of 0.02, 0.05, 0.1 and 0.2 that the number of held-out images "
        "supports",
    )
    seed: int = Field(0, ge=0, description="seed of weights, data order, splits and corruptions")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="device of networks; auto uses a GPU if there is one"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="number format of networks; auto uses bfloat16 on a GPU, else float32"
    )
    threads: int | None = Field(
        None, ge=1, description="number of processor threads; by default one per core"
    )
    settings: Literal["fastest", "reference"] = Field(
        "fastest",
        description="training precision, memory format and batch size of the autoencoder: the "
        "fastest that were measured on this processor (see `anomalist tune`), or the defaults "
        "(reference)",
    )
    allow_seen: bool = Field(
        False,
        description="whether the detector may be tested on a corruption that it is trained on",
    )
    duplicates: float | None = Field(
        None,
        ge=0,
        le=1,
        exclude_if=lambda share: share is None,
        description="largest share of test images that may be identical to training images; by "
        "default 0.01",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_unseen(self.model, self.corruptions or (), self.allow_seen)
        if self.calibration is not None and self.false_alarm_rate is not None:
            check_enough(self.calibration, self.false_alarm_rate)
        return self

    def detector(self) -> Detector:
        """Return the detector, not yet fitted, with this run's seed, device and precision."""
        return for_run(self.model, self)

    def task(self, dataset: Dataset) -> Task:
        """Return the task that defines the normal images; all sizes must be set."""
        if has_defects(dataset):
            return self.defects(())
        assert self.corruptions is not None
        return self.corrupted(self.corruptions[0])

    def corrupted(self, corruption: Corruption) -> Corrupted:
        """Return the task of finding ``corruption``; all sizes must be set."""
        return Corrupted(corruption=corruption, **self._common())

    def defects(self, types: tuple[str, ...]) -> Defects:
        """Return the task of finding these types of defect; all sizes must be set."""
        return Defects(types=types, **self._common())

    def sized(self, dataset: Dataset, *, quick: bool = False) -> Baseline:
        """Return the config with unset options filled in: sizes, false-alarm rate and corruptions.

        Args:
            dataset: the data set, whose size determines the defaults.
            quick: whether to use few images, so that the run takes seconds.

        Raises:
            InputError: there are too few held-out images for the false-alarm rate, or for any rate.
        """
        available, tested = _normal_images(dataset)
        calibration = self.calibration or self._held_out(available, quick)
        rate = self.false_alarm_rate or _lowest_rate(calibration)
        check_enough(calibration, rate)
        train = self.train
        test = self.test
        if quick:
            train = train or max(1, min(_QUICK["train"], available - calibration))
            test = test or max(1, min(_QUICK["test"], tested))
        settled = {
            "train": train,
            "calibration": calibration,
            "test": test,
            "false_alarm_rate": rate,
            "corruptions": self._settled_corruptions(dataset),
        }
        return self.model_copy(update=settled)

    def _settled_corruptions(self, dataset: Dataset) -> tuple[Corruption, ...]:
        if self.corruptions is not None:
            return self.corruptions
        if has_defects(dataset):
            return ()
        height, width = dataset.test.images.shape[2:]
        corruptions = _possible_on((height, width))
        check_unseen(self.model, corruptions, self.allow_seen)
        return corruptions

    def _held_out(self, available: int, quick: bool) -> int:
        """Return how many images are held out by default.

        This is a fifth of them, or as many as the false-alarm rate needs, but at most half.
        """
        most = _QUICK["calibration"] if quick else _USUAL_CALIBRATION
        count = min(most, max(1, available // _ONE_HELD_OUT_OF))
        if self.false_alarm_rate is not None:
            needed = images_needed(self.false_alarm_rate)
            count = max(count, min(needed, available // 2))
        return count

    def _common(self) -> dict[str, Any]:
        """Return the options that all tasks of a run share."""
        common: dict[str, Any] = {
            "dataset": self.dataset,
            "train": self.train,
            "calibration": self.calibration,
            "test": self.test,
        }
        if self.duplicates is not None:
            common["duplicates"] = self.duplicates
        return common


def quick(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a quick run: few epochs, unless ``values`` set them."""
    model = parse_model(values.get("model", "autoencoder"))
    return {**values, "model": model.shortened(_QUICK_EPOCHS)}


def _normal_images(dataset: Dataset) -> tuple[int, int]:
    """Return the numbers of normal images in the training and in the test split."""
    classes = np.zeros(1, np.int64)
    if not has_defects(dataset):
        classes = np.unique(dataset.train.class_index)
    train = int(np.isin(dataset.train.class_index, classes).sum())
    test = int(np.isin(dataset.test.class_index, classes).sum())
    return train, test


def _possible_on(size: tuple[int, int]) -> tuple[Corruption, ...]:
    """Return the corruptions of the suite that fit on images of ``size`` (H, W).

    Raises:
        InputError: the images are too small for every corruption.
    """
    possible = []
    for corruption in SUITE:
        with contextlib.suppress(InputError):
            corruption.severity_at(size)
            possible.append(corruption)
    if not possible:
        raise InputError(
            f"images of {size[0]} x {size[1]} are too small for the default corruptions; choose "
            "others with --corruptions"
        )
    return tuple(possible)


def _lowest_rate(calibration: int) -> float:
    """Return the lowest default false-alarm rate that this many held-out images support."""
    if calibration >= images_needed(USUAL_RATES[-1]):
        return usual_rate(calibration)
    raise InputError(
        f"{calibration:,} held-out normal images are too few for any default false-alarm rate: set "
        "calibration to 4 or more, or set false_alarm_rate"
    )

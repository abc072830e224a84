"""What the main job is to do: one detector, one data set, and the anomalies that it is tested on."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from anomalist.calibration import check_enough
from anomalist.config import Config
from anomalist.corruption import Corruption, parse
from anomalist.detector import Detector, Model, for_run, shortened
from anomalist.detector import parse as parse_model
from anomalist.errors import InputError
from anomalist.images import Dataset
from anomalist.tasks.corrupted import Corrupted, Spec
from anomalist.tasks.defects import Defects, has_defects
from anomalist.trial import check_unseen

__all__ = ["SUITE", "Baseline", "Kind", "quick"]

SUITE = tuple(
    parse(spec)
    for spec in (
        *(f"gaussian_noise:sigma={sigma}" for sigma in (0.05, 0.1, 0.2, 0.3)),
        *(f"pixel_dropout:probability={probability}" for probability in (0.05, 0.1, 0.3, 0.5)),
        *(f"stripes:lines={lines}" for lines in (1, 2, 3, 5)),
        *(f"patch_occlusion:side={side},margin=4" for side in (4, 6, 8, 12)),
    )
)
_USUAL = {"train": None, "calibration": 6_000, "test": None}
_QUICK = {"train": 6_000, "calibration": 1_000, "test": 1_000}
_QUICK_EPOCHS = 10
_HELD_OUT = 5  # of so many training images one is held out, up to the usual number
_RATES = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Kind:
    """One kind of anomaly that is tested.

    Attributes:
        group: what a picture shows together: a corruption at all its strengths, or a type of
            defect.
        setting: its name in tables, unique within the run.
        task: ``corrupted`` or ``defects``.
        severity: of a corruption; None for defects.
    """

    group: str
    setting: str
    task: str
    severity: float | None = None


class Baseline(Config):
    """One detector, one data set, many kinds of anomaly."""

    dataset: str = Field("mnist", description="the data set, see `anomalist list datasets`")
    model: Model = Field(
        "autoencoder",
        validate_default=True,
        description="the detector, see `anomalist list models`",
    )
    corruptions: tuple[Spec, ...] | None = Field(
        None,
        description="what test images suffer, each as name or name:option=value,option=value; by "
        "default the four of "
        "the baseline, or none where the data set has real defects, which are always tested",
    )
    train: int | None = Field(
        None, ge=1, description="normal images to train on; by default all the rest"
    )
    calibration: int | None = Field(
        None,
        ge=1,
        description="normal images held out of training, for thresholds; by default a fifth, 6,000 "
        "at most",
    )
    test: int | None = Field(
        None, ge=1, description="normal test images, each clean and corrupted; by default all"
    )
    false_alarm_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of normal images, and of their pixels, that thresholds let through; by "
        "default 0.01, or the "
        "lowest of 0.02, 0.05, 0.1 and 0.2 that the held-out images are enough for",
    )
    seed: int = Field(0, ge=0, description="governs weights, data order, splits and corruptions")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks run")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of networks"
    )
    threads: int | None = Field(None, ge=1, description="processor threads; by default one a core")
    allow_seen: bool = Field(
        False, description="whether a detector may be tested on a corruption that it learns from"
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

    def sized(self, dataset: Dataset, *, quick: bool = False) -> Baseline:
        """Return the config with what was left open settled by the data set: sizes, false-alarm rate, corruptions.

        Args:
            dataset: the data set.
            quick: whether no more images are taken than a run of seconds takes.

        Raises:
            InputError: the held-out images are too few for the false-alarm rate, or for any.
        """
        normal = (
            np.unique(dataset.train.labels) if not has_defects(dataset) else np.zeros(1, np.int64)
        )
        available, tested = (
            int(np.isin(part.labels, normal).sum()) for part in (dataset.train, dataset.test)
        )
        most = _QUICK if quick else _USUAL
        calibration = self.calibration or self._held_out(
            available, most["calibration"] or available
        )
        rate = self.false_alarm_rate or _lowest_rate(calibration)
        check_enough(calibration, rate)
        train, test = self.train, self.test
        if quick:
            train = train or max(1, min(_QUICK["train"], available - calibration))
            test = test or max(1, min(_QUICK["test"], tested))
        corruptions = self.corruptions
        height, width = dataset.test.images.shape[2:]
        if corruptions is None:
            corruptions = () if has_defects(dataset) else _possible_on((height, width))
            check_unseen(self.model, corruptions, self.allow_seen)
        sizes = {"train": train, "calibration": calibration, "test": test}
        return self.model_copy(
            update={**sizes, "false_alarm_rate": rate, "corruptions": corruptions}
        )

    def _held_out(self, available: int, most: int) -> int:
        """Return how many images are held out by default: a fifth, or as many as the rate takes, up to a half."""
        count = min(most, max(1, available // _HELD_OUT))
        if self.false_alarm_rate is not None:
            count = max(count, min(math.ceil(1 / self.false_alarm_rate) - 1, available // 2))
        return count

    def corrupted(self, corruption: Corruption) -> Corrupted:
        """Return the task of finding ``corruption``, of a config whose sizes are settled."""
        return Corrupted(dataset=self.dataset, corruption=corruption, **self._sizes())

    def defects(self, types: tuple[str, ...]) -> Defects:
        """Return the task of finding defects of these types, of a config whose sizes are settled."""
        return Defects(dataset=self.dataset, types=types, **self._sizes())

    def _sizes(self) -> dict[str, Any]:
        return {"train": self.train, "calibration": self.calibration, "test": self.test}


def quick(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a run of seconds: fewer epochs, where ``values`` do not say otherwise."""
    return {
        **values,
        "model": shortened(parse_model(values.get("model", "autoencoder")), _QUICK_EPOCHS),
    }


def _possible_on(size: tuple[int, int]) -> tuple[Corruption, ...]:
    """Return those corruptions of the suite that images of this size (H, W) have room for.

    Raises:
        InputError: the images are too small for all of them.
    """
    possible = []
    for corruption in SUITE:
        with contextlib.suppress(InputError):
            corruption.severity_at(size)
            possible.append(corruption)
    if not possible:
        raise InputError(
            f"images of {size[0]} x {size[1]} are too small for the usual corruptions; name some: "
            "--corruptions"
        )
    return tuple(possible)


def _lowest_rate(calibration: int) -> float:
    """Return the lowest usual false-alarm rate that so many held-out images are enough for."""
    for rate in _RATES:
        if calibration >= math.ceil(round(1 / rate, 9)) - 1:
            return rate
    raise InputError(
        f"{calibration:,} held-out normal images are too few for any threshold: give 4 or more "
        "with calibration, or "
        "say false_alarm_rate"
    )

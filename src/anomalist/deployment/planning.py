"""Decide what is not given: the detector, the size of images, and the calibration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np

from anomalist.calibration import check_enough, images_needed, usual_rate
from anomalist.core.errors import InputError
from anomalist.deployment.config import FitConfig
from anomalist.deployment.tiling import GRID, Tiling
from anomalist.image_files.survey import Survey
from anomalist.models import Detector, for_run, parse

__all__ = ["FEW", "CalibrationPlan", "Plan", "make_plan", "plan_calibration"]

FEW = 16  # images; with at most this many, each is held out once, and rotated copies may help

_SMALL_SIDE = 64  # images up to this side are not photographs
_SIDE = 256  # shorter side of photographs after resizing
_LONGEST = 512
_SAME_ASPECT = 0.05  # largest relative difference of aspect ratios that count as one
_MANY = 150  # images from which split calibration, and one Gaussian per position, are the default
_HELD_OUT_OF = 5  # one image in five is held out,
_WANTED = images_needed(0.01)  # or as many as a rate of 1 % needs,
_AT_MOST_OF = 3  # but then at most one in three
_FOLDS = 5
_LARGE = 1024  # shorter side above which tiles are suggested


@dataclass(frozen=True)
class CalibrationPlan:
    """How the normal images set the threshold.

    Attributes:
        method: like the option ``calibration``, without ``auto``.
        images: number of images whose scores are compared with, 0 for ``none``.
        folds: number of detectors.
        false_alarms: the false-alarm rate; None for ``none``.
        why: the reason, for the console.
    """

    method: Literal["split", "cross", "none"]
    images: int
    folds: int
    false_alarms: float | None
    why: str


@dataclass(frozen=True)
class Plan:
    """What is going to be fitted.

    Attributes:
        detector: not yet fitted.
        size: height and width of all images; None for tiles.
        tiling: the tiles, or None.
        calibration: how the threshold is set.
        why_detector: the reason, for the console.
        why_size: the reason, for the console.
    """

    detector: Detector
    size: tuple[int, int] | None
    tiling: Tiling | None
    calibration: CalibrationPlan
    why_detector: str
    why_size: str

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what the detector is fitted on."""
        if self.tiling is not None:
            return self.tiling.side, self.tiling.side
        assert self.size is not None
        return self.size


def make_plan(config: FitConfig, images: Survey, count: int) -> Plan:
    """Return the plan for ``count`` normal images.

    Raises:
        InputError: the images are too few for the options, or a package is missing.
    """
    size, why_size = _size(config, images)
    small = config.tile is None and size is not None and max(size) <= _SMALL_SIDE
    detector, why_detector = _detector(config, count, small)
    detector.check_installed()
    return Plan(
        detector=for_run(detector, config),
        size=size,
        tiling=config.tiling,
        calibration=plan_calibration(config, count),
        why_detector=why_detector,
        why_size=why_size,
    )


def plan_calibration(config: FitConfig, count: int) -> CalibrationPlan:
    """Return how ``count`` normal images are used.

    Raises:
        InputError: they are too few for the options.
    """
    method = config.method
    if method == "auto" and count == 1 and config.false_alarms is None:
        method = "none"
    elif method == "auto":
        method = "split" if count >= _MANY else "cross"
    if method == "none":
        why = "no image is held out: scores only rank images, there is no threshold"
        return CalibrationPlan("none", 0, 1, None, why)
    if count < 2:
        raise InputError(f"{method} calibration needs at least 2 normal images, got {count}")
    if method == "split":
        return _split(config, count)
    return _cross(config, count)


def _split(config: FitConfig, count: int) -> CalibrationPlan:
    held_out = config.held_out
    if held_out is None:
        held_out = max(1, count // _HELD_OUT_OF, min(_WANTED, count // _AT_MOST_OF))
        if config.false_alarms is not None:
            needed = images_needed(config.false_alarms)
            held_out = max(held_out, min(needed, count // 2))
    if held_out >= count:
        raise InputError(
            f"held_out={held_out:,} leaves none of {count:,} normal images to train on"
        )
    rate = config.false_alarms or usual_rate(held_out)
    if images_needed(rate) > held_out:
        raise InputError(
            f"a false-alarm rate of {rate:g} needs at least {images_needed(rate):,} held-out "
            f"normal images, got {held_out:,} of {count:,}: give more images, raise false_alarms, "
            "or use all images with --calibration cross"
        )
    why = f"{count - held_out:,} images to train on, {held_out:,} held out for the threshold"
    return CalibrationPlan("split", held_out, 1, rate, why)


def _cross(config: FitConfig, count: int) -> CalibrationPlan:
    folds = config.folds or (count if count <= FEW else _FOLDS)
    if folds > count:
        raise InputError(f"folds={folds:,} is more than the {count:,} normal images")
    rate = config.false_alarms or usual_rate(count)
    check_enough(count, rate)
    why = (
        f"all {count:,} images are used for training and calibration: {folds} detectors, each "
        "fitted without one fold"
    )
    return CalibrationPlan("cross", count, folds, rate, why)


def _detector(config: FitConfig, count: int, small: bool) -> tuple[Detector, str]:
    """Return the detector, and why."""
    if config.model is not None:
        return config.model, "as given"
    if small:
        return parse("pca"), (
            "the images are small: it fits in seconds and draws a map; --model autoencoder takes "
            "longer and may detect more"
        )
    if find_spec("efficientnet_lite_pytorch") is None:
        raise InputError(
            "photographs need a detector on pretrained features: pip install "
            "'anomalist[features]', or choose another detector, such as --model autoencoder"
        )
    if config.tile is not None:
        return parse("patch_memory"), "pretrained features; tiles have no fixed position"
    if count >= _MANY:
        return parse("padim"), (
            "pretrained features; the best of three on the magnetic tiles of the documentation; "
            "--model patch_memory suits images that are not aligned"
        )
    return parse("patch_memory"), (
        f"pretrained features; with fewer than {_MANY} images it is preferred to padim"
    )


def _size(config: FitConfig, images: Survey) -> tuple[tuple[int, int] | None, str]:
    """Return the size (H, W) of all images, and why; None for tiles."""
    width, height = images.median
    if config.tile is not None:
        return None, f"tiles of {config.tile} x {config.tile} at full resolution"
    if config.resize is not None:
        size = config.folder().resize
        return size, "as given"
    shorter = min(width, height)
    if images.one_size and max(width, height) <= _SMALL_SIDE:
        return (height, width), "the size of the files"
    if max(width, height) <= _SMALL_SIDE:
        return (height, width), "the median size of the files"
    aspects = np.array([w / h for w, h in images.sizes])
    size = (_SIDE, _SIDE)
    why = "the usual size of photographs"
    if np.ptp(np.log(aspects)) <= 2 * _SAME_ASPECT:
        longer = min(_LONGEST, _to_grid(_SIDE * max(width, height) / shorter))
        size = (_SIDE, longer) if width >= height else (longer, _SIDE)
        why = "the files' aspect ratio" if size != (height, width) else "the size of the files"
    if shorter > _LARGE:
        why += "; for small defects consider --tile 256"
    return size, why


def _to_grid(length: float) -> int:
    return max(GRID, round(length / GRID) * GRID)

"""Fit and calibrate a model on a folder of normal images."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalist._version import __version__
from anomalist.core.config_file import write_config
from anomalist.core.console import say
from anomalist.core.devices import resolve, using_threads
from anomalist.core.environment import processor
from anomalist.core.errors import InputError
from anomalist.core.files import atomic_folder, make_folder, write_csv
from anomalist.core.hashing import json_hash
from anomalist.core.memory import check_fits, peak_bytes, reusing_memory
from anomalist.core.randomness import generator
from anomalist.datasets.folder import normal_entries
from anomalist.deployment import storage
from anomalist.deployment.calibrating import calibration_from, score_fold, uncalibrated
from anomalist.deployment.config import FitConfig
from anomalist.deployment.costs import estimate
from anomalist.deployment.description import Cost, Description, Training
from anomalist.deployment.messages import plan_lines, trust_lines
from anomalist.deployment.model import CalibratedModel, Calibration
from anomalist.deployment.planning import FEW, Plan, make_plan
from anomalist.deployment.rotations import has_no_orientation, with_rotations
from anomalist.deployment.scorers import DetectorScorer, Scorer
from anomalist.deployment.sources import NormalImages, open_images
from anomalist.image_files.survey import survey
from anomalist.models import Detector

__all__ = ["fit"]

_PACKAGES = ("anomalist", "numpy", "scipy", "torch", "scikit-learn", "pillow")
_TIMED = 3  # repetitions of the time for one image


def fit(config: FitConfig, out: Path) -> CalibratedModel:
    """Fit and calibrate a model on the normal images of a folder, and write it to ``out``.

    Args:
        config: the images, the detector and the calibration.
        out: the folder of the model. A model that is already there is replaced when the new one is
            complete.

    Raises:
        InputError: anything that the user can fix: a folder, a size, too few images, too little
            memory.
    """
    resolve(config.device, config.precision)
    out = Path(os.path.abspath(out))  # noqa: PTH100 (a link is not followed)
    _check_out(out, Path(config.path))
    if (out / storage.DESCRIPTION).exists():
        say(f"the model in {out} will be replaced")
    with using_threads(config.threads) as threads, reusing_memory():
        return _fit(config, out, threads)


def _fit(config: FitConfig, out: Path, threads: int) -> CalibratedModel:
    layout = config.folder().layout()
    entries = normal_entries(layout)
    root = Path(config.path).expanduser()
    found = survey(root, [entry for entry in entries if entry.fault is None])
    plan = make_plan(config, found, len(entries))
    say(f"anomalist {__version__}: {len(entries):,} normal images in {root}")
    channels = 3 if (config.channels == "colour" or found.colour) else 1
    costs = estimate(plan, len(entries), channels)
    for line in plan_lines(plan, found, costs):
        say(line)
    check_fits(costs.memory, "the fit", "use smaller or fewer images, or another detector")
    images = open_images(config, layout, entries, plan.size)
    if len(images.names) < len(entries):  # some files could not be read
        plan = make_plan(config, found, len(images.names))
    start = time.perf_counter()
    rotated = _should_rotate(config, images)
    folds = _folds(plan, len(images.names), config.seed)
    detectors = [
        _fitted(plan.detector, images, rows, rotated, config.seed, _name(number, folds))
        for number, (rows, _) in enumerate(folds)
    ]
    calibration = _calibrated(detectors, images, [held for _, held in folds], plan)
    seconds = time.perf_counter() - start
    scorer = storage.with_tiles(DetectorScorer(detectors, images.reading), plan.tiling)
    cost, has_maps = _measured(scorer, images, seconds, threads)
    settled = _settled(config, plan, rotated)
    description = _describe(settled, plan, images, calibration, cost, has_maps)
    model = CalibratedModel(description, calibration, scorer, storage.seen_in(images.digests))
    _write(out, settled, model, detectors, images, folds)
    for line in trust_lines(model, out):
        say(line)
    return model


def _name(number: int, folds: Sequence[object]) -> str:
    return "" if len(folds) == 1 else f" {number + 1} of {len(folds)}"


def _folds(plan: Plan, count: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return for each detector the images to fit on and those to calibrate with."""
    order = generator(seed, "held out").permutation(count)
    if plan.calibration.method == "none":
        return [(np.arange(count), np.zeros(0, np.int64))]
    if plan.calibration.method == "split":
        held = plan.calibration.images
        return [(np.sort(order[held:]), np.sort(order[:held]))]
    parts = [
        np.sort(order[first :: plan.calibration.folds]) for first in range(plan.calibration.folds)
    ]
    return [(np.setdiff1d(np.arange(count), part), part) for part in parts]


def _fitted(
    plain: Detector,
    images: NormalImages,
    rows: NDArray[np.int64],
    rotated: bool,
    seed: int,
    which: str,
) -> Detector:
    """Return a detector fitted on some of the images."""
    training = images.training(rows, seed)
    if rotated:
        training = with_rotations(training)
    sides = " x ".join(map(str, training.shape[1:]))
    say(f"fitting {plain.name}{which} on {len(training):,} images of {sides}")
    return plain.model_copy().fit(training)


def _should_rotate(config: FitConfig, images: NormalImages) -> bool:
    """Return whether rotated copies are used for training; say so."""
    count = len(images.names)
    if config.rotate != "auto":
        return config.rotate == "yes"
    if not 2 <= count <= FEW:
        return False
    rotate = has_no_orientation(images.training(np.arange(count), config.seed))
    if rotate:
        say("the images have no fixed orientation: rotated copies are used for training too")
    return rotate


def _calibrated(
    detectors: Sequence[Detector],
    images: NormalImages,
    held_out: Sequence[NDArray[np.int64]],
    plan: Plan,
) -> Calibration:
    """Return the calibration by images that each detector was not fitted on."""
    scorers = [
        storage.with_tiles(DetectorScorer([detector], images.reading), plan.tiling)
        for detector in detectors
    ]
    if plan.calibration.method == "none":
        return uncalibrated(
            score_fold(scorers[0], images, np.arange(len(images.names)), turned=True)
        )
    folds = [
        score_fold(scorer, images, rows) for scorer, rows in zip(scorers, held_out, strict=True)
    ]
    return calibration_from(folds)


def _measured(
    scorer: Scorer, images: NormalImages, seconds: float, threads: int
) -> tuple[Cost, bool]:
    """Return what the fit took and what scoring takes, and whether there are maps."""
    rows = np.arange(len(images.names))
    one = next(images.batches(rows[:1]))
    alone = min(_seconds(scorer, one) for _ in range(_TIMED))
    several = next(images.batches(rows))
    together = min(_seconds(scorer, several) for _ in range(_TIMED))
    _, maps = scorer(one)
    cost = Cost(
        fit_s=round(seconds, 2),
        one_image_ms=round(1000 * alone, 2),
        images_per_s=round(len(several) / together, 1),
        peak_bytes=peak_bytes(),
        threads=threads,
        processor=processor(),
    )
    return cost, maps is not None


def _seconds(scorer: Scorer, images: NDArray[np.generic]) -> float:
    start = time.perf_counter()
    scorer(images)
    return time.perf_counter() - start


def _describe(
    config: FitConfig,
    plan: Plan,
    images: NormalImages,
    calibration: Calibration,
    cost: Cost,
    has_maps: bool,
) -> Description:
    return Description(
        anomalist=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        detector=plan.detector.spec,
        map_quantity=plan.detector.map_quantity,
        has_maps=has_maps,
        reading=images.reading,
        tiling=plan.tiling,
        method=plan.calibration.method,
        calibration_images=calibration.image.count,
        false_alarms=plan.calibration.false_alarms,
        seed=config.seed,
        training=Training(
            folder=Path(config.path).resolve().name,
            images=len(images.names),
            sha256=json_hash(sorted(images.digests)),
            rotated=config.rotate == "yes",
        ),
        cost=cost,
        versions={name: metadata.version(name) for name in _PACKAGES},
        fit=config.model_dump(mode="json", exclude={"path"}, exclude_defaults=True),
    )


def _write(
    out: Path,
    config: FitConfig,
    model: CalibratedModel,
    detectors: Sequence[Detector],
    images: NormalImages,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> None:
    """Write the folder of the model, in place of an earlier one."""
    earlier = out.with_name(f".{out.name}-earlier")
    with atomic_folder(out) as temporary:
        storage.save(temporary, detectors, model.description, model.calibration)
        write_config(temporary / storage.CONFIG, config.model_dump(mode="json", exclude_none=True))
        write_csv(temporary / storage.IMAGES, _image_rows(images, folds))
        if out.exists():
            shutil.rmtree(earlier, ignore_errors=True)
            out.rename(earlier)
    shutil.rmtree(earlier, ignore_errors=True)


def _settled(config: FitConfig, plan: Plan, rotated: bool) -> FitConfig:
    """Return the options with all choices, so that another fit chooses the same."""
    calibration = plan.calibration
    split = calibration.method == "split"
    return config.model_copy(
        update={
            "model": plan.detector,
            "resize": plan.size,
            "calibration": calibration.method,
            "held_out": calibration.images if split else None,
            "folds": calibration.folds if calibration.method == "cross" else None,
            "false_alarms": calibration.false_alarms,
            "rotate": "yes" if rotated else "no",
        }
    )


def _image_rows(
    images: NormalImages,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> list[dict[str, str]]:
    """Return a row for each image: its use, or the detector that was fitted without it."""
    use = ["training"] * len(images.names)
    for number, (_, held_out) in enumerate(folds):
        label = "calibration" if len(folds) == 1 else f"calibration of detector {number}"
        for row in held_out:
            use[row] = label
    each = zip(images.names, use, images.digests, strict=True)
    return [{"path": name, "use": how, "sha256": digest} for name, how, digest in each]


def _check_out(out: Path, folder: Path) -> None:
    """Check that the model's folder can be written, and holds nothing but a model.

    Raises:
        InputError: it and the folder of images contain each other, or it contains other files.
    """
    images = folder.expanduser().resolve()
    if out.resolve().is_relative_to(images) or images.is_relative_to(out.resolve()):
        raise InputError(
            f"--out {str(out)!r} and the image folder {str(folder)!r} contain each other: choose "
            "another folder"
        )
    if out.suffix.lower() == ".onnx":
        raise InputError(f"--out {str(out)!r} is a folder: leave out the ending .onnx")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"--out {str(out)!r} is a file or a link: choose a folder")
    if out.is_dir() and not storage.holds_only_a_model(out):
        raise InputError(f"--out {str(out)!r} contains other files: choose an empty or new folder")
    make_folder(out.parent, "folder of the model")

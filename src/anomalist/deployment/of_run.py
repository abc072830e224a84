"""A finished run of ``anomalist run`` as a model: its detector and its held-out normal images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from anomalist._version import __version__
from anomalist.calibration import ReferenceScores
from anomalist.core.errors import InputError
from anomalist.core.npy import read_npz
from anomalist.deployment.description import Description, Training
from anomalist.deployment.model import CalibratedModel, Calibration
from anomalist.deployment.reading import Reading
from anomalist.deployment.scorers import DetectorScorer

__all__ = ["data_set_of", "is_run", "load_run"]

_CONFIG = "config.json"
_SCORES = "scores.npz"
_CASES = Path("anomalies") / "cases.npz"
_HIGHEST = "calibration_highest"


def is_run(folder: Path) -> bool:
    """Return whether a folder contains a finished run."""
    return all((folder / name).is_file() for name in (_CONFIG, _SCORES, "metrics.json"))


def data_set_of(folder: Path) -> tuple[str, int]:
    """Return the data set of a run, and its seed."""
    config = _read_json(folder / _CONFIG)
    return str(config["dataset"]), int(config["seed"])


def load_run(folder: Path) -> CalibratedModel:
    """Return the model of a run.

    Files are read as 8-bit images of the size and the channels of the run's data set. Masks limit
    the share of normal images with any marked pixel, as for every model. The run's own masks and
    pixel metrics use a quantile of the pixels of normal images instead.

    Args:
        folder: the folder of the run.

    Raises:
        InputError: the detector cannot be read.
        OSError, ValueError, LookupError, TypeError: a file is damaged.
    """
    from anomalist.models import load as load_detector  # loads torch

    detector = load_detector(folder / "model")
    config = _read_json(folder / _CONFIG)
    stats = _read_json(folder / "dataset_stats.json")
    saved = {name: read() for name, read in read_npz(folder / _SCORES).items()}
    cases = {name: read() for name, read in read_npz(folder / _CASES).items()}
    if "top" in cases and _HIGHEST not in saved:
        raise InputError(
            f"{str(folder)!r} was written by an older version: run `anomalist run` again to use it "
            "as a model"
        )
    channels, height, width = stats["train"]["shape"]
    image = ReferenceScores([saved["calibration"].astype(np.float32)])
    region = None
    if _HIGHEST in saved:
        region = ReferenceScores([saved[_HIGHEST].astype(np.float32)])
    scale = float(cases.get("bottom", 0.0)), float(cases.get("top", 1.0))
    reading = Reading(size=(height, width), channels=channels, dtype="uint8")
    description = Description(
        anomalist=__version__,
        created=_finished(folder),
        detector=detector.spec,
        map_quantity=str(cases.get("quantity", "")),
        has_maps=region is not None,
        reading=reading,
        method="split",
        calibration_images=image.count,
        false_alarms=config["false_alarm_rate"],
        seed=config["seed"],
        training=Training(
            folder=config["dataset"],
            images=stats["train"]["count"],
            sha256=stats["train"]["sha256"]["images"],
        ),
    )
    calibration = Calibration(image=image, region=region, marked=None, scale=scale)
    return CalibratedModel(description, calibration, DetectorScorer([detector], reading))


def _finished(folder: Path) -> str:
    """Return when the run finished, if it is known."""
    path = folder / "environment.json"
    return str(_read_json(path)["finished"]) if path.is_file() else ""


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

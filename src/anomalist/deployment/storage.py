"""The folder of a model: everything that scoring needs, and nothing else.

- ``model.json``: what it is, how it reads files, how it was calibrated
- ``calibration.npz``: the scores of normal images
- ``detectors/0``, ``detectors/1``, …: the fitted detectors
- ``images.csv``: the files that it was trained and calibrated on
"""

from __future__ import annotations

import binascii
import csv
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration import MarkedShare, ReferenceScores
from anomalist.core.errors import InputError
from anomalist.core.files import write_arrays, write_json
from anomalist.core.npy import read_npz
from anomalist.deployment.description import FORMAT, Description
from anomalist.deployment.model import CalibratedModel, Calibration
from anomalist.deployment.of_run import is_run, load_run
from anomalist.deployment.scorers import DetectorScorer, Scorer, TiledScorer
from anomalist.deployment.tiling import Tiling

if TYPE_CHECKING:
    from anomalist.models import Detector

__all__ = [
    "CONFIG",
    "DAMAGE",
    "DESCRIPTION",
    "IMAGES",
    "SEEN_DIGITS",
    "arrays_of",
    "calibration_of",
    "check_agreement",
    "description_of",
    "holds_only_a_model",
    "load",
    "read_description",
    "save",
    "seen_in",
    "with_tiles",
]

DESCRIPTION = "model.json"
IMAGES = "images.csv"
CONFIG = "config.yaml"
_CALIBRATION = "calibration.npz"
_DETECTORS = "detectors"
SEEN_DIGITS = 16  # of the hash of an image
# What reading a damaged or edited file may raise.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    zipfile.BadZipFile,
    binascii.Error,
)
_ONNX = ".onnx"


def arrays_of(calibration: Calibration) -> dict[str, NDArray[Any]]:
    """Return a calibration as arrays by name."""
    folds = calibration.image.folds
    arrays: dict[str, NDArray[Any]] = {
        "image": np.concatenate(folds),
        "fold": np.repeat(np.arange(len(folds)), [len(fold) for fold in folds]),
        "folds": np.array(len(folds)),
        "scale": np.array(calibration.scale, np.float64),
    }
    if calibration.region is not None:
        arrays["region"] = np.concatenate(calibration.region.folds)
    if calibration.marked is not None:
        arrays["marked_thresholds"] = calibration.marked.thresholds
        arrays["marked_shares"] = calibration.marked.shares
    return arrays


def calibration_of(arrays: dict[str, NDArray[Any]]) -> Calibration:
    """Return the calibration of :func:`arrays_of`.

    Raises:
        KeyError: an array is missing.
        ValueError: arrays do not fit together, or are not finite.
    """
    fold = arrays["fold"]
    count = int(arrays["folds"])
    if count < 1 or not np.isin(fold, np.arange(count)).all():
        raise ValueError("its folds do not fit together")

    def by_fold(name: str) -> ReferenceScores | None:
        if name not in arrays:
            return None
        values = arrays[name].astype(np.float32)
        if values.shape != fold.shape or not np.isfinite(values).all():
            raise ValueError(f"{name} must be {len(fold)} finite scores")
        return ReferenceScores([values[fold == number] for number in range(count)])

    image = by_fold("image")
    if image is None:
        raise KeyError("image")
    marked = None
    if "marked_thresholds" in arrays:
        thresholds = arrays["marked_thresholds"].astype(np.float32)
        shares = arrays["marked_shares"].astype(np.float64)
        if thresholds.shape != shares.shape or not np.isfinite(thresholds).all():
            raise ValueError("the shares of marked pixels do not fit together")
        marked = MarkedShare(thresholds, shares, image.count)
    low, high = arrays["scale"].tolist()
    if not np.isfinite([low, high]).all():
        raise ValueError("the scale of maps must be finite")
    return Calibration(image, by_fold("region"), marked, (low, high))


def holds_only_a_model(folder: Path) -> bool:
    """Return whether a folder is empty, or contains a model and nothing else."""
    names = {path.name for path in folder.iterdir()}
    if not names:
        return True
    try:
        read_description(folder)
    except InputError:
        return False
    return names <= {DESCRIPTION, IMAGES, CONFIG, _CALIBRATION, _DETECTORS}


def save(
    folder: Path,
    detectors: Sequence[Detector],
    description: Description,
    calibration: Calibration,
) -> None:
    """Write a model to a new folder."""
    for number, detector in enumerate(detectors):
        detector.save(folder / _DETECTORS / str(number))
    write_arrays(folder / _CALIBRATION, arrays_of(calibration))
    write_json(folder / DESCRIPTION, description.model_dump(mode="json"))


def load(path: str | Path) -> CalibratedModel:
    """Return the model in a folder that ``anomalist fit`` wrote, or in an exported ONNX file.

    The folder of a finished ``anomalist run`` is a model too.

    Raises:
        InputError: there is no such model, a file is missing or damaged, or its format is of
            another version.
    """
    given = Path(path)
    if given.suffix.lower() == _ONNX and not given.is_dir():
        from anomalist.deployment.onnx_file import read_onnx

        return read_onnx(given)
    if is_run(given) and not (given / DESCRIPTION).exists():
        return _run(given)
    description = read_description(given)
    try:
        readers = read_npz(given / _CALIBRATION)
        calibration = calibration_of({name: read() for name, read in readers.items()})
        check_agreement(description, calibration)
    except DAMAGE as error:
        raise InputError(
            f"{str(given / _CALIBRATION)!r} cannot be read ({error}); fit the model again"
        ) from None
    scorer = _scorer(given, description, calibration)
    return CalibratedModel(description, calibration, scorer, _seen(given / IMAGES))


def _run(folder: Path) -> CalibratedModel:
    try:
        return load_run(folder)
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(
            f"the run in {str(folder)!r} cannot be read ({error}); run `anomalist run` again"
        ) from None


def check_agreement(description: Description, calibration: Calibration) -> None:
    """Check that a description and a calibration belong together.

    Raises:
        ValueError: they do not.
    """
    folds = len(calibration.image.folds)
    is_cross = description.method == "cross"
    if calibration.image.count != description.calibration_images or is_cross != (folds > 1):
        raise ValueError("it does not fit the description of the model")
    without_rate = description.false_alarms is None
    if without_rate != (description.method == "none"):
        raise ValueError("the false-alarm rate does not fit the method of calibration")
    if (description.reading.size is None) != (description.tiling is not None):
        raise ValueError("the description must have either a size of images or tiles")


def seen_in(digests: Iterable[str]) -> frozenset[str]:
    """Return the first 16 digits of hashes of images."""
    return frozenset(digest[:SEEN_DIGITS] for digest in digests)


def _seen(path: Path) -> frozenset[str]:
    """Return the first 16 digits of the hashes of the images of the fit; empty if unknown."""
    if not path.is_file():
        return frozenset()
    with path.open(encoding="utf-8", newline="") as file:
        return seen_in(row["sha256"] for row in csv.DictReader(file))


def read_description(folder: Path) -> Description:
    """Return the description of the model in a folder.

    Raises:
        InputError: there is no model, or it is damaged or of another version.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        what = "no such folder" if not folder.exists() else f"{DESCRIPTION} is missing"
        raise InputError(
            f"{str(folder)!r} is not a model ({what}); make one with `anomalist fit DIR --out "
            f"{folder}`"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read ({error}); fit the model again") from None
    return description_of(values, str(path))


def description_of(values: Any, where: str) -> Description:
    """Return the description in JSON values.

    Args:
        values: the values.
        where: where they come from, for messages.

    Raises:
        InputError: they do not describe a model, or one of another version.
    """
    given = values.get("format") if isinstance(values, dict) else None
    if given != FORMAT:
        raise InputError(f"{where!r} has model format {given!r}; this version reads {FORMAT}")
    try:
        return Description(**values)
    except InputError as error:
        raise InputError(f"{where!r} is damaged ({error}); fit the model again") from None


def _scorer(folder: Path, description: Description, calibration: Calibration) -> Scorer:
    from anomalist.models import load as load_detector  # loads torch

    count = len(calibration.image.folds)
    detectors = [load_detector(folder / _DETECTORS / str(number)) for number in range(count)]
    return with_tiles(DetectorScorer(detectors, description.reading), description.tiling)


def with_tiles(scorer: Scorer, tiling: Tiling | None) -> Scorer:
    """Return a scorer of whole images."""
    return scorer if tiling is None else TiledScorer(scorer, tiling)

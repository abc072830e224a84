"""Saved detectors: ``detector.json`` (options and hashes) and ``arrays.safetensors``.

Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from anomalist._version import __version__
from anomalist.core import catalog
from anomalist.core.errors import InputError
from anomalist.core.files import atomic_write, make_folder, write_json
from anomalist.models._base import Detector

__all__ = ["load", "remove_saved", "save"]

_FORMAT = 1
_DESCRIPTION = "detector.json"
_ARRAYS = "arrays.safetensors"


def save(detector: Detector, folder: Path) -> None:
    """Write a fitted detector to a folder.

    Raises:
        InputError: the detector is not fitted, or the folder cannot be written to.
    """
    shape = detector.fitted_shape
    path = make_folder(folder, "model folder")
    arrays = {
        name: np.require(values, requirements="C")
        for name, values in detector.learnt_arrays().items()
    }
    data = safetensors.save(arrays)
    with atomic_write(path / _ARRAYS) as temporary:
        temporary.write_bytes(data)
    description = {
        "format": _FORMAT,
        "anomalist": __version__,
        "detector": detector.name,
        "config": detector.model_dump(mode="json"),
        "shape": list(shape),
        "arrays_sha256": hashlib.sha256(data).hexdigest(),
    }
    write_json(path / _DESCRIPTION, description)


def remove_saved(folder: Path) -> None:
    """Remove the files of a saved detector, and the folder if it is empty then."""
    for name in (_DESCRIPTION, _ARRAYS):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # the folder is missing or contains other files
        folder.rmdir()


def load(folder: str | Path) -> Detector:
    """Return the fitted detector saved in ``folder``; its scores are the same as before.

    Raises:
        InputError: a file is missing, was changed, or has a format that this version cannot read.
    """
    path = Path(folder)
    for name in (_DESCRIPTION, _ARRAYS):
        if not (path / name).is_file():
            raise InputError(
                f"no detector in {str(path)!r}: {name} is missing; save one with "
                "detector.save(folder)"
            )
    try:
        return _restored(path)
    except InputError:
        raise
    # json, torch and safetensors raise these for files that are not a detector's.
    except (ValueError, LookupError, TypeError, RuntimeError, SafetensorError, OSError) as error:
        described = str(path / _DESCRIPTION)
        raise InputError(
            f"{described!r} cannot be read as a detector ({error}); save it again"
        ) from None


def _restored(path: Path) -> Detector:
    described = json.loads((path / _DESCRIPTION).read_text(encoding="utf-8"))
    data = (path / _ARRAYS).read_bytes()
    if described["format"] != _FORMAT:
        raise InputError(
            f"{str(path)!r} has detector format {described['format']!r}; this version reads "
            f"{_FORMAT}"
        )
    if hashlib.sha256(data).hexdigest() != described["arrays_sha256"]:
        raise InputError(
            f"{str(path / _ARRAYS)!r} is not the file that was saved: its hash differs; save the "
            "detector again"
        )
    chosen: type[Detector] = catalog.find_class("models", described["detector"])
    if not isinstance(chosen, type) or not issubclass(chosen, Detector):
        raise InputError(f"{described['detector']!r} is not a detector")
    detector = chosen(**chosen.with_new_spelling(described["config"]))
    channels, height, width = described["shape"]
    detector.restore((channels, height, width), safetensors.load(data))
    return detector

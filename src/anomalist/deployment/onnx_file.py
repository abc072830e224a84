"""Score with an exported ONNX file: ONNX Runtime and NumPy, without torch."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.core.threads import check_thread_count
from anomalist.deployment.description import Description
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.scorers import RawScores
from anomalist.deployment.storage import (
    DAMAGE,
    calibration_of,
    check_agreement,
    description_of,
    with_tiles,
)

__all__ = ["ARRAYS", "DESCRIPTION", "SEEN", "OnnxScorer", "read_onnx"]

DESCRIPTION = "anomalist.description"  # keys of the metadata
ARRAYS = "anomalist.calibration"
SEEN = "anomalist.images"
_MAP = "map"
_TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}


class OnnxScorer:
    """Scores by a session of ONNX Runtime."""

    def __init__(self, path: Path, session: Any) -> None:
        """Use a session.

        Args:
            path: the file, for sessions with another number of threads.
            session: an ``onnxruntime.InferenceSession``.
        """
        self._path = path
        self._session = session
        names = [output.name for output in session.get_outputs()]
        self._wanted = ["score", *([_MAP] if _MAP in names else [])]

    def __call__(self, images: NDArray[Any]) -> RawScores:
        """Return scores ``[1, n]`` and maps ``[1, n, H, W]`` or None."""
        outputs = self._session.run(self._wanted, {"images": np.ascontiguousarray(images)})
        return outputs[0][None], outputs[1][None] if len(outputs) > 1 else None

    @contextmanager
    def threads(self, count: int | None) -> Iterator[None]:
        """Score with a number of threads within the context."""
        before = self._session
        check_thread_count(count)
        if count is not None:
            self._session = _session(self._path, count)
        try:
            yield
        finally:
            self._session = before

    def small_batches(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing, because no batch is padded."""
        return nullcontext()


def read_onnx(path: Path) -> CalibratedModel:
    """Return the model in an exported file.

    Raises:
        InputError: ONNX Runtime is not installed, or the file is not an exported model.
    """
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    if find_spec("onnxruntime") is None:
        raise InputError("scoring with an .onnx file needs onnxruntime: pip install onnxruntime")
    session = _session(path, None)
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        description = description_of(json.loads(metadata[DESCRIPTION]), str(path))
        data = base64.b64decode(metadata[ARRAYS])
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            calibration = calibration_of(dict(arrays))
        check_agreement(description, calibration)
        _check_input(session, description)
    except DAMAGE as error:
        raise InputError(
            f"{str(path)!r} is not a model that `anomalist export` wrote, or is damaged ({error})"
        ) from None
    scorer = with_tiles(OnnxScorer(path, session), description.tiling)
    seen = frozenset(metadata.get(SEEN, "").split())
    return CalibratedModel(description, calibration, scorer, seen)


def _check_input(session: Any, description: Description) -> None:
    """Check that the network takes images as the description reads them.

    Raises:
        ValueError: it takes others.
    """
    reading = description.reading
    given = session.get_inputs()[0]
    wanted = [reading.channels, *description.scored_size]
    if list(given.shape[1:]) != wanted or given.type != f"tensor({_TYPES[reading.dtype]})":
        raise ValueError(f"its network takes {given.type} {given.shape}, not {wanted}")


def _session(path: Path, threads: int | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        line = str(error).splitlines()[0]
        raise InputError(f"{str(path)!r} cannot be read as an ONNX file ({line})") from None

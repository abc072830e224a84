"""Export a model as one ONNX file, from decoded images to score, p-value, decision and map.

Inputs:

- ``images``: ``[n, C, H, W]`` of the model's type, usually uint8
- ``threshold``: float32, optional; the calibrated threshold by default

Outputs:

- ``score``: float32 ``[n]``
- ``p_value``: float32 ``[n]``; of a normal image scoring at least as high
- ``decision``: bool ``[n]``; whether the score exceeds the threshold
- ``map``: float32 ``[n, H, W]``; missing for detectors without maps

The metadata contain the description of the model and its calibration, so that ``anomalist score``
needs no other file.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anomalist.core.errors import InputError
from anomalist.core.files import atomic_write, make_folder
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.onnx_file import ARRAYS, DESCRIPTION, SEEN
from anomalist.deployment.scorers import DetectorScorer, TiledScorer
from anomalist.deployment.storage import arrays_of
from anomalist.models import Detector

__all__ = ["export_onnx"]

_OPSET = 18
_DTYPES = {"uint8": torch.uint8, "uint16": torch.uint16, "float32": torch.float32}


def export_onnx(model: CalibratedModel, path: Path) -> None:
    """Write a model as an ONNX file.

    Args:
        model: a model loaded from a folder.
        path: the file, ending in ``.onnx``.

    Raises:
        InputError: a package is missing, the detector cannot be exported, or the model has several
            detectors.
    """
    if path.suffix != ".onnx":
        raise InputError(f"the name of an exported model must end in .onnx, got {str(path)!r}")
    for module in ("onnx", "onnxscript"):
        if find_spec(module) is None:
            raise InputError(f"export needs {module}: pip install 'anomalist[onnx]'")
    whole = _Whole(_detector_of(model), model)
    make_folder(path.parent, "folder of the exported model")
    program = _exported(whole, model)
    _finish(program, model)
    with atomic_write(path) as temporary:
        temporary.write_bytes(program.SerializeToString())


class _Whole(nn.Module):
    """Scaling, detector, p-value and decision."""

    normal: Tensor

    def __init__(self, detector: Detector, model: CalibratedModel) -> None:
        super().__init__()
        reading = model.description.reading
        self.low, self.high = reading.value_range
        self.detector = detector.export_module()
        self.register_buffer("normal", torch.from_numpy(model.calibration.image.folds[0]))

    def forward(self, images: Tensor, threshold: Tensor) -> tuple[Tensor, ...]:
        """Return score, p-value, decision and, if the detector has one, the map."""
        floats = ((images.float() - self.low) / (self.high - self.low)).clamp(0, 1)
        score, maps = self.detector(floats)
        reached = (self.normal[None] >= score[:, None]).float().sum(1)
        p_value = (1 + reached) / (len(self.normal) + 1)
        outputs = (score, p_value, score > threshold)
        return outputs if maps is None else (*outputs, maps)


def _detector_of(model: CalibratedModel) -> Detector:
    """Return the single detector of a model.

    Raises:
        InputError: it has several, or is itself an exported one.
    """
    scorer = model.scorer.scorer if isinstance(model.scorer, TiledScorer) else model.scorer
    if not isinstance(scorer, DetectorScorer):
        raise InputError("an exported model cannot be exported again: give the model's folder")
    if len(scorer.detectors) != 1:
        raise InputError(
            f"the model has {len(scorer.detectors)} detectors, one per fold of its calibration; "
            "only a model with one can be exported: fit it with --calibration split"
        )
    return scorer.detectors[0]


def _exported(whole: nn.Module, model: CalibratedModel) -> Any:
    """Return the ONNX program."""
    about = model.description
    shape = (2, about.reading.channels, *about.scored_size)
    example = torch.zeros(shape, dtype=_DTYPES[about.reading.dtype])
    names = ["score", "p_value", "decision", "map"]
    with torch.inference_mode():
        count = len(whole(example, torch.tensor(0.0)))
    with _quiet():
        program = torch.onnx.export(
            whole,
            (example, torch.tensor(0.0)),
            input_names=["images", "threshold"],
            output_names=names[:count],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)}, {}),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _finish(program: Any, model: CalibratedModel) -> None:
    """Add the default of the threshold, and the metadata."""
    from onnx import numpy_helper

    threshold = np.float32(np.inf if model.threshold is None else model.threshold)
    program.graph.initializer.append(numpy_helper.from_array(np.array(threshold), "threshold"))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays_of(model.calibration))
    values = {
        DESCRIPTION: json.dumps(model.description.model_dump(mode="json")),
        ARRAYS: base64.b64encode(buffer.getvalue()).decode("ascii"),
        SEEN: " ".join(sorted(model.seen)),
    }
    del program.metadata_props[:]
    for key, value in values.items():
        program.metadata_props.add(key=key, value=value)
    for node in program.graph.node:  # they hold paths of this machine's files
        del node.metadata_props[:]
        node.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, whose messages are for its developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)

"""What a fit will cost: memory and seconds, from kept measurements of each detector.

``costs.json`` is written by ``experiments/measure_costs.py``. It has, for images of 28 x 28 and of
256 x 256 pixels, the seconds of a fit that do not depend on the number of images and those per
image, the milliseconds to score an image, and the bytes besides the images. Costs at other sizes
are proportional to the number of pixels.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # submodules are loaded on first access

from anomalist.deployment.planning import Plan

__all__ = ["Estimate", "estimate", "machine_speed"]

_SMALL = 64 * 64  # pixels up to which the measurements at 28 x 28 are used
_REFERENCES = {"small": 28 * 28, "large": 256 * 256}
_BASE = 300 << 20  # bytes of the libraries
_FLOATS = 4


@dataclass(frozen=True)
class Estimate:
    """The expected cost of a fit.

    Attributes:
        memory: bytes.
        seconds: None if the detector was never measured.
    """

    memory: int
    seconds: float | None


def estimate(plan: Plan, count: int, channels: int) -> Estimate:
    """Return the expected cost of a plan for ``count`` images with ``channels`` channels."""
    height, width = plan.shape
    pixels = height * width
    trained = count - plan.calibration.images if plan.calibration.method == "split" else count
    images = trained * channels * pixels * _FLOATS
    size = "small" if pixels <= _SMALL else "large"
    kept = _table()["detectors"].get(plan.detector.name, {}).get(size)
    if kept is None:
        return Estimate(_BASE + 3 * images, None)
    scale = pixels / _REFERENCES[size]
    folds = plan.calibration.folds
    of_detectors = folds * kept["bytes"] * scale
    each = kept["fit_s"] + kept["fit_s_per_image"] * trained
    scored = kept["score_ms"] / 1000 * count
    slower = _table()["speed"] / machine_speed()
    seconds = (folds * each + scored) * scale * slower
    return Estimate(int(_BASE + 2 * images + of_detectors), seconds)


@cache
def machine_speed() -> float:
    """Return how fast this machine is: products of two matrices of 512 x 512 per second."""
    matrix = np.ones((512, 512), np.float32)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        scipy.linalg.blas.sgemm(1.0, matrix, matrix)
        best = min(best, time.perf_counter() - start)
    return 1 / best


@cache
def _table() -> dict[str, Any]:
    path = Path(__file__).with_name("costs.json")
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table

"""Measure what detectors cost to fit and to score, for the estimates of `anomalist fit`.

It writes src/anomalist/deployment/costs.json. Images are noise of 28 x 28 or of 256 x 256 pixels:
costs depend on sizes, not on contents. Each detector is fitted on two numbers of images, which give
the seconds that do not depend on this number and those per image. A detector that trains for many
epochs is trained for a few, and the time of an epoch is multiplied. The bytes are those besides the
images, measured in a process of its own.

    python experiments/measure_costs.py              all detectors, about half an hour
    python experiments/measure_costs.py pca padim    these only
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.files import write_json
from anomalist.core.memory import peak_bytes
from anomalist.deployment.costs import machine_speed
from anomalist.models import Detector, parse

TABLE = Path(__file__).parent.parent / "src/anomalist/deployment/costs.json"
SIDES = {"small": 28, "large": 256}
COUNTS = {"small": (500, 2_000), "large": (40, 120)}
SCORED = {"small": 256, "large": 16}
SMALL_ONLY = ("knn", "lof", "kde", "ocsvm", "isolation_forest", "diffusion")
DETECTORS = (
    "pca",
    "knn",
    "lof",
    "kde",
    "ocsvm",
    "isolation_forest",
    "padim",
    "patch_memory",
    "student_teacher",
    "autoencoder",
    "vae",
    "inpainting",
    "synthetic",
    "fcdd",
    "deep_svdd",
)


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the wall-clock seconds of a call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def measure(name: str, size: str, count: int) -> tuple[float, float, int]:
    """Return the seconds of a fit, the milliseconds to score an image, and the bytes besides."""
    side = SIDES[size]
    images = np.random.default_rng(0).random((count, 1, side, side), np.float32)
    detector = parse(name)
    before = peak_bytes()
    fit_s, detector = timed_fit(detector, images)
    scored = images[: SCORED[size]]
    detector.score(scored)
    score_ms = 1000 * min(seconds(detector.score, scored) for _ in range(3)) / len(scored)
    return fit_s, score_ms, max(0, peak_bytes() - before - 2 * images.nbytes)


def usual_epochs(detector: Detector, images: NDArray[np.float32]) -> int:
    """Return the number of epochs of a detector on these images."""
    epochs: int = getattr(detector, "usual_epochs")(images)  # noqa: B009 (of trained detectors)
    return epochs


def timed_fit(detector: Detector, images: NDArray[np.float32]) -> tuple[float, Detector]:
    """Return the seconds of a fit with all epochs, and the detector after a few of them."""
    if not detector.epoch_fields:
        return seconds(detector.fit, images), detector
    epochs = usual_epochs(detector, images)
    few = max(1, epochs // 50)
    once = seconds(detector.shortened(few).fit, images)
    more = detector.shortened(3 * few)
    per_epoch = max(0.0, seconds(more.fit, images) - once) / (2 * few)
    return once + (epochs - few) * per_epoch, more


def measured(name: str, size: str) -> dict[str, float]:
    """Return the row of a detector, from two processes."""
    rows = []
    for count in COUNTS[size]:
        words = [sys.executable, __file__, "--one", name, size, str(count)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    (few_s, _, _), (many_s, score_ms, size_bytes) = rows
    few, many = COUNTS[size]
    slope = max(0.0, (many_s - few_s) / (many - few))
    return {
        "fit_s": round(max(0.0, many_s - slope * many), 3),
        "fit_s_per_image": round(slope, 6),
        "score_ms": round(score_ms, 4),
        "bytes": int(size_bytes),
    }


def main(words: Sequence[str]) -> None:
    """Measure the named detectors, or all."""
    if words[:1] == ["--one"]:
        print(json.dumps(measure(words[1], words[2], int(words[3]))))
        return
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {"detectors": {}}
    table["speed"] = machine_speed()
    for name in words or DETECTORS:
        for size in SIDES:
            if size == "large" and name in SMALL_ONLY:
                continue
            row = measured(name, size)
            table["detectors"].setdefault(name, {})[size] = row
            print(name, size, row, flush=True)
            write_json(TABLE, table)


if __name__ == "__main__":
    main(sys.argv[1:])

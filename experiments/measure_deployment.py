"""Measure models in use: fit, scoring, memory, one image after loading, and imports.

    python experiments/measure_deployment.py TILES FOLDER

TILES is the folder of the magnetic tiles, FOLDER an empty one for models and images. It prints the
figures that the targets name, measured on this machine, alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomalist import datasets
from anomalist.deployment import CalibratedModel, FitConfig, fit, load
from anomalist.deployment.scorers import DetectorScorer
from anomalist.models._trained import predict_batched

COUNT = 100_000  # small images that are scored as files
REPEATED = 7
_PEAK = (
    "import sys; from anomalist import cli; from anomalist.core.memory import peak_bytes; "
    "status = cli.main(sys.argv[1:]); print('peak', peak_bytes()); sys.exit(status)"
)


def median(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the median seconds of several calls."""
    times = []
    for _ in range(REPEATED):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def shares(model: CalibratedModel, images: NDArray[Any]) -> str:
    """Return the throughput relative to that of the detector, and of its network alone."""
    assert isinstance(model.scorer, DetectorScorer)
    detector: Any = model.scorer.detectors[0]
    floats = model.description.reading.to_float(images)
    if detector.name == "padim":
        alone = median(detector._extractor.apply, floats, detector)
    else:
        alone = median(predict_batched, detector, detector._network, floats)
    whole = median(model.predict, images)
    of_detector = median(detector.score, floats) / whole
    return f"{of_detector:.0%} of the detector's throughput, {alone / whole:.0%} of the network's"


def fit_tiles(tiles: Path, folder: Path) -> None:
    """Fit and calibrate the default model on the tiles, and score one image."""
    start = time.perf_counter()
    model = fit(FitConfig(path=str(tiles)), folder / "tiles")
    print(f"tiles: fitted and calibrated in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    model = load(folder / "tiles")
    print(f"tiles: loaded in {time.perf_counter() - start:.2f} s")
    path = next((tiles / "test/good").iterdir())
    image = model.description.reading.read(path).image[None]
    print(f"tiles: one image of 256 x 256 in {1000 * median(model.predict, image):.1f} ms")
    several = np.repeat(image, 32, axis=0)
    print(f"tiles: {shares(model, several)}")


def fit_digits(folder: Path) -> None:
    """Fit an autoencoder on digits, and score one image."""
    images = datasets.load("mnist").train.images[:5_000]
    good = folder / "digits"
    write_images(good, images[:1_000])
    config = FitConfig(path=str(good), model="autoencoder:epochs=20")
    model = fit(config, folder / "digits-model")
    print(f"digits: one image of 28 x 28 in {1000 * median(model.predict, images[:1]):.1f} ms")
    print(f"digits: {shares(model, images[:2_048])}")


def score_many(folder: Path) -> None:
    """Score many files in a process of its own, kill it halfway, and go on."""
    images = datasets.load("mnist").train.images
    many = folder / "many"
    write_images(many, np.concatenate([images, images])[:COUNT])
    fit(FitConfig(path=str(folder / "digits"), model="pca"), folder / "pca")
    words = [sys.executable, "-c", _PEAK, "score", str(folder / "pca"), str(many), "--out"]
    killed = subprocess.Popen([*words, str(folder / "killed")], stdout=subprocess.DEVNULL)
    journal = folder / "killed/.scores.journal"
    while not journal.is_file() or journal.stat().st_size < 5_000_000:
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    for name in ("killed", "whole"):
        start = time.perf_counter()
        done = subprocess.run([*words, str(folder / name)], capture_output=True, text=True)
        peak = int(done.stdout.rsplit("peak ", 1)[1])
        print(f"{name}: {time.perf_counter() - start:.0f} s, peak {peak / 1e9:.2f} GB")
    tables = [(folder / name / "scores.csv").read_bytes() for name in ("killed", "whole")]
    print(f"{COUNT:,} files: the same table after kill -9: {tables[0] == tables[1]}")


def write_images(folder: Path, images: NDArray[Any]) -> None:
    """Write images as PNG files."""
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[0]).save(folder / f"{number:06}.png", compress_level=1)


def import_seconds() -> float:
    """Return the seconds that the imports of scoring without torch take."""
    code = (
        "import time; start = time.perf_counter(); import anomalist.cli._options, "
        "anomalist.deployment.onnx_file, anomalist.deployment.scoring; "
        "print(time.perf_counter() - start)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout)
        for _ in range(REPEATED)
    ]
    return float(np.median(times))


def main(tiles: Path, folder: Path) -> None:
    """Measure all."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"imports of scoring: {import_seconds():.2f} s")
    fit_tiles(tiles, folder)
    fit_digits(folder)
    score_many(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

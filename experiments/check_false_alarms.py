"""Measure the false-alarm rates of calibrated thresholds on real normal images.

For each data set, 200 independent divisions of its normal images into training, calibration and new
images: the detector is fitted again each time, and the share of new images above the threshold is
counted, at the level of images and of regions (any false region in an image). The share of pixels
that conformal risk control marks, and cross-conformal calibration of 50 images, are measured in the
same way. The rows are docs/measured/false_alarms.csv.

    python experiments/check_false_alarms.py FILE.csv            all, about 20 minutes
    python experiments/check_false_alarms.py FILE.csv mnist      some of the data sets

The detector is pca on small images, so that 200 fits take little time: the guarantee holds for any
detector. With images of 64 x 64 (tiles, papers, textures) it sees little, which does not matter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist import datasets
from anomalist.calibration import MarkedShare, ReferenceScores, images_needed
from anomalist.core.files import write_csv
from anomalist.models import Pca, Scores

SPLITS = 200
RATE = 0.05
SHARE = 0.02  # of marked pixels
CROSS = 50  # images for training and calibration together
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
SETS = ("mnist", "tiles", "papers", "textures")


def normal_images(name: str) -> NDArray[np.float32]:
    """Return the normal images of a data set, float32 ``[N, 1, H, W]``."""
    if name == "mnist":
        loaded = datasets.load("mnist").train
        return loaded.take(np.flatnonzero(loaded.class_index == 3)[:3_000]).to_float()
    if name == "textures":
        return datasets.load("textures").train.to_float()[:2_000]
    folders = [SHARED / "magnetic_tile"]
    if name == "papers":
        folders = sorted(path for path in (SHARED / "piped").iterdir() if path.is_dir())
    parts = []
    for folder in folders:
        loaded_folder = datasets.load(f"folder:path={folder},resize=64,channels=grey")
        for part in (loaded_folder.train, loaded_folder.test):
            parts.append(part.take(np.flatnonzero(part.class_index == 0)).to_float())
    return np.concatenate(parts)


def divided(count: int, sizes: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """Return disjoint random rows of the given sizes."""
    order = np.random.default_rng(seed).permutation(count)
    return np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1])


def highest(scores: Scores) -> NDArray[np.float32]:
    """Return the highest value of each map."""
    assert scores.pixel is not None
    peaks: NDArray[np.float32] = scores.pixel.max(axis=(1, 2))
    return peaks


def split_rates(images: NDArray[np.float32], seed: int) -> dict[str, float]:
    """Return the rates of one division with split calibration."""
    train = min(len(images) // 3, 400)
    held = min(len(images) // 3, 199)
    rows = divided(len(images), (train, held, len(images) - train - held), seed)
    detector = Pca().fit(images[rows[0]])
    normal = detector.score(images[rows[1]])
    new = detector.score(images[rows[2]])
    assert normal.pixel is not None
    assert new.pixel is not None
    image = ReferenceScores([normal.image])
    region = ReferenceScores([highest(normal)])
    rates = {
        "image": float(image.exceeded(new.image[None], RATE).mean()),
        "region": float(region.exceeded(highest(new)[None], RATE).mean()),
        "nominal": np.floor(RATE * (held + 1) + 1e-9) / (held + 1),
    }
    if held >= images_needed(SHARE):
        marked = MarkedShare.of(normal.pixel, normal.pixel.ravel()[:: max(1, held // 50)])
        rates["pixels"] = float((new.pixel > marked.threshold(SHARE)).mean())
    return rates


def cross_rates(images: NDArray[np.float32], folds: int, seed: int) -> float:
    """Return the rate of one division with cross calibration of 50 images."""
    mine, new = divided(len(images), (CROSS, min(200, len(images) - CROSS)), seed)
    parts = [mine[first::folds] for first in range(folds)]
    normal = []
    scores = []
    for part in parts:
        detector = Pca().fit(images[np.setdiff1d(mine, part)])
        normal.append(detector.score(images[part]).image)
        scores.append(detector.score(images[new]).image)
    return float(ReferenceScores(normal).exceeded(np.stack(scores), RATE).mean())


def rows_of(name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a data set: mean rate, its standard error, and the nominal rate."""
    images = normal_images(name)
    each = [split_rates(images, seed) for seed in range(SPLITS)]
    nominal = {"image": each[0]["nominal"], "region": each[0]["nominal"]}
    nominal["pixels"] = SHARE
    for level, wanted in nominal.items():
        if level in each[0]:
            yield row(name, level, [one[level] for one in each], wanted)
    wanted = np.floor(RATE * (CROSS + 1) + 1e-9) / (CROSS + 1)
    for folds in (5, 10):
        rates = [cross_rates(images, folds, seed) for seed in range(SPLITS)]
        yield row(name, f"cross, {folds} folds", rates, wanted)
    rates = [cross_rates(images, CROSS, seed) for seed in range(SPLITS // 4)]
    yield row(name, "cross, 50 folds", rates, wanted)


def row(name: str, level: str, rates: Sequence[float], wanted: float) -> dict[str, Any]:
    """Return one row."""
    error = float(np.std(rates) / np.sqrt(len(rates)))
    kept = {
        "dataset": name,
        "level": level,
        "splits": len(rates),
        "nominal": round(float(wanted), 5),
        "mean": round(float(np.mean(rates)), 5),
        "standard_error": round(error, 5),
    }
    print(kept, flush=True)
    return kept


def main(words: Sequence[str]) -> None:
    """Measure the named data sets, or all."""
    rows: list[dict[str, Any]] = []
    for name in words[1:] or SETS:
        rows += rows_of(name)
        write_csv(Path(words[0]), rows)


if __name__ == "__main__":
    main(sys.argv[1:])

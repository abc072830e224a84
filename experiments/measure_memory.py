"""Measure the memory that detectors need: the peak of a fit, and the size of the saved detector.

    python experiments/measure_memory.py docs/measured/memory.csv
    python experiments/measure_memory.py memory.csv --tiles DATA/magnetic_tile

Each detector is fitted in a separate process, on 10,000 digits, or with --tiles on 400 tiles of
256 x 256 pixels. Networks are trained for one epoch only, which needs the same memory. The peak
includes Python and its libraries. Rows of other detectors in the file are kept.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

DIGITS = (
    *("autoencoder:score_by=fused", "pca", "vae", "inpainting", "diffusion", "synthetic"),
    *("outlier_exposure", "deviation_network", "fcdd", "deep_svdd", "deep_sad"),
    *("lof:blur=2,directions=8", "knn:blur=2,directions=8", "pca:blur=2,directions=8"),
    *("padim", "patch_memory", "student_teacher"),
)
TILES = ("padim", "patch_memory", "student_teacher")
FEW_EPOCHS = 1
IMAGES = {"digits": 10_000, "tiles": 400}


def main() -> None:
    """Measure each detector, and write the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the CSV file to write")
    parser.add_argument("--tiles", help="the folder of magnetic tiles, instead of digits")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kind = "tiles" if arguments.tiles else "digits"
    dataset = "mnist"
    if arguments.tiles:
        dataset = f"folder:path={arguments.tiles},resize=256,resize_mode=mirror,channels=grey"
    if arguments.one:
        _measure(arguments.one, dataset, IMAGES[kind])
        return
    rows = {}
    if arguments.out.exists():
        with arguments.out.open(encoding="utf-8", newline="") as file:
            rows = {row["model"]: row for row in csv.DictReader(file)}
    for model in TILES if arguments.tiles else DIGITS:
        words = [sys.executable, __file__, str(arguments.out), "--one", model]
        if arguments.tiles:
            words += ["--tiles", arguments.tiles]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        peak, saved = done.stdout.split()[-2:]
        key = f"{model} {kind}"
        rows[key] = {"model": key, "peak_mb": peak, "saved_mb": saved}
        print(f"{key}: peak {peak} MB, saved {saved} MB")
        with arguments.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("model", "peak_mb", "saved_mb"), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())


def _measure(model: str, dataset: str, count: int) -> None:
    """Fit one detector, and print its peak memory and its saved size in MB."""
    from anomalist import datasets, models

    images = datasets.load(dataset).train.to_float()[:count]
    detector = models.parse(model).shortened(FEW_EPOCHS).fit(images)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        detector.save(Path(folder) / "model")
        saved = sum(path.stat().st_size for path in (Path(folder) / "model").iterdir())
    print(f"{peak:.0f} {saved / 1e6:.2f}")


if __name__ == "__main__":
    main()

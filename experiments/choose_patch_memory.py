"""Choose the options of detectors on ImageNet features without a test image: good tiles with made defects stand in.

    python experiments/choose_patch_memory.py                                     the candidates below
    python experiments/choose_patch_memory.py --models patch_memory:memory=2000   other detectors
    python experiments/choose_patch_memory.py --data FOLDER --size 256            another folder in the MVTec AD layout

1. Of the good training images a quarter is held out; the others fit every candidate. Images keep their aspect ratio.
2. Pseudo-anomalies are held-out images with made defects: blots, stains, scratches, patches of other images or turned.
3. Figures are AUROC of held-out images against each kind, in percent, their mean, and the mean AUPRO.

No figure says what a test would give, only which candidate is better. The test split is never read.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

from anomalist import datasets
from anomalist.corruption import parse as parse_corruption
from anomalist.detector import parse
from anomalist.metrics.detection import auroc
from anomalist.metrics.localization import aupro
from anomalist.randomness import generator

HELD_OUT = 0.25
DEFECTS = (
    "blobs:scale=2,shape=blot,severity=0.003",
    "blobs:scale=2,shape=scratches,fill=mixed,opacity=0.3,severity=0.005",
    "perlin:area=0.005",
    "scratches:length=48,count=1,value=black",
    "cut_paste:side=24",
    "local_rotation:radius=16",
)
CANDIDATES = (
    "patch_memory",
    "patch_memory:layers=4;8;16",
    "patch_memory:layers=8;16;32",
    "patch_memory:layers=16",
    "patch_memory:memory=2000",
    "patch_memory:neighbours=1",
    "patch_memory:backbone=efficientnet_lite2",
    "padim",
    "student_teacher",
)


def main() -> None:
    """Print one line a candidate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/magnetic_tile"), metavar="FOLDER")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--models", nargs="+", default=CANDIDATES, metavar="NAME:OPTION=VALUE,…")
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    for model in found.models:
        parse(model)  # a wrong one is said before the first fit
    data = datasets.load(f"folder:path={found.data},resize={found.size},fit=pad,channels=grey")
    images = data.train.to_float()
    order = generator(found.seed, "chosen by").permutation(len(images))
    held_out, rest = np.split(images[order], [round(HELD_OUT * len(images))])
    spoilt = [parse_corruption(defect)(held_out, seed=found.seed) for defect in DEFECTS]
    lines = []
    for model in found.models:
        start = time.perf_counter()
        detector = parse({"name": model, "seed": found.seed}).fit(rest)
        middle = time.perf_counter()
        normal = detector.score(held_out)
        rate = len(held_out) / (time.perf_counter() - middle)
        figures, regions = [], []
        for changed, masks in spoilt:
            hit = masks.any(axis=(1, 2))
            scores = detector.score(changed[hit])
            figures.append(
                auroc(np.concatenate([normal.image, scores.image]), np.repeat([0, 1], [len(hit), hit.sum()]))
            )
            if normal.pixel is not None and scores.pixel is not None:
                clean = np.zeros_like(normal.pixel, np.bool_)
                regions.append(aupro(np.concatenate([normal.pixel, scores.pixel]), np.concatenate([clean, masks[hit]])))
        means = [100 * float(np.mean(part)) if part else float("nan") for part in (figures, regions)]
        lines.append([model, *means, *(100 * figure for figure in figures), middle - start, rate])
        print(f"{model}: {means[0]:.2f}, AUPRO {means[1]:.2f}", flush=True)
    kinds = [defect.rpartition(",severity")[0] or defect for defect in DEFECTS]
    print(tabulate(lines, ["model", "mean", "AUPRO", *kinds, "fit, s", "images/s"], "github", floatfmt=".2f"))


if __name__ == "__main__":
    main()

"""Choose a detector's options for real defects, with synthetic defects and no test image.

    python experiments/choose_by_defects.py tiles                    magnetic tiles, 256 pixels
    python experiments/choose_by_defects.py xrays                    chest X-rays, 28 pixels
    python experiments/choose_by_defects.py tiles --models padim     other detectors

1. A quarter of the good training images is held out. Every candidate is fitted on the others.
2. Pseudo-anomalies are held-out images with synthetic defects. Tiles have blots, stains, scratches,
   and patches that are copied or rotated. X-rays have the effects of haze: brighter regions, lower
   contrast, blur, uneven illumination.
3. The table shows the AUROC of held-out images against each kind of defect in percent, the mean
   over kinds, and the mean AUPRO.

The results show which candidate is better. They do not estimate its test result. The test split is
not read.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

from anomalist import datasets
from anomalist.core.errors import InputError
from anomalist.core.randomness import generator
from anomalist.corruptions import parse as parse_corruption
from anomalist.metrics.detection import auroc
from anomalist.metrics.localization import aupro
from anomalist.models import parse

HELD_OUT = 0.25
_TILES = (
    "blobs:scale=2,shape=blot,severity=0.003",
    "blobs:scale=2,shape=scratches,fill=mixed,opacity=0.3,severity=0.005",
    "perlin:area=0.005",
    "scratches:length=48,count=1,value=black",
    "cut_paste:side=24",
    "local_rotation:radius=16",
)
_ON_TILES = (
    "patch_memory",
    "patch_memory:layers=4;8;16",
    "patch_memory:layers=8;16;32",
    "patch_memory:layers=16",
    "patch_memory:memory=4000",
    "patch_memory:l2_normalise=false",
    "patch_memory:regularisation=0",
    "patch_memory:l2_normalise=false,regularisation=0",
    "patch_memory:aggregation=top_1_percent",
    "patch_memory:aggregation=max",
    "patch_memory:aggregation=reweighted,neighbours=9",
    "patch_memory:side=384",
    "patch_memory:backbone=efficientnet_lite2",
    "padim",
    "padim:l2_normalise=false",
    "padim:channels=100",
    "student_teacher",
)


_HAZE = (
    "perlin:area=0.3",
    "blobs:scale=4,shape=blot,fill=mixed,opacity=0.3,severity=0.2",
    "shading:severity=0.3",
    "contrast:severity=0.2",
    "brightness:severity=0.1",
    "gaussian_blur:severity=0.15",
)
_ON_XRAYS = (
    "pca",
    "lof",
    *(f"{name}:directions=8,blur=2" for name in ("lof", "knn", "pca")),
    "vae:score_by=joint",
    "patch_memory",
    *(f"padim:regularisation={share}" for share in (0.001, 0.01, 0.1, 1)),
    "padim:layers=4;8",
    "padim:side=224",
    "ensemble:members=padim;(lof:directions=8,blur=2),combine=mean",
    "ensemble:members=padim;(knn:directions=8,blur=2);pca,combine=mean",
)
PLANS = {  # the data set, whose class 0 is good, the defects and the candidates
    "tiles": (
        "folder:path={data}/magnetic_tile,resize=256,resize_mode=mirror,channels=grey",
        _TILES,
        _ON_TILES,
    ),
    "xrays": ("medmnist:set=pneumoniamnist,path={data}/pneumoniamnist.npz", _HAZE, _ON_XRAYS),
}


def main() -> None:
    """Print one line per candidate, then the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("plan", choices=PLANS)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="FOLDER",
        help="folder with magnetic_tile/ and pneumoniamnist.npz (default: data); "
        "docs/detectors/results/tiles.md and xrays.md say where to get them",
    )
    parser.add_argument("--models", nargs="+", metavar="NAME:OPTION=VALUE,…")
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    dataset, defects, candidates = PLANS[found.plan]
    models = found.models or candidates
    for model in models:
        parse(model)  # reports an error before the first fit
    train = datasets.load(dataset.format(data=found.data)).train
    images = train.take(np.flatnonzero(train.class_index == 0)).to_float()
    order = generator(found.seed, "chosen by").permutation(len(images))
    held_out, rest = np.split(images[order], [round(HELD_OUT * len(images))])
    spoilt = [parse_corruption(defect)(held_out, seed=found.seed) for defect in defects]
    lines = []
    for model in models:
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
                auroc(
                    np.concatenate([normal.image, scores.image]),
                    np.repeat([0, 1], [len(hit), hit.sum()]),
                )
            )
            if normal.pixel is not None and scores.pixel is not None:
                clean = np.zeros_like(normal.pixel, np.bool_)
                regions.append(
                    aupro(
                        np.concatenate([normal.pixel, scores.pixel]),
                        np.concatenate([clean, masks[hit]]),
                    )
                )
        means = [
            100 * float(np.mean(part)) if part else float("nan") for part in (figures, regions)
        ]
        lines.append([model, *means, *(100 * figure for figure in figures), middle - start, rate])
        print(f"{model}: {means[0]:.2f}, AUPRO {means[1]:.2f}", flush=True)
    kinds = [defect.rpartition(",severity")[0] or defect for defect in defects]
    print(
        tabulate(
            lines,
            ["model", "mean", "AUPRO", *kinds, "fit, s", "images/s"],
            "github",
            floatfmt=".2f",
        )
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")

"""Choose a detector's options for one-class digits without a test image: pseudo-anomalies of training digits.

    python experiments/choose_one_class.py                                the autoencoder's options, some hours
    python experiments/choose_one_class.py --digits 2 5 8                 the three hardest digits
    python experiments/choose_one_class.py --models lof lof:blur=1 knn    other detectors, as name:option=value,…

1. Of each digit's training images 500 are held out; the others fit every candidate.
2. The held-out images are changed into things that are no such digit: turned, mirrored, their quarters swapped, blended
   in pairs, top of one on bottom of another, thickened, thinned, warped.
3. A candidate's figure is the AUROC of held-out images against each kind of change, the mean over kinds and digits.

Some changes leave some digits what they were (a turned 0, a mirrored 8): no figure says what a test would give, only
which candidate is better. The test split is never read.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, grey_dilation, grey_erosion, map_coordinates
from tabulate import tabulate

from anomalist import datasets
from anomalist.detector import parse
from anomalist.metrics.detection import auroc
from anomalist.randomness import generator

Images = NDArray[np.float32]

HELD_OUT = 500
CANDIDATES = (
    *(f"autoencoder:bottleneck={k}" for k in (8, 16, 32, 64)),
    *(f"autoencoder:{option}" for option in ("blurs=0;1;2", "denoise=0.3", "loss=l1", "loss=ssim")),
    *(f"autoencoder:score_by={how},blurs=0;1;2" for how in ("latent", "joint")),
    *(f"autoencoder:loss=ssim,score_by={how},blurs=0;1;2" for how in ("latent", "joint")),
    *(f"autoencoder:bottleneck={k},loss=ssim,denoise=0.3,blurs=0;1;2" for k in (32, 64)),
)


def pseudo_anomalies(images: Images, seed: int) -> dict[str, Images]:
    """Return by name of the change what it makes of ``images``, float32 ``[N, C, H, W]`` in [0, 1]."""
    h, w = images.shape[2:]
    others = np.roll(images, 1, axis=0)
    quarters = np.roll(images, (h // 2, w // 2), axis=(2, 3))
    half = images.copy()
    half[:, :, h // 2 :] = others[:, :, h // 2 :]
    return {
        "turned": np.rot90(images, axes=(2, 3)).copy(),
        "mirrored": images[..., ::-1].copy(),
        "quarters": quarters,
        "blended": (images + others) / 2,
        "halves": half,
        "thicker": grey_dilation(images, (1, 1, 3, 3)),
        "thinner": grey_erosion(images, (1, 1, 2, 2)),
        "warped": warp(images, seed),
    }


def warp(images: Images, seed: int, sigma: float = 4.0, size: float = 3.0) -> Images:
    """Shift every pixel by a smooth random field, in each direction ``size`` pixels in root mean square."""
    random = generator(seed, "warp")
    out = np.empty_like(images)
    for image, warped in zip(images, out, strict=True):
        shifts = gaussian_filter(random.standard_normal((2, *image.shape[1:])), (0, sigma, sigma), mode="wrap")
        shifts *= size / shifts.std(axis=(1, 2), keepdims=True)
        places = np.indices(image.shape[1:]) + shifts
        for plane, result in zip(image, warped, strict=True):
            map_coordinates(plane, places, result, order=1, mode="nearest")
    return np.clip(out, 0, 1)


def judge(model: str, images: Images, seed: int) -> tuple[dict[str, float], float]:
    """Return the AUROC against each kind of change, and the seconds that the fit took."""
    order = generator(seed, "chosen by").permutation(len(images))
    held_out, rest = images[order[:HELD_OUT]], images[order[HELD_OUT:]]
    start = time.perf_counter()
    detector = parse({"name": model, "seed": seed}).fit(rest)
    seconds = time.perf_counter() - start
    normal = detector.score(held_out).image
    labels = np.repeat([0, 1], len(held_out))
    return {
        name: auroc(np.concatenate([normal, detector.score(changed).image]), labels)
        for name, changed in pseudo_anomalies(held_out, seed).items()
    }, seconds


def main() -> None:
    """Print one line a candidate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=CANDIDATES, metavar="NAME:OPTION=VALUE,…")
    parser.add_argument("--digits", nargs="+", type=int, default=range(10), metavar="DIGIT")
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    for model in found.models:
        parse(model)  # a wrong one is said before the first fit
    train = datasets.load("mnist").train
    lines = []
    for model in found.models:
        results, seconds = [], 0.0
        for digit in found.digits:
            images = train.take(np.flatnonzero(train.labels == digit)).to_float()
            result, taken = judge(model, images, found.seed)
            results.append(result)
            seconds += taken
        kinds = {kind: 100 * np.mean([result[kind] for result in results]) for kind in results[0]}
        lines.append([model, np.mean([*kinds.values()]), *kinds.values(), seconds / len(results)])
        print(f"{model}: {lines[-1][1]:.2f}", flush=True)
    print(tabulate(lines, ["model", "mean", *kinds, "fit, s"], "github", floatfmt=".1f"))


if __name__ == "__main__":
    main()

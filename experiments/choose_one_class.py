"""Choose a detector's options for one-class digits, with letters as anomalies and no test image.

    python experiments/choose_one_class.py                               all candidates, in hours
    python experiments/choose_one_class.py --digits 2 5 8                the three hardest digits
    python experiments/choose_one_class.py --models lof lof:blur=1 knn   other detectors

1. 500 training images of each digit are held out. Every candidate is fitted on the others.
2. Pseudo-anomalies are printed Latin and Greek letters in several fonts, except those that look
   like digits. They are rotated, sheared, stretched and warped, then fitted into 20 x 20 pixels and
   centred by mass, like MNIST's digits.
3. The result of a candidate is the AUROC of held-out images against letters, as the mean over
   digits.

The results show which candidate is better. They do not estimate its test result. The test split is
not read.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates
from tabulate import tabulate

from anomalist import datasets
from anomalist.core.errors import InputError
from anomalist.core.randomness import generator
from anomalist.metrics.detection import auroc
from anomalist.models import parse

Images = NDArray[np.float32]

HELD_OUT = 500
LETTERS = 1000
CANDIDATES = (
    "lof",
    *(f"lof:blur={sigma}" for sigma in (1, 1.5)),
    *(f"lof:directions=8,blur={sigma}" for sigma in (1, 2)),
    *(f"{name}:directions=8,blur=2" for name in ("knn", "pca", "kde", "ocsvm")),
    *(f"autoencoder:bottleneck={k},score_by=joint,blurs=0;1;2" for k in (16, 32, 64)),
    *(f"autoencoder:bottleneck={k},blurs=0;1;2" for k in (16, 32, 64)),
    "inpainting",
    *(f"inpainting:epochs=8,aggregation={how}" for how in ("features", "joint")),
    "vae",
    "vae:score_by=parts",
    *(f"vae:score_by=joint,bottleneck={k}" for k in (16, 32, 64)),
    *(f"deep_svdd:bottleneck={k}" for k in (32, 64)),
)
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSerif",
    "DejaVuSansMono",
    "STIXGeneral",
)
GLYPHS = "ACEFHKLMNPRUVWXYadefhkmnprtuvwxyΓΔΛΞΠΣΦΨΩαβγδλμπψω"
_SIDE = 112  # letters are drawn at four times their final size


def letters(count: int, seed: int) -> Images:
    """Return letters drawn like MNIST's digits, float32 ``[count, 1, 28, 28]`` in [0, 1]."""
    random = generator(seed, "letters")
    drawn = {(glyph, font): _draw(glyph, font) for glyph in GLYPHS for font in FONTS}
    chosen = [
        (GLYPHS[i], FONTS[j])
        for i, j in random.integers((len(GLYPHS), len(FONTS)), size=(count, 2))
    ]
    return np.stack([_centre(_distort(drawn[key], random)) for key in chosen])[:, None]


def _draw(glyph: str, font: str) -> Images:
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    face = ImageFont.truetype(str(file), 200)
    left, top, right, bottom = face.getbbox(glyph)
    page = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
    ImageDraw.Draw(page).text((4 - left, 4 - top), glyph, font=face, fill=255)
    return np.asarray(page, np.float32) / 255


def _distort(letter: Images, random: np.random.Generator) -> Images:
    """Rotate, shear and stretch at random, then warp smoothly by 3.5 of 112 pixels (RMS)."""
    h, w = letter.shape
    turn, shear, stretch = random.normal(0, (0.15, 0.2, 0.15))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine = rotation @ [[1, 0], [shear, 1]] @ np.diag([1, np.exp(stretch)]) * max(h, w) / 80
    shifts = gaussian_filter(
        random.standard_normal((2, _SIDE, _SIDE)), (0, 14, 14), mode="constant"
    )
    places = np.indices((_SIDE, _SIDE)) - (_SIDE - 1) / 2 + 3.5 * shifts / shifts.std()
    places = affine @ places.reshape(2, -1) + [[(h - 1) / 2], [(w - 1) / 2]]
    smooth = gaussian_filter(letter, max(h, w) / 80)
    return map_coordinates(smooth, places, order=1).reshape(_SIDE, _SIDE).astype(np.float32)


def _centre(letter: Images) -> Images:
    """Fit the ink into 20 x 20 pixels, and centre its mass in 28 x 28 pixels."""
    rows, columns = (np.flatnonzero((letter > 0.3).any(axis=axis)) for axis in (1, 0))
    ink = letter[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = (max(1, round(side * 20 / max(ink.shape))) for side in ink.shape)
    small = Image.fromarray(np.rint(255 * ink).astype(np.uint8)).resize(
        (w, h), Image.Resampling.BOX
    )
    kept = np.clip(np.asarray(small, np.float32) / 255 * 1.3, 0, 1)
    middle = (np.indices(kept.shape) * kept).sum(axis=(1, 2)) / kept.sum()
    y, x = (
        int(np.clip(round(14 - m), 0, 28 - side))
        for m, side in zip(middle, kept.shape, strict=True)
    )
    out = np.zeros((28, 28), np.float32)
    out[y : y + h, x : x + w] = kept
    return out


def judge(model: str, images: Images, anomalies: Images, seed: int) -> tuple[float, float]:
    """Return the AUROC of held-out images against ``anomalies``, and the seconds of the fit."""
    order = generator(seed, "chosen by").permutation(len(images))
    held_out, rest = images[order[:HELD_OUT]], images[order[HELD_OUT:]]
    start = time.perf_counter()
    detector = parse({"name": model, "seed": seed}).fit(rest)
    seconds = time.perf_counter() - start
    scores = detector.score(np.concatenate([held_out, anomalies])).image
    return auroc(scores, np.repeat([0, 1], [len(held_out), len(anomalies)])), seconds


def main() -> None:
    """Print one line per candidate, then the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=CANDIDATES, metavar="NAME:OPTION=VALUE,…")
    parser.add_argument("--digits", nargs="+", type=int, default=range(10), metavar="DIGIT")
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    for model in found.models:
        parse(model)  # reports an error before the first fit
    train = datasets.load("mnist").train
    anomalies = letters(LETTERS, found.seed)
    lines = []
    for model in found.models:
        images = [
            train.take(np.flatnonzero(train.class_index == digit)).to_float()
            for digit in found.digits
        ]
        figures, seconds = zip(
            *(judge(model, part, anomalies, found.seed) for part in images), strict=True
        )
        lines.append(
            [model, 100 * np.mean(figures), *(100 * figure for figure in figures), np.mean(seconds)]
        )
        print(f"{model}: {lines[-1][1]:.2f}", flush=True)
    print(tabulate(lines, ["model", "mean", *found.digits, "fit, s"], "github", floatfmt=".2f"))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")

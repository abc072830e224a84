"""Made content of a report: bright spots at known places, with scores that are easy to count."""

import numpy as np

from anomalist.reports.html.content import Content, Kind, ScoreRows
from anomalist.thumbnails import (
    MapScale,
    Thumbnail,
    ThumbnailScore,
    encode_image,
    encode_map,
    encode_mask,
)

SIDE = 16
NORMAL = np.linspace(0.1, 0.5, 40)
SPOTS = np.linspace(0.3, 0.9, 20)
THRESHOLD = 0.45


def pictures(score):
    """An image, its map and its mask; the map is `score` in a square of 4 x 4 and 0 elsewhere."""
    image = np.full((1, SIDE, SIDE), 0.3, np.float32)
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[4:8, 4:8] = score
    image[0, 4:8, 4:8] = 1
    return image, heat, heat > 0


def scale():
    rates = np.array([0.5, 0.1, 0.02])
    return MapScale.make("error", (0, 1), THRESHOLD, rates, [0.3, 0.46, 0.49])


def thumbnail(name, kind, score):
    image, heat, mask = pictures(score)
    own = ThumbnailScore(value=score, p_value=0.5, map=encode_map(heat, scale()))
    truth = None if kind == "normal" else encode_mask(mask)
    return Thumbnail(name=name, kind=kind, input=encode_image(image), truth=truth, scores=(own,))


def content(names=None, repeat=1, **changes):
    """40 normal images and 20 with a spot; calibration scores equal the normal ones."""
    images = []
    for kind, scores in (("normal", NORMAL), ("spot", SPOTS)):
        for number, score in enumerate(list(scores) * repeat):
            name = f"{kind}/{number:03}.png" if names is None else names[number % len(names)]
            images.append(thumbnail(name, kind, float(score)))
    rows = ScoreRows(
        label="error",
        by_kind=[np.tile(NORMAL, repeat), np.tile(SPOTS, repeat)],
        calibration=NORMAL,
        threshold=THRESHOLD,
        scale=scale(),
    )
    values = {
        "title": "made",
        "kinds": [Kind("normal", False), Kind("spot", True)],
        "scores": [rows],
        "images": images,
        "facts": {"options": {"seed": 0}},
    }
    return Content(**values | changes)

"""Small folders of images: good parts, and parts with a bright spot."""

import numpy as np
from PIL import Image

SIDE = 24


def part(number, side=SIDE, spot=False):
    """A smooth pattern whose brightness and position differ a little from part to part."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] / side
    image = 0.5 + 0.2 * np.sin(6 * x + rng.normal(0, 0.1)) * np.cos(5 * y)
    image += rng.normal(0, 0.02, (side, side))
    if spot:
        place = rng.integers(3, side - 8, 2)
        image[place[0] : place[0] + 5, place[1] : place[1] + 5] = 1
    return (255 * image.clip(0, 1)).astype(np.uint8)


def write(folder, numbers, side=SIDE, spot=False, ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(part(number, side, spot)).save(folder / f"{number:04}.{ending}")
    return folder

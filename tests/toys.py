"""Small data sets for tests, made from a seed."""

import numpy as np

from anomalist.images import Dataset, ImageSet


def blobs(n, shape=(1, 12, 12), seed=0):
    """Float32 images of one soft bright blob each, somewhere near the middle."""
    rng = np.random.default_rng(seed)
    c, h, w = shape
    y, x = np.mgrid[:h, :w]
    centre = rng.uniform(-1.5, 1.5, (n, 2)) + np.array([h / 2, w / 2])
    away = (y - centre[:, 0, None, None]) ** 2 + (x - centre[:, 1, None, None]) ** 2
    image = np.exp(-away / rng.uniform(3, 8, (n, 1, 1)))
    return np.repeat(image[:, None], c, axis=1).astype(np.float32)


def toy_dataset(train=300, test=60, shape=(1, 12, 12)):
    """A data set of two kinds of blobs, uint8."""

    def part(n, seed):
        images = (blobs(n, shape, seed) * 255).astype(np.uint8)
        return ImageSet(images, np.arange(n) % 2, ("even", "odd"))

    return Dataset("toy", part(train, 1), part(test, 2), "made for a test")

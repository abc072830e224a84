"""Small data sets for tests, made from a seed."""

import numpy as np

from anomalist.images import Dataset, ImageSet
from anomalist.testing.images import blobs


def toy_dataset(train=300, test=60, shape=(1, 12, 12)):
    """A data set of two kinds of blobs, uint8."""

    def part(n, seed):
        images = (blobs(n, shape, seed) * 255).astype(np.uint8)
        return ImageSet(images, np.arange(n) % 2, ("even", "odd"))

    return Dataset("toy", part(train, 1), part(test, 2), "made for a test")


def defect_dataset(good=90, bad=12, size=12, masks=True):
    """A data set in the manner of MVTec AD: good blobs to train on; in the test split, cracks and
    holes with masks."""
    train = ImageSet(
        (blobs(good, (1, size, size), 1) * 255).astype(np.uint8), np.zeros(good, np.int64), DEFECTS
    )
    images = (blobs(3 * bad, (1, size, size), 2) * 255).astype(np.uint8)
    labels = np.repeat([0, 1, 2], bad)
    marked = np.zeros((3 * bad, size, size), bool)
    marked[labels == 1, size // 2] = True
    marked[labels == 2, 4:8, 4:8] = True
    images[marked[:, None]] = 255 - images[marked[:, None]]
    return Dataset(
        "toy",
        train,
        ImageSet(images, labels, DEFECTS, marked if masks else None),
        "made for a test",
    )


DEFECTS = ("good", "crack", "hole")

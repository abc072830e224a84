"""1,797 handwritten digits, 8 x 8 grey, inside scikit-learn's wheel: instant."""

from __future__ import annotations

import numpy as np

from anomalist.images import Dataset, ImageSet

__all__ = ["load", "status"]


def load() -> Dataset:
    """Return the digits: the first 1,200 to train, the rest to test, uint8 ``[N, 1, 8, 8]`` in 0..16."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = found.images[:, None].astype(np.uint8)
    labels = found.target.astype(np.int64)
    kinds = tuple("0123456789")
    train, test = (
        ImageSet(images[part], labels[part], kinds, value_range=(0, 16)) for part in (slice(1200), slice(1200, None))
    )
    return Dataset("digits", train, test, "scikit-learn")


def status() -> str:
    """Return that it is always ready."""
    return "ready: within scikit-learn"

"""Line jitter: as many rows as asked for, each rolled by a few pixels."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import LineJitter


@pytest.mark.parametrize("lines", [1, 5, 14])
def test_the_rows_that_change_are_rolled_by_up_to_an_eighth(lines):
    images = np.random.default_rng(0).random((60, 2, 14, 24), dtype=np.float32)
    result = LineJitter(lines=lines)(images, seed=0)
    assert set(result.masks.any(axis=2).sum(axis=1)) == {lines}
    slips = []
    for image, changed, mask in zip(images, result.images, result.masks, strict=True):
        for row in np.flatnonzero(mask.any(axis=1)):
            ways = [
                slip
                for slip in range(-12, 12)
                if (np.roll(image[:, row], -slip, axis=1) == changed[:, row]).all()
            ]
            slips += ways
            assert len(ways) == 1
    assert set(slips) == {-3, -2, -1, 1, 2, 3}
    assert stats.chisquare(np.unique(slips, return_counts=True)[1]).pvalue > 0.01


def test_every_row_is_as_likely():
    images = np.random.default_rng(0).random((1000, 1, 8, 8), dtype=np.float32)
    assert (
        stats.chisquare(LineJitter(lines=2)(images, seed=0).masks.any(axis=2).sum(axis=0)).pvalue
        > 0.01
    )

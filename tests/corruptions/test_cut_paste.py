"""Cut-paste: a square of the size asked for, copied as it is from well elsewhere in the image."""

import numpy as np
import pytest

from anomalist.corruptions import CutPaste


@pytest.mark.parametrize("shape", [(20, 26), (7, 30)])
@pytest.mark.parametrize("side", [1, 3])
def test_it_is_one_square_moved_by_one_step(shape, side):
    h, w = shape
    image = (np.arange(h * w, dtype=np.float32) / np.float32(h * w)).reshape(
        1, 1, h, w
    )  # each value tells its place
    result = CutPaste(side=side)(np.repeat(image, 500, axis=0), seed=0)
    steps = set()
    for changed, mask in zip(result.images[:, 0], result.masks, strict=True):
        to = np.stack(np.nonzero(mask), axis=1)
        assert len(to) == side * side
        assert (np.ptp(to, axis=0) == side - 1).all()
        number = np.rint(changed[mask].astype(float) * h * w).astype(int)
        np.testing.assert_array_equal(
            image[0, 0].ravel()[number], changed[mask]
        )  # a copy, to the last bit
        step = np.stack([number // w, number % w], axis=1) - to
        assert (step == step[0]).all()
        steps.add(tuple(step[0].tolist()))
    assert all(4 * abs(dy) >= h or 4 * abs(dx) >= w for dy, dx in steps)
    assert all(2 * abs(dy) <= h and 2 * abs(dx) <= w for dy, dx in steps)
    assert len(steps) > 60


def test_a_pixel_is_copied_with_all_its_channels():
    images = np.random.default_rng(0).random((50, 3, 12, 12), dtype=np.float32)
    result = CutPaste(side=4)(images, seed=0)
    for image, changed, mask in zip(images, result.images, result.masks, strict=True):
        own = {tuple(pixel) for pixel in image.reshape(3, -1).T.tolist()}
        assert all(tuple(pixel) in own for pixel in changed[:, mask].T.tolist())

"""Shading: a share of the light is lost that grows evenly along one direction, within what was
asked for."""

import numpy as np

from anomalist.corruptions import Shading


def test_the_loss_is_a_ramp_from_nothing_to_the_drawn_share():
    images = np.random.default_rng(0).uniform(0.2, 1, (200, 2, 12, 17)).astype(np.float32)
    lost = 1 - Shading(loss=0.6)(images, seed=0).images.astype(float) / images
    np.testing.assert_allclose(lost[:, 0], lost[:, 1], atol=1e-5)
    ramp = lost[:, 0]
    for axis in (1, 2):  # even along both axes
        assert np.abs(np.diff(ramp, 2, axis=axis)).max() < 1e-5
    assert ramp.min() > -1e-6
    assert ramp.min(axis=(1, 2)).max() < 0.05
    most = ramp.max(axis=(1, 2))
    assert most.min() > 0.25
    assert most.max() < 0.6
    dark = [np.unravel_index(image.argmax(), image.shape) for image in ramp]
    assert set(dark) == {(0, 0), (0, 16), (11, 0), (11, 16)}

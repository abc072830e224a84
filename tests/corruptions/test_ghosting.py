"""Ghosting: the light of one of three mirror images is added."""

import numpy as np

from anomalist.corruptions import Ghosting


def test_what_is_added_is_a_mirror_image_at_the_drawn_opacity():
    images = np.random.default_rng(0).uniform(0.1, 0.9, (300, 2, 8, 9)).astype(np.float32)
    light = 1 - (1 - Ghosting(opacity=0.4)(images, seed=0).images) / (
        1 - images
    )  # of what was added
    kinds = []
    for image, added in zip(images, light, strict=True):
        mirrors = (image[:, :, ::-1], image[:, ::-1], image[:, ::-1, ::-1])
        opacity = [added / mirror for mirror in mirrors]
        even = [float(np.ptp(share)) < 1e-4 for share in opacity]
        assert sum(even) == 1
        kinds.append(even.index(True))
        assert 0.2 <= opacity[kinds[-1]].mean() <= 0.4
    assert np.bincount(kinds).min() > 70


def test_white_stays_white_and_black_shows_the_mirror_image_alone():
    images = np.zeros((20, 1, 6, 6), np.float32)
    images[:, :, :2, :2] = 1
    result = Ghosting(opacity=0.5)(images, seed=0)
    assert (result.images[:, :, :2, :2] == 1).all()
    assert set(result.masks.sum(axis=(1, 2))) == {4}

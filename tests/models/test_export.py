"""Detectors as torch modules: the same scores and maps, or the reason why there are none."""

import numpy as np
import pytest
import torch
from small_models import NAMES, fitted, small

from anomalist.core.errors import InputError
from toys import blobs

CASES = [
    ("autoencoder", {}),
    ("autoencoder", {"loss": "ssim"}),
    ("autoencoder", {"loss": "l1", "blurs": (0.0, 1.0), "aggregation": "top_10_percent"}),
    ("autoencoder", {"architecture": "dense", "aggregation": "max"}),
    ("vae", {}),
    ("inpainting", {}),
    ("inpainting", {"aggregation": "mean"}),
    ("synthetic", {}),
    ("synthetic", {"aggregation": "top_1_percent"}),
    ("fcdd", {}),
    ("pca", {}),
    ("pca", {"blur": 1.0, "aggregation": "max"}),
    ("knn", {}),
    ("knn", {"k": 1, "distance": "kth", "blur": 0.7}),
    ("padim", {}),
    ("patch_memory", {}),
    ("patch_memory", {"aggregation": "max"}),
    ("student_teacher", {}),
]
EXPORTED = {name for name, _ in CASES}


@pytest.mark.parametrize("size", [(1, 12, 12), (3, 20, 27)])
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_the_module_gives_the_scores_of_the_detector(name, options, size):
    if name not in NAMES:
        pytest.skip(f"{name} needs another package")
    detector = small(name, **options).fit(blobs(60, size))
    images = np.concatenate(
        [blobs(20, size)[10:], np.random.default_rng(0).random((6, *size), np.float32)]
    )
    expected = detector.score(images)
    module = detector.export_module()
    with torch.inference_mode():
        scores, maps = module(torch.from_numpy(images))
    assert np.allclose(scores.numpy(), expected.image, rtol=1e-4, atol=1e-6)
    if expected.pixel is None:
        assert maps is None
    else:
        scale = np.abs(expected.pixel).max()
        assert np.allclose(maps.numpy(), expected.pixel, rtol=1e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("name", sorted(set(NAMES) - EXPORTED))
def test_the_others_say_why_not(name):
    with pytest.raises(InputError, match=f"{name} cannot be exported: [a-zA-Z]"):
        fitted((name,)).export_module()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("autoencoder", {"score_by": "fused"}),
        ("vae", {"score_by": "parts"}),
        ("inpainting", {"aggregation": "joint"}),
        ("pca", {"deskew": True}),
        ("knn", {"components": 3}),
    ],
)
def test_options_without_a_module_say_why(name, options):
    detector = small(name, **options).fit(blobs(60, (1, 12, 12)))
    with pytest.raises(InputError, match="cannot be exported"):
        detector.export_module()


def test_an_unfitted_detector():
    with pytest.raises(InputError, match="not fitted"):
        small("pca").export_module()

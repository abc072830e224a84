"""The autoencoder: the score is the squared error, the bottleneck is one, and sizes come back exactly."""

import math

import numpy as np
import pytest
import torch

from anomalist.models import Autoencoder, autoencoder
from refusals import refused
from toys import blobs

BOTH = pytest.mark.parametrize("architecture", ["conv", "dense"])


def small(**changes):
    return Autoencoder(**{"width": 4, "bottleneck": 3, "epochs": 1, "batch_size": 64, "device": "cpu", **changes})


@BOTH
@pytest.mark.parametrize("channels", [1, 3])
def test_the_map_is_the_squared_error_averaged_over_channels(architecture, channels):
    images = blobs(20, (channels, 9, 11), seed=1)
    detector = small(architecture=architecture).fit(blobs(100, (channels, 9, 11)))
    scores = detector.score(images)
    error = np.square(detector.reconstruct(images).astype(np.float64) - images).mean(axis=1)
    np.testing.assert_allclose(scores.pixel, error, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(scores.image, error.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("aggregation", ["max", "top_1_percent"])
def test_the_aggregation_changes_the_score_alone(aggregation):
    images = blobs(20, seed=1)
    mean = small().fit(blobs(100)).score(images)
    other = small(aggregation=aggregation).fit(blobs(100)).score(images)
    np.testing.assert_array_equal(mean.pixel, other.pixel)
    np.testing.assert_array_equal(other.image, other.pixel.max(axis=(1, 2)))  # 1 % of 144 pixels is one


@BOTH
@pytest.mark.parametrize("bottleneck", [1, 2, 40])
def test_all_that_passes_is_the_bottleneck(architecture, bottleneck):
    detector = small(architecture=architecture, bottleneck=bottleneck).fit(blobs(20))
    code = detector._network.encoder(torch.from_numpy(blobs(4)))
    assert code.shape == (4, bottleneck)
    decoded = torch.sigmoid(detector._network.decoder(code)).detach().numpy().reshape(4, 1, 12, 12)
    np.testing.assert_allclose(decoded, detector.reconstruct(blobs(4)), atol=1e-6)


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (1, 2, 3), (3, 7, 7), (1, 8, 15), (3, 33, 47), (1, 28, 28), (2, 29, 31), (1, 64, 9), (1, 65, 67)],
)
def test_every_size_comes_back(shape):
    images = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    scores = small(width=2).fit(images).score(images)
    assert scores.pixel.shape == (4, *shape[1:])


@pytest.mark.parametrize(("side", "halvings"), [(5, 1), (7, 1), (14, 1), (28, 2), (32, 2), (64, 3), (128, 4)])
def test_an_image_is_halved_until_about_seven_pixels(side, halvings):
    detector = small(width=2)
    detector._shape = (1, side, side + 3)
    strides = [layer.stride for layer in detector._build().encoder if isinstance(layer, torch.nn.Conv2d)]
    assert strides == [(2, 2)] * halvings
    assert side / 2**halvings < 11


def test_the_dense_network_has_the_classic_sizes():
    detector = small(architecture="dense", bottleneck=5)
    detector._shape = (3, 4, 5)
    sizes = [tuple(layer.weight.shape) for layer in detector._build().modules() if isinstance(layer, torch.nn.Linear)]
    assert sizes == [(128, 60), (64, 128), (5, 64), (64, 5), (128, 64), (60, 128)]


@BOTH
def test_training_lowers_the_error_it_reports(architecture):
    detector = small(architecture=architecture, epochs=30, learning_rate=0.01)
    assert detector.history == []
    detector.fit(blobs(300))
    assert len(detector.history) == 30
    assert detector.history[-1] < 0.5 * detector.history[0]
    error = detector.score(blobs(300)).image.mean()
    assert math.isclose(error, detector.history[-1], rel_tol=0.15)


@pytest.mark.parametrize(
    ("field", "value"),
    [("bottleneck", 0), ("bottleneck", -1), ("bottleneck", 2.5), ("width", 0), ("epochs", 0), ("batch_size", 0),
     ("learning_rate", 0), ("learning_rate", float("nan")), ("architecture", "deep"), ("aggregation", "sum"),
     ("precision", "float16"), ("device", "gpu"), ("seed", "x")],
)  # fmt: skip
def test_a_wrong_option_is_refused_by_name(field, value):
    with refused(f"autoencoder.{field}", f"got {value!r}"):
        Autoencoder(**{field: value})


def test_the_first_weights_follow_the_seed():
    def weights(seed):
        detector = small(seed=seed)
        detector._shape = (1, 12, 12)
        return [value.tolist() for value in detector._build().state_dict().values()]

    assert weights(0) == weights(0)
    assert weights(0) != weights(1)


def test_its_options_reach_the_loop(monkeypatch):
    given = {}
    monkeypatch.setattr(autoencoder, "train", lambda *_, **options: given.update(options) or [0.5])
    options = {"epochs": 7, "batch_size": 5, "learning_rate": 0.25, "seed": 3, "device": "cpu", "precision": "float32"}
    assert Autoencoder(**options).fit(blobs(3)).history == [0.5]
    assert {name: given[name] for name in options} == options


def test_a_training_that_diverges_is_refused_and_leaves_nothing_fitted():
    detector = small(learning_rate=1e30, epochs=3)
    with refused("training autoencoder", "no longer finite", "learning rate"):
        detector.fit(blobs(100))
    with refused("not fitted yet"):
        detector.score(blobs(2))

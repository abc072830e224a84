"""The autoencoder: the score is the squared error, the bottleneck is one, and sizes come back
exactly."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import LocalOutlierFactor

from anomalist import training
from anomalist.models import Autoencoder, load, parse
from anomalist.models._networks import autoencoder as _autoencoder_network
from anomalist.models._reconstruction_error import error_maps, trimmed_loss
from anomalist.models._standardise import hold_out
from anomalist.trial import Trial
from refusals import refused
from toys import blobs

BOTH = pytest.mark.parametrize("architecture", ["conv", "dense"])


def small(**changes):
    return Autoencoder(
        **{"width": 4, "bottleneck": 3, "epochs": 1, "batch_size": 64, "device": "cpu", **changes}
    )


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
    np.testing.assert_array_equal(
        other.image, other.pixel.max(axis=(1, 2))
    )  # 1 % of 144 pixels is one


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
    [
        (1, 1, 1),
        (1, 2, 3),
        (3, 7, 7),
        (1, 8, 15),
        (3, 33, 47),
        (1, 28, 28),
        (2, 29, 31),
        (1, 64, 9),
        (1, 65, 67),
    ],
)
def test_every_size_comes_back(shape):
    images = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    scores = small(width=2).fit(images).score(images)
    assert scores.pixel.shape == (4, *shape[1:])


@pytest.mark.parametrize(
    ("side", "halvings"), [(5, 1), (7, 1), (14, 1), (28, 2), (32, 2), (64, 3), (128, 4)]
)
def test_an_image_is_halved_until_about_seven_pixels(side, halvings):
    detector = small(width=2)
    detector._shape = (1, side, side + 3)
    strides = [
        layer.stride for layer in detector._build().encoder if isinstance(layer, torch.nn.Conv2d)
    ]
    assert strides == [(2, 2)] * halvings
    assert side / 2**halvings < 11


def test_the_dense_network_has_the_classic_sizes():
    detector = small(architecture="dense", bottleneck=5)
    detector._shape = (3, 4, 5)
    sizes = [
        tuple(layer.weight.shape)
        for layer in detector._build().modules()
        if isinstance(layer, torch.nn.Linear)
    ]
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
    [
        ("bottleneck", 0),
        ("bottleneck", -1),
        ("bottleneck", 2.5),
        ("width", 0),
        ("epochs", 0),
        ("batch_size", 0),
        ("denoise", -0.1),
        ("loss", "l2"),
        ("blurs", ()),
        ("score_by", "code"),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("architecture", "deep"),
        ("aggregation", "sum"),
        ("precision", "float16"),
        ("device", "gpu"),
        ("seed", "x"),
    ],
)
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


def test_a_training_that_diverges_is_refused_and_leaves_nothing_fitted():
    detector = small(learning_rate=1e30, epochs=3)
    with refused("training autoencoder", "no longer finite", "learning rate"):
        detector.fit(blobs(100))
    with refused("not fitted yet"):
        detector.score(blobs(2))


def squared_error(detector, images):
    return np.square(detector.reconstruct(images).astype(np.float64) - images).mean(axis=1)


def reference_ssim(x, y):
    """The formula, read off the paper, with an explicit 11 x 11 window."""
    away = np.arange(-5, 6)
    line = np.exp(-(away**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def mean(image):
        padded = np.pad(image, 5, mode="edge")
        return (np.lib.stride_tricks.sliding_window_view(padded, (11, 11)) * window).sum(
            axis=(2, 3)
        )

    mx, my = mean(x), mean(y)
    sxx, syy, sxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sxx + syy + c2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("loss", ["mse", "l1", "ssim"])
def test_the_map_follows_the_loss(loss, channels):
    images = blobs(10, (channels, 9, 11), seed=1)
    detector = small(loss=loss).fit(blobs(100, (channels, 9, 11)))
    restored = detector.reconstruct(images).astype(np.float64)
    difference = restored - images
    expected = {"mse": difference**2, "l1": np.abs(difference)}
    if loss == "ssim":
        pairs = zip(
            restored.reshape(-1, 9, 11), images.astype(np.float64).reshape(-1, 9, 11), strict=True
        )
        expected[loss] = 1 - np.stack([reference_ssim(x, y) for x, y in pairs]).reshape(
            images.shape
        )
    np.testing.assert_allclose(
        detector.score(images).pixel, expected[loss].mean(axis=1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(1, 12, 12), (2, 5, 30), (3, 1, 2)])
@pytest.mark.parametrize("loss", ["mse", "l1", "ssim"])
def test_what_is_minimised_is_the_mean_of_the_map(loss, shape):
    random = np.random.default_rng(0)
    images, restored = random.random((2, 7, *shape), dtype=np.float32)
    maps = error_maps(images, restored, loss)
    value = trimmed_loss(torch.from_numpy(restored), torch.from_numpy(images), loss, 0.0)
    assert math.isclose(value, maps.mean(), rel_tol=1e-5)
    kept = np.sort(maps.mean(axis=(1, 2)))[:4]
    value = trimmed_loss(torch.from_numpy(restored), torch.from_numpy(images), loss, 0.45)
    assert math.isclose(value, kept.mean(), rel_tol=1e-5)


def test_ssim_of_equal_images_is_one_and_trains_in_half_precision():
    images = blobs(10)
    np.testing.assert_allclose(error_maps(images, images, "ssim"), 0, atol=1e-6)
    assert np.isfinite(small(loss="ssim", precision="bfloat16").fit(images).history).all()


def test_the_map_is_the_mean_over_the_blurs():
    images = blobs(300, seed=1)
    detector = small(blurs=(0, 1, 2.5)).fit(blobs(100))
    restored = detector.reconstruct(images).astype(np.float64)
    expected = [
        (
            gaussian_filter(restored, (0, 0, s, s), mode="nearest")
            - gaussian_filter(images, (0, 0, s, s), mode="nearest")
        )
        ** 2
        for s in (0, 1, 2.5)
    ]
    np.testing.assert_allclose(
        detector.score(images).pixel, np.mean(expected, axis=0)[:, 0], rtol=1e-4, atol=1e-7
    )
    one = small(blurs=(1,)).fit(blobs(100)).score(images).pixel
    np.testing.assert_allclose(one, expected[1][:, 0], rtol=1e-4, atol=1e-7)


def test_noise_is_added_to_what_the_network_sees_and_not_to_what_it_must_return(monkeypatch):
    seen = []
    forward = _autoencoder_network.AutoencoderNetwork.forward

    def spy(self, batch):
        seen.append(batch.clone())
        return forward(self, batch)

    monkeypatch.setattr(_autoencoder_network.AutoencoderNetwork, "forward", spy)
    images = np.full((400, 1, 12, 12), 0.5, np.float32)
    detector = small(denoise=0.2, batch_size=200, epochs=2).fit(images)
    noise = [(batch - 0.5).numpy() for batch in seen]
    assert len(noise) == 4
    for draws in noise:
        assert abs(draws.mean()) < 0.01
        assert draws.std() == pytest.approx(0.2, rel=0.05)
    assert (noise[0] != noise[1]).all()
    assert (noise[0] != noise[2]).all()
    assert np.isclose(detector.history[-1], squared_error(detector, images).mean(), atol=0.02)


def test_noise_resumes_from_a_checkpoint_bit_by_bit(tmp_path, monkeypatch):
    whole = small(denoise=0.2, epochs=4).fit(blobs(200))
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    save = training._State.save_if_due

    def stop(self):
        save(self)
        if len(self.history) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training._State, "save_if_due", stop)
        with pytest.raises(KeyboardInterrupt):
            small(denoise=0.2, epochs=4).fit(blobs(200), checkpoint=tmp_path / "fit")
    torch.manual_seed(99)
    resumed = small(denoise=0.2, epochs=4).fit(blobs(200), checkpoint=tmp_path / "fit")
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.score(blobs(20)).pixel, whole.score(blobs(20)).pixel)


def test_the_latent_score_is_the_local_outlier_factor_of_the_code():
    train, images = blobs(200), np.concatenate([blobs(20, seed=1), 1 - blobs(5, seed=2)])
    detector = small(score_by="latent", epochs=20).fit(train)
    reference = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(detector.encode(train))
    expected = -reference.score_samples(detector.encode(images))
    low, high = detector.encode(train).min(), detector.encode(train).max()
    within = np.abs(detector.encode(images) - (low + high) / 2).max(axis=1) < 1.5 * (high - low)
    assert within.sum() >= 20
    np.testing.assert_allclose(detector.score(images).image[within], expected[within], rtol=1e-3)
    np.testing.assert_array_equal(
        detector.score(images).pixel, small(epochs=20).fit(train).score(images).pixel
    )  # same training, same map


def test_the_joint_score_adds_both_logarithms_standardised_on_images_held_out():
    train, images = blobs(200), blobs(30, seed=1)
    rest, held_out = hold_out(train, 0.1, seed=0)
    error, latent = small().fit(rest), small(score_by="latent").fit(rest)
    expected = 0
    for member in (error, latent):
        normal, found = np.log(member.score(held_out).image), np.log(member.score(images).image)
        expected = expected + (found - normal.mean()) / normal.std()
    joint = small(score_by="joint").fit(train).score(images)
    np.testing.assert_allclose(joint.image, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(joint.pixel, error.score(images).pixel)


@pytest.mark.parametrize("score_by", ["latent", "joint"])
@pytest.mark.parametrize("count", [1, 2, 21])
def test_few_or_constant_images_have_a_latent_density(score_by, count, tmp_path):
    for train in (blobs(count), np.zeros((count, 1, 12, 12), np.float32)):
        detector = small(score_by=score_by).fit(train)
        assert np.isfinite(detector.score(blobs(5, seed=1)).image).all()
        detector.save(tmp_path)
        np.testing.assert_array_equal(
            load(tmp_path).score(blobs(5)).image, detector.score(blobs(5)).image
        )


def test_an_option_left_at_its_default_leaves_no_trace_in_a_trial_s_name():
    plain = parse("autoencoder:loss=mse,denoise=0,blurs=0,score_by=error")
    assert Trial(model=plain).key == Trial().key == "7a6f88c2f057f4ab"
    assert Trial(model="autoencoder:blurs=0;1").key != Trial().key

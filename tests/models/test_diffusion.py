"""Diffusion: noise is mixed in by an angle and taken away by the network, and what remains tells
what is odd."""

import numpy as np
import pytest
import torch

from anomalist.models import Diffusion, _trained
from anomalist.models import diffusion as module
from anomalist.models._networks.unet import Denoiser
from anomalist.models._residual import features, pixel_map, tally
from refusals import refused
from toys import blobs


def small(**changes):
    return Diffusion(**{"width": 4, "epochs": 1, "batch_size": 32, "device": "cpu", **changes})


@pytest.fixture(scope="module")
def trained():
    return small(width=8, epochs=60, training_precision="float32", restored_from=0.5).fit(
        blobs(300)
    )


class Knows(torch.nn.Module):
    """A network that knows the clean image, in [-1, 1], and answers with the true velocity."""

    def __init__(self, clean):
        super().__init__()
        self.clean = clean

    def forward(self, noisy, angle):
        noise = (noisy - angle.cos() * self.clean) / angle.sin()
        return angle.cos() * noise - angle.sin() * self.clean


def test_a_level_is_the_noises_share_in_units_of_the_image():
    for level in (0.05, 0.5, 3.0):
        angle = module.angle_of(level)
        assert 0 < angle < np.pi / 2
        image, noise = torch.tensor([0.25]), torch.tensor([1.0])
        noisy = module._mixed(2 * image - 1, noise, angle) / np.cos(angle)
        torch.testing.assert_close((noisy + 1) / 2, image + level * noise)


def test_the_true_velocity_gives_back_the_clean_image():
    clean = torch.from_numpy(2 * blobs(3) - 1)
    noises = torch.randn(2, 1, 12, 12)
    for level in (0.1, 1.0):
        restored = module._denoised(Knows(clean), clean, level, noises)
        torch.testing.assert_close(2 * restored - 1, clean, atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_steps_without_new_noise_follow_the_true_path_to_the_clean_image(steps, monkeypatch):
    images = blobs(64)  # one batch
    detector = small(steps=steps).fit(images)
    detector._network = Knows(torch.from_numpy(2 * images - 1))
    np.testing.assert_allclose(detector.reconstruct(images), images, atol=1e-5)


def test_training_asks_for_the_velocity_at_angles_spread_evenly(monkeypatch):
    asked = []

    def train(network, loss, images, **_):
        original = network.forward
        network.forward = lambda noisy, angle: (
            asked.append((noisy, angle)) or original(noisy, angle)
        )
        asked.append(loss(torch.from_numpy(images[:32])).item())
        network.forward = original
        network.eval()
        return [0.5]

    monkeypatch.setattr(_trained, "train", train)
    images = np.full((100, 1, 12, 12), 0.5, np.float32)  # 0 in [-1, 1]: the velocity is cos(a) e
    small().fit(images)
    (noisy, angle), value = asked[:2]
    np.testing.assert_allclose(np.diff(np.sort(angle.numpy())), np.pi / 64, atol=1e-5)
    noise = noisy / angle.sin()[:, None, None, None]
    assert abs(noise.std() - 1) < 0.05
    wanted = (
        (angle.cos()[:, None, None, None] * noise).square().mean()
    )  # an untrained network answers 0
    assert value == pytest.approx(float(wanted), rel=1e-4)


def test_noise_follows_from_seed_and_level_and_every_second_one_is_a_negative():
    detector = small(draws=5).fit(blobs(30))
    noises = detector._noises(0.5)
    assert noises.shape == (5, 1, 12, 12)
    np.testing.assert_array_equal(noises[1], -noises[0])
    np.testing.assert_array_equal(noises[3], -noises[2])
    assert (noises[4] != noises[2]).any()
    np.testing.assert_array_equal(noises, detector._noises(0.5))
    assert (noises != detector._noises(0.25)).any()
    assert (noises != small(draws=5, seed=1).fit(blobs(30))._noises(0.5)).any()


@pytest.mark.slow
def test_it_takes_noise_away(trained):
    clean = blobs(50, seed=1)
    noisy = (
        (clean + np.random.default_rng(0).normal(0, 0.2, clean.shape)).clip(0, 1).astype(np.float32)
    )
    left = ((trained.reconstruct(noisy) - clean) ** 2).mean()
    assert left < 0.7 * ((noisy - clean) ** 2).mean()


@pytest.mark.slow
def test_what_is_restored_is_nearer_to_normal_and_a_hole_is_filled(trained):
    normal = blobs(50, seed=1)
    spoilt = normal.copy()
    spoilt[:, :, 5:8, 5:8] = 0
    restored = trained.reconstruct(spoilt)
    assert ((restored - normal) ** 2).mean() < 0.7 * ((spoilt - normal) ** 2).mean()
    assert (restored[:, :, 5:8, 5:8].mean(axis=(1, 2, 3)) > 0.1).all()


def test_an_untrained_network_says_nothing_and_the_angle_matters_later():
    torch.manual_seed(0)
    network = Denoiser(1, 4).eval()
    images, angles = torch.randn(2, 1, 9, 7), [torch.tensor([angle]) for angle in (0.1, 1.4)]
    with torch.no_grad():
        assert (network(images, angles[0]) == 0).all()
        for block in (*network.down, *network.up):
            block.tell.weight.normal_()
        network.last.weight.normal_()
        assert network(images, angles[0]).shape == images.shape
        assert (network(images, angles[0]) != network(images, angles[1])).any()


def test_folded_norms_answer_like_plain_ones():
    torch.manual_seed(0)
    network = Denoiser(3, 4).train()
    angle = torch.tensor([0.7])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.3)
        for _ in range(200):  # until what is remembered of the batch is this batch's
            plain = network(torch.ones(4, 3, 9, 7) * torch.linspace(-1, 1, 7), angle)
        folded = network.eval()(torch.ones(4, 3, 9, 7) * torch.linspace(-1, 1, 7), angle)
    torch.testing.assert_close(
        folded, plain, rtol=0.05, atol=0.05
    )  # of n values, variances differ by n / (n - 1)


def test_features_are_what_they_are_said_to_be():
    residuals = np.zeros((2, 1, 1, 20, 20), np.float32)
    residuals[0, 0, 0, 4:11, 4:11] = 0.5
    residuals[1, 0, 0, 2, 2] = -1
    found = features(residuals)
    assert found.shape == (2, 5)
    np.testing.assert_allclose(np.exp(found[:, 0]), [49 * 0.25 / 400, 1 / 400], rtol=1e-4)
    np.testing.assert_allclose(
        np.exp(found[:, 1]), [0.25, 0.25], rtol=1e-4
    )  # 1 % of 400 pixels are 4
    np.testing.assert_allclose(np.exp(found[0, 2]), 0.25, rtol=0.02)
    np.testing.assert_allclose(found[:, 3:], [[24.5, 0], [0, 1]], atol=1e-4)


def test_a_residual_counts_for_more_where_none_is_expected_and_among_its_like():
    rng = np.random.default_rng(0)
    restored = (
        np.repeat(np.array([0, 1], np.float32), 18)[None, None, None, None]
        .repeat(36, 3)
        .repeat(5, 0)
    )
    usual = np.where(restored > 0.5, 0.3, 0.01) * rng.choice([-1, 1], restored.shape)
    tallied = tally(restored, usual.astype(np.float32))
    assert tallied.shape[:2] == (2, 1)
    np.testing.assert_allclose(tallied[0].sum(), restored.size)
    np.testing.assert_allclose(
        (tallied[1] / np.maximum(tallied[0], 1))[0, [0, -1]], [0.01, 0.3], rtol=1e-5
    )
    odd = np.zeros_like(restored[:1])
    odd[0, 0, 0, 10:14, 4:8] = odd[0, 0, 0, 10:14, 28:32] = odd[0, 0, 0, 30, 6] = 0.2
    heat = pixel_map(restored[:1], odd, tallied)[0]
    assert heat[11, 5] > 10 * heat[11, 29]  # where little is expected
    assert heat[11, 5] > 3 * heat[30, 6]  # among others
    assert heat[20, 20] == 0


def test_what_scores_are_standardised_by_was_not_trained_on(monkeypatch):
    shown, standardised = [], []

    def train(network, _, images, **__):
        shown.append(images)
        network.eval()
        return [0.5]

    monkeypatch.setattr(_trained, "train", train)
    denoise = Diffusion.denoise
    monkeypatch.setattr(
        Diffusion,
        "denoise",
        lambda self, images: standardised.append(images) or denoise(self, images),
    )
    images = blobs(50)
    small().fit(images)
    assert (len(shown[0]), len(standardised[0])) == (45, 5)
    assert {i.tobytes() for i in (*shown[0], *standardised[0])} == {i.tobytes() for i in images}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("levels", ()),
        ("levels", (0,)),
        ("draws", 0),
        ("restored_from", 0),
        ("steps", 0),
        ("width", 0),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0),
        ("aggregation", "sum"),
        ("training_precision", "half"),
    ],
)
def test_a_wrong_option_is_refused_by_name(field, value):
    with refused(f"diffusion.{field}"):
        Diffusion(**{field: value})

"""VAE: the score is made of the bound's parts, as they are defined, and nothing is drawn in
scoring."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from anomalist.models import Vae
from refusals import refused
from toys import blobs


def small(**changes):
    return Vae(
        **{"width": 4, "bottleneck": 3, "epochs": 20, "batch_size": 32, "device": "cpu", **changes}
    )


@pytest.fixture(scope="module")
def fitted():
    return small().fit(blobs(200))


def divergence(detector, images):
    mean, spread = map(torch.from_numpy, detector.encode(images))
    return kl_divergence(Normal(mean, spread.exp()), Normal(0, 1)).sum(1).numpy()


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_the_score_is_the_negative_bound_but_for_a_constant(beta):
    images = blobs(30, seed=1)
    detector = small(beta=beta).fit(blobs(200))
    mean, _ = detector.encode(images)
    restored = torch.from_numpy(detector.reconstruct(images))
    likelihood = (
        Normal(restored, detector._variance**0.5).log_prob(torch.from_numpy(images)).sum((1, 2, 3))
    )
    bound = likelihood.numpy() - beta * divergence(detector, images)
    score = detector.score(images).image
    assert mean.shape == (30, 3)
    np.testing.assert_allclose(score + bound, (score + bound).mean(), rtol=1e-3)


def test_the_variance_is_the_training_images_squared_error(fitted):
    images = blobs(200)
    error = ((fitted.reconstruct(images) - images) ** 2).mean(dtype=np.float64)
    assert fitted._variance == pytest.approx(error, rel=1e-5)


def test_a_higher_beta_holds_codes_nearer_to_the_prior():
    images = blobs(200)
    loose, tight = (divergence(small(beta=beta).fit(images), images).mean() for beta in (0.1, 20))
    assert tight < loose / 2


def test_parts_are_standardised_on_images_it_has_not_learnt_from():
    images = blobs(200)
    detector = small(score_by="parts").fit(images)
    usual = detector.score(blobs(300, seed=1)).image
    assert abs(np.median(usual)) < 2
    assert 0.5 < usual.std() < 6
    assert (detector.score(1 - images).image > usual.max()).all()


@pytest.mark.slow
@pytest.mark.parametrize("score_by", ["elbo", "parts", "joint"])
def test_what_is_no_blob_scores_higher(score_by):
    detector = small(score_by=score_by, epochs=40).fit(blobs(300))
    noise = np.random.default_rng(0).random((50, 1, 12, 12), dtype=np.float32)
    assert detector.score(noise).image.min() > np.quantile(
        detector.score(blobs(100, seed=1)).image, 0.95
    )


def test_training_lowers_the_bound(fitted):
    assert len(fitted.history) == 20
    assert fitted.history[-1] < fitted.history[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("bottleneck", 0), ("width", 0), ("beta", 0), ("epochs", 0), ("score_by", "error")],
)
def test_a_wrong_option_is_refused_by_name(field, value):
    with refused(f"vae.{field}"):
        Vae(**{field: value})

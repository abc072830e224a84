"""The contract of every detector, by name: those there are and those that will be."""

import random

import numpy as np
import pytest
import torch
from small_models import SIZES, each_name, each_variant, fitted, rows, same, slow, small

from anomalist.core import catalog
from anomalist.core.devices import using_threads
from anomalist.models import parse
from anomalist.testing import detectors
from refusals import refused
from toys import blobs

# The other checks are made below in more ways: with each option, size and number of threads.
CHECKS = (
    detectors.scores_have_the_shape_of_the_images,
    detectors.wrong_input_is_refused,
    pytest.param(detectors.constant_images_and_few_of_them_are_enough, marks=slow),
    detectors.its_spec_reads_back,
)


def inverted(images):
    """What no training image looks like."""
    return 1 - images


@each_variant
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scores_have_the_images_shape_and_are_finite(variant, size):
    images = blobs(20, size, seed=1)
    before = images.tobytes()
    scores = fitted(variant, size).score(images)
    assert scores.image.shape == (20,)
    assert scores.image.dtype == np.float32
    assert np.isfinite(scores.image).all()
    if scores.pixel is not None:
        assert scores.pixel.shape == (20, *size[1:])
        assert scores.pixel.dtype == np.float32
        assert np.isfinite(scores.pixel).all()
    assert images.tobytes() == before


@each_variant
def test_the_seed_decides_and_nothing_else(variant):
    test = blobs(20, seed=1)
    torch.manual_seed(123)
    np.random.seed(123)
    again = small(variant[0], **dict(variant[1:])).fit(blobs(150))
    other = small(variant[0], **dict(variant[1:]), seed=1).fit(blobs(150))
    assert same(fitted(variant).score(test), again.score(test))
    assert again.history == fitted(variant).history
    assert (
        same(other.score(test), again.score(test)) == again.deterministic
    )  # it says so of itself, and is held to it


@each_variant
def test_fitting_again_starts_afresh(variant):
    test = blobs(20, seed=1)
    twice = small(variant[0], **dict(variant[1:])).fit(blobs(40, seed=9)).fit(blobs(150))
    assert same(twice.score(test), fitted(variant).score(test))


BATCHES = [((3, 33, 47), 1), ((1, 5, 6), 1), ((3, 33, 47), 3), ((1, 5, 6), 3)]


@each_variant
def test_scoring_twice_gives_the_same_bytes(variant):
    test = blobs(20, seed=1)
    first = fitted(variant).score(test)
    assert same(fitted(variant).score(test), first)


@each_variant
@pytest.mark.parametrize(
    ("size", "threads"),
    [((1, 12, 12), 1), *(pytest.param(*each, marks=slow) for each in BATCHES)],
    ids=str,
)
def test_a_score_does_not_depend_on_the_batch(variant, size, threads):
    images, detector = blobs(300, size, seed=2), fitted(variant, size)
    with using_threads(threads):
        whole = detector.score(images)
        order = np.random.default_rng(0).permutation(300)
        assert same(detector.score(images[order]), rows(whole, order))
        assert same(detector.score(images[250:270]), rows(whole, slice(250, 270)))
        assert same(detector.score(images[::-1]), rows(whole, slice(None, None, -1)))
        for i in (0, 100, 255, 256, 299):
            assert same(detector.score(images[i : i + 1]), rows(whole, slice(i, i + 1)))


@slow
@each_variant
@pytest.mark.parametrize("threads", [1, 3, 7])
def test_a_score_does_not_depend_on_the_place_in_the_batch(variant, threads):
    """With threads that do not divide the batch, the end of a share lies within an image."""
    detector = fitted(variant, (1, 28, 28))
    images = np.random.default_rng(0).random((6, 1, 28, 28), dtype=np.float32)
    with using_threads(threads):
        for image in images:
            scores = detector.score(np.repeat(image[None], 256, axis=0))
            assert len(np.unique(scores.image)) == 1
            if scores.pixel is not None:
                assert (scores.pixel == scores.pixel[0]).all()


@each_variant
def test_read_only_images_and_views_are_scored_alike(variant):
    images, detector = blobs(20, seed=1), fitted(variant)
    locked = images.copy()
    locked.flags.writeable = False
    channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for given in (locked, channels_last, np.repeat(images, 2, axis=0)[::2]):
        assert same(detector.score(given), detector.score(images))
    assert same(
        small(variant[0], **dict(variant[1:])).fit(blobs(301)[::-2]).score(images),
        small(variant[0], **dict(variant[1:])).fit(blobs(301)[::-2].copy()).score(images),
    )


@each_name
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_public_contract(name, check):
    """The checks that others run on their own detectors."""
    check(small(name))


@each_name
def test_no_global_state_is_changed(name):
    def state():
        torch_state = (
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
        )
        settings = (
            torch.are_deterministic_algorithms_enabled(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
        )
        return torch_state, settings, np.random.get_state()[1].tolist(), random.getstate()

    torch.manual_seed(77)  # no state that a fit ends in
    np.random.seed(77)
    before = state()
    small(name).fit(blobs(150)).score(blobs(20, seed=1))
    assert state() == before


@each_name
def test_what_is_not_fitted_is_refused(name, tmp_path):
    with refused(name, "not fitted yet"):
        small(name).score(blobs(2))
    with refused(name, "not fitted yet"):
        small(name).save(tmp_path)
    assert not list(tmp_path.iterdir())


@each_name
def test_a_fit_that_fails_leaves_nothing_fitted(name, tmp_path, monkeypatch):
    detector = small(name).fit(blobs(40))

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(detector), "_fit", fail)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(blobs(40, (1, 9, 9)))
    with refused(name, "not fitted yet"):
        detector.score(blobs(2))
    with refused(name, "not fitted yet"):
        detector.save(tmp_path)


@each_name
@pytest.mark.parametrize("size", [(1, 12, 13), (3, 12, 12), (1, 6, 24)], ids=str)
def test_images_of_another_size_are_refused(name, size):
    with refused(name, "fitted on images [1, 12, 12]", str(list(size))):
        fitted((name,)).score(blobs(2, size))


@slow
@each_variant
def test_anomalies_score_higher_than_normal_images(variant):
    longer = {"epochs": 30, "learning_rate": 0.01, "batch_size": 32, "width": 8}
    fields = catalog.find_class("models", variant[0]).model_fields
    changes = {field: value for field, value in longer.items() if field in fields}
    detector = small(variant[0], **dict(variant[1:]), **changes).fit(blobs(300))
    normal = blobs(100, seed=1)
    scores = detector.score(normal)
    for anomalies in (
        inverted(normal),
        np.random.default_rng(0).random(normal.shape, dtype=np.float32),
    ):
        strange = detector.score(anomalies)
        auroc = (strange.image[:, None] > scores.image[None]).mean()
        assert auroc > 0.95
    if scores.pixel is not None:  # and a bright square is where the map says
        marked = normal.copy()
        marked[:, :, :3, :3] = 1
        pixel = detector.score(marked).pixel
        inside, outside = pixel[:, :3, :3].reshape(100, -1, 1), pixel[:, 5:, 5:].reshape(100, 1, -1)
        assert (inside > outside).mean() > 0.95  # whatever the scale of the map


@each_name
def test_reduced_precision_keeps_the_contract(name):
    images = blobs(60, seed=2)
    detector = small(name, precision="bfloat16").fit(blobs(150))
    whole = detector.score(images)
    assert np.isfinite(whole.image).all()
    assert same(detector.score(images[::-1]), rows(whole, slice(None, None, -1)))
    assert same(small(name, precision="bfloat16").fit(blobs(150)).score(images), whole)


@each_name
def test_a_restored_image_looks_like_an_image(name):
    images = blobs(20, seed=1)
    restored = fitted((name,)).reconstruct(images)
    if restored is not None:
        assert restored.shape == images.shape
        assert restored.dtype == np.float32
        assert restored.min() >= 0
        assert restored.max() <= 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("autoencodr", ["unknown model 'autoencodr'", "did you mean 'autoencoder'?"]),
        ({"epochs": 1}, ["unknown model ''", "autoencoder"]),
        ({"name": 3}, ["unknown model 3"]),
        ({"name": "autoencoder", "botleneck": 3}, ["unknown option", "did you mean 'bottleneck'?"]),
        (3, ["a name, a mapping", "got 3"]),
        (None, ["a name, a mapping", "got None"]),
    ],
)
def test_what_names_no_detector_is_refused(given, words):
    with refused(*words):
        parse(given)


@each_name
def test_a_detector_is_a_frozen_config_that_reads_back(name):
    detector = small(name)
    assert parse(detector) is detector
    assert parse({"name": name, **detector.model_dump(mode="json")}) == detector
    with pytest.raises(ValueError, match="frozen"):
        detector.seed = 3

"""Deep SVDD and Deep SAD: what was pre-trained is used, the centre is fixed, and known anomalies
are pushed away."""

import numpy as np
import pytest
import torch

from anomalist import training
from anomalist.models import DeepSad, DeepSvdd, _hypersphere
from refusals import refused
from toys import blobs

SMALL = {
    "width": 4,
    "bottleneck": 4,
    "epochs": 10,
    "pretraining": 10,
    "batch_size": 32,
    "device": "cpu",
}
IMAGES = blobs(200)


def unlike(count, seed=0):
    """Bright lines, which no blob looks like."""
    images = np.zeros((count, 1, 12, 12), np.float32)
    images[np.arange(count), :, np.random.default_rng(seed).integers(0, 12, count)] = 1
    return images


def weights_of(detector):
    return {name: value.clone() for name, value in detector._network.state_dict().items()}


def stages(monkeypatch):
    """The encoder's weights before and after each stage."""
    seen, train = [], DeepSvdd._train

    def watched(detector, network, *rest, **options):
        encoder = getattr(network, "encoder", network)
        before = encoder[0].weight.detach().clone()
        history = train(detector, network, *rest, **options)
        seen.append((before, encoder[0].weight.detach().clone()))
        return history

    monkeypatch.setattr(_hypersphere.HypersphereDetector, "_train", watched)
    return seen


@pytest.mark.parametrize("kind", [DeepSvdd, DeepSad])
def test_training_goes_on_from_the_pre_trained_encoder(kind, monkeypatch):
    seen = stages(monkeypatch)
    detector = kind(**SMALL).fit(IMAGES)
    (first, pretrained), (start, end) = seen
    assert not torch.equal(first, pretrained)
    assert torch.equal(pretrained, start)
    assert torch.equal(end, detector._network[0].weight)
    assert not torch.equal(start, end)
    assert len(detector.history) == 20
    assert detector.history[9] < detector.history[0]
    assert detector.history[19] < detector.history[10]


def test_the_centre_is_the_mean_code_before_the_second_stage_but_never_near_0(monkeypatch):
    train = DeepSvdd._train
    only_first = lambda *rest, **options: train(*rest, **options) if "stage" in options else [0.0]  # noqa: E731
    monkeypatch.setattr(_hypersphere.HypersphereDetector, "_train", only_first)
    detector = DeepSvdd(**SMALL).fit(IMAGES)
    shown = _hypersphere._scale(_hypersphere._contrast(IMAGES), detector._limits)
    mean = _hypersphere.predict_batched(detector, detector._network, shown).mean(axis=0)
    centre = detector._centre
    far = np.abs(mean) >= 0.1
    np.testing.assert_allclose(centre[far], mean[far], rtol=1e-4)
    np.testing.assert_allclose(np.abs(centre[~far]), 0.1, rtol=1e-6)
    monkeypatch.setattr(_hypersphere.HypersphereDetector, "_train", train)
    np.testing.assert_array_equal(DeepSvdd(**SMALL).fit(IMAGES)._centre, centre)


def test_no_layer_has_a_bias_and_constant_images_of_any_grey_look_alike():
    detector = DeepSvdd(**SMALL).fit(IMAGES)
    assert not any(name.endswith("bias") for name in weights_of(detector))
    greys = np.stack([np.full((1, 12, 12), value, np.float32) for value in (0, 0.5, 1)])
    assert len(np.unique(detector.score(greys).image)) == 1


def test_contrast_and_brightness_do_not_count():
    detector = DeepSvdd(**SMALL).fit(IMAGES)
    images = blobs(20, seed=1)
    np.testing.assert_allclose(
        detector.score(images).image, detector.score(0.25 + images / 2).image, rtol=1e-3
    )


@pytest.mark.parametrize("kind", [DeepSvdd, DeepSad])
def test_what_is_no_blob_lies_far_from_the_centre_and_codes_do_not_collapse(kind):
    detector = kind(**SMALL).fit(IMAGES)
    usual = detector.score(blobs(100, seed=1)).image
    assert np.median(detector.score(unlike(50)).image) > np.quantile(usual, 0.95)
    assert usual.std() > 0


@pytest.mark.slow
def test_without_labels_deep_sad_is_deep_svdd():
    images = blobs(20, seed=1)
    one, two = (kind(**SMALL).fit(IMAGES).score(images).image for kind in (DeepSvdd, DeepSad))
    np.testing.assert_array_equal(one, two)
    unlabelled = DeepSad(**SMALL).fit(IMAGES, np.zeros(len(IMAGES), np.int8))
    np.testing.assert_array_equal(unlabelled.score(images).image, one)


def shifted(count, seed):
    """Blobs three pixels too far to the left, which a network without labels hardly minds."""
    return np.roll(blobs(count, seed=seed), -3, axis=3)


@pytest.mark.slow
def test_known_anomalies_are_pushed_away_and_the_further_the_higher_eta_is():
    images, labels = np.concatenate([IMAGES, shifted(10, 2)]), np.repeat([0, -1], [200, 10])
    ratio = []
    for eta in (None, 1.0, 10.0):
        detector = DeepSad(**SMALL) if eta is None else DeepSad(**SMALL, eta=eta)
        detector = detector.fit(IMAGES) if eta is None else detector.fit(images, labels)
        ratio.append(
            np.median(detector.score(shifted(50, 1)).image)
            / np.median(detector.score(IMAGES).image)
        )
    assert ratio[1] > 2 * ratio[0]
    assert ratio[2] > ratio[1]


def test_known_anomalies_move_neither_the_centre_nor_the_range():
    images, labels = np.concatenate([IMAGES, unlike(10)]), np.repeat([0, -1], [200, 10])
    one, two = DeepSad(**SMALL).fit(IMAGES), DeepSad(**SMALL).fit(images, labels)
    np.testing.assert_array_equal(one._centre, two._centre)
    assert one._limits == two._limits


def test_deep_svdd_leaves_known_anomalies_out():
    images, labels = np.concatenate([IMAGES, unlike(10)]), np.repeat([0, -1], [200, 10])
    one, two = DeepSvdd(**SMALL).fit(IMAGES), DeepSvdd(**SMALL).fit(images, labels)
    np.testing.assert_array_equal(one.score(images).image, two.score(images).image)


@pytest.mark.parametrize("stage", ["pre-training", "training"])
def test_a_stopped_fit_goes_on_in_its_stage_and_ends_with_the_same_bytes(
    stage, tmp_path, monkeypatch
):
    whole, path = DeepSvdd(**SMALL).fit(IMAGES), tmp_path / "fit.checkpoint"
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    report = training._Progress.report

    def interrupted(self, history):
        if self.title.startswith(stage + " ") and len(history) == 6:
            raise KeyboardInterrupt
        report(self, history)

    with monkeypatch.context() as patch:
        patch.setattr(training._Progress, "report", interrupted)
        with pytest.raises(KeyboardInterrupt):
            DeepSvdd(**SMALL).fit(IMAGES, checkpoint=path)
    done = []
    monkeypatch.setattr(
        training._Progress, "report", lambda self, history: done.append((self.title, len(history)))
    )
    resumed = DeepSvdd(**SMALL).fit(IMAGES, checkpoint=path)
    assert [count for title, count in done if title.startswith(stage + " ")] == [6, 7, 8, 9, 10]
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.score(IMAGES).image, whole.score(IMAGES).image)
    assert not path.with_name("fit.checkpoint.pretraining").exists()


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (DeepSvdd, "bottleneck", 0),
        (DeepSvdd, "pretraining", 0),
        (DeepSvdd, "weight_decay", -1),
        (DeepSad, "eta", 0),
    ],
)
def test_a_wrong_option_is_refused_by_name(kind, field, value):
    with refused(f"{kind().name}.{field}"):
        kind(**{field: value})

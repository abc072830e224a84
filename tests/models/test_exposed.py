"""Detectors that learn from anomalies, made or known: what they are shown, what they say of it,
what it is worth."""

import numpy as np
import pytest
import torch

from anomalist.models import DeviationNetwork, Fcdd, OutlierExposure, _exposed, fcdd
from anomalist.training import seeded
from anomalist.trial import Trial
from refusals import refused
from toys import blobs

KINDS = [DeviationNetwork, OutlierExposure, Fcdd]
IMAGES = blobs(200)
SMALL = {"width": 8, "epochs": 10, "batch_size": 32, "learning_rate": 3e-3, "device": "cpu"}
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def shifted(count, seed):
    """Blobs three pixels too far to the left: no made defect looks like them."""
    return np.roll(blobs(count, seed=seed), -3, axis=3)


def auroc(detector):
    normal, anomalous = (
        detector.score(images).image for images in (blobs(100, seed=1), shifted(100, 3))
    )
    return (anomalous[:, None] > normal).mean()


def shown(known, made, seed=0):
    with seeded(seed, "test"):
        batch = torch.from_numpy(IMAGES[:64])
        whole, truth = _exposed.with_anomalies(
            batch, torch.from_numpy(known), made, _exposed.DEFECTS
        )
    return whole.numpy(), truth.numpy()


@pytest.mark.parametrize(("made", "known_in_it"), [(0.0, 64), (0.5, 32), (1.0, 0)])
def test_a_batch_is_followed_by_as_many_anomalies_of_which_a_share_is_made(made, known_in_it):
    known = shifted(3, 2)
    whole, truth = shown(known, made)
    np.testing.assert_array_equal(whole[:64], IMAGES[:64])
    assert not truth[:64].any()
    assert len(whole) == len(truth) == 128
    of_known = [any(image.tobytes() == one.tobytes() for one in known) for image in whole[64:]]
    assert sum(of_known) == known_in_it
    assert truth[64:][of_known].all()
    unchanged = [
        image.tobytes() == own.tobytes() for image, own in zip(whole[64:], IMAGES[:64], strict=True)
    ]
    np.testing.assert_array_equal(truth[64:] == 0, unchanged)


def test_where_none_is_known_all_anomalies_are_made_and_the_step_decides_which():
    none = np.zeros((0, 1, 12, 12), np.float32)
    whole, truth = shown(none, 0.5)
    assert truth[64:].mean() > 0.8
    assert whole.tobytes() == shown(none, 0.0)[0].tobytes() != shown(none, 0.5, seed=1)[0].tobytes()


@each_kind
def test_known_anomalies_are_found_where_made_ones_are_no_help(kind):
    images, labels = np.concatenate([IMAGES, shifted(10, 2)]), np.repeat([0, -1], [200, 10])
    with_labels = auroc(kind(**SMALL, synthetic_share=0).fit(images, labels))
    assert with_labels > 0.95
    assert with_labels > auroc(kind(**SMALL).fit(IMAGES))


@each_kind
def test_it_says_what_it_is_trained_on_and_a_test_on_that_is_refused(kind):
    assert kind().trained_on == ("blobs",)
    assert kind(defects=["stripes:lines=2", "blobs"]).trained_on == ("blobs", "stripes")
    assert kind(synthetic_share=0).trained_on == ()
    with refused(kind().name, "is trained on blobs"):
        Trial(
            model={"name": kind().name}, task={"kind": "corrupted", "corruption": "blobs:area=0.1"}
        )


@each_kind
def test_without_made_anomalies_some_must_be_known(kind):
    with refused("synthetic_share=0 needs known anomalies"):
        kind(**SMALL, synthetic_share=0).fit(IMAGES)


def test_deviations_are_near_0_for_normal_images_and_beyond_the_margin_for_known_anomalies():
    images, labels = np.concatenate([IMAGES, shifted(20, 2)]), np.repeat([0, -1], [200, 20])
    detector = DeviationNetwork(**{**SMALL, "epochs": 40}, synthetic_share=0, margin=3).fit(
        images, labels
    )
    assert abs(np.median(detector.score(IMAGES).image)) < 0.3
    assert np.median(detector.score(shifted(20, 2)).image) > 2.7


def test_fcdd_finds_the_place_from_image_labels_alone():
    def marked(images):
        spoilt = images.copy()
        spoilt[:, :, 2:5, 15:18] = 1
        return spoilt

    images = blobs(300, (1, 20, 20))
    data, labels = np.concatenate([images, marked(images[:30])]), np.repeat([0, -1], [300, 30])
    detector = Fcdd(**{**SMALL, "epochs": 20}, synthetic_share=0, downsamplings=1).fit(data, labels)
    maps = detector.score(marked(blobs(20, (1, 20, 20), seed=1))).pixel
    peaks = [np.unravel_index(each.argmax(), each.shape) for each in maps]
    assert all(row < 9 and column > 11 for row, column in peaks)


def test_the_score_is_the_planes_mean_pseudo_huber_value_and_the_map_keeps_a_constant():
    detector = Fcdd(**SMALL).fit(IMAGES)
    with torch.inference_mode():
        plane = detector._network(torch.from_numpy(IMAGES[:5])).double().numpy()
    expected = (np.sqrt(plane**2 + 1) - 1).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(detector.score(IMAGES[:5]).image, expected, rtol=1e-3, atol=1e-6)
    maps = fcdd.spread_planes(np.full((2, 3, 4), 0.7, np.float32), (11, 14), 2, 3.0)
    assert maps.shape == (2, 11, 14)
    np.testing.assert_allclose(maps, 0.7, rtol=1e-5)


@pytest.mark.parametrize("downsamplings", [0, 1, 2])
def test_a_number_of_the_plane_has_seen_as_much_as_is_said(downsamplings):
    network = Fcdd(downsamplings=downsamplings, width=4)
    network._shape = (1, 64, 64)
    whole = network._build().eval()
    images = torch.rand(1, 1, 64, 64, requires_grad=True)
    middle = 64 // 2**downsamplings // 2
    whole(images)[0, 0, middle, middle].backward()
    rows = np.flatnonzero((images.grad[0, 0] != 0).any(1))
    assert rows.max() - rows.min() + 1 <= fcdd.receptive_field(downsamplings)
    assert (
        rows.max() - rows.min() + 1 >= fcdd.receptive_field(downsamplings) / 2
    )  # a maximum passes one gradient of four


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Fcdd, "downsamplings", -1),
        (Fcdd, "spread", 0),
        (DeviationNetwork, "margin", 0),
        (OutlierExposure, "synthetic_share", 2),
        (OutlierExposure, "defects", ()),
        (OutlierExposure, "width", 0),
    ],
)
def test_a_wrong_option_is_refused_by_name(kind, field, value):
    with refused(f"{kind().name}.{field}"):
        kind(**{field: value})

"""Detector: known anomalies are left out of training, unless a detector says how it learns from
them."""

import numpy as np
import pytest

from anomalist.core import catalog
from anomalist.models import Detector, Pca, Scores, parse
from refusals import refused
from toys import blobs

IMAGES = blobs(60)


@pytest.mark.parametrize("name", ["pca", "lof"])
def test_known_anomalies_are_left_out_of_training(name):
    spoilt = np.concatenate([IMAGES, 1 - IMAGES[:20]])
    labels = np.repeat([0, 1, -1], [40, 20, 20])
    told, clean = parse(name).fit(spoilt, labels), parse(name).fit(IMAGES)
    np.testing.assert_array_equal(told.score(spoilt).image, clean.score(spoilt).image)
    untold = parse(name).fit(spoilt)
    assert not np.array_equal(told.score(spoilt).image, untold.score(spoilt).image)


class Nearer(Detector):
    """Learns from known anomalies: an image is as anomalous as it is near to their mean."""

    def _fit(self, images, checkpoint):
        raise AssertionError("it was given labels")

    def _fit_labelled(self, images, labels, checkpoint):
        self._mean = images[labels < 0].mean(axis=0)

    def _score(self, images):
        return Scores(-np.abs(images - self._mean).mean(axis=(1, 2, 3)), None)

    def _arrays(self):
        return {}

    def _restore(self, arrays):
        pass


def test_a_detector_may_learn_from_them():
    detector = Nearer().fit(np.concatenate([IMAGES, 1 - IMAGES]), np.repeat([0, -1], 60))
    assert detector.score(1 - IMAGES).image.min() > detector.score(IMAGES).image.max()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(59, int), "labels must be [60] of -1, 0 or +1"),
        (np.full(60, 2), "labels must be [60] of -1, 0 or +1"),
        (np.zeros(60), "got float64 [60]"),
        (np.full(60, -1), "all images are known anomalies"),
    ],
)
def test_wrong_labels_leave_nothing_fitted(labels, words):
    detector = Pca().fit(IMAGES)
    with refused("pca.fit", words):
        detector.fit(IMAGES, labels)
    with refused("not fitted yet"):
        detector.score(IMAGES)


def test_every_detector_takes_labels():
    for name in catalog.names("models"):
        assert catalog.find_class("models", name).fit is Detector.fit

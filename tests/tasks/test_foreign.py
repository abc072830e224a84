"""Foreign: images of another data set, alike in size and, if asked for, in brightness and
contrast."""

import numpy as np
import pytest

from anomalist import datasets, tasks
from anomalist.images import ImageSet
from anomalist.tasks import Foreign
from anomalist.tasks.foreign import _in_shape
from refusals import refused
from toys import blobs

MNIST = datasets.load("mnist")


@pytest.fixture(scope="module")
def plain():
    return tasks.make_foreign(MNIST, "digits", calibration=100, train=200, test=150)


@pytest.fixture(scope="module")
def matched():
    return tasks.make_foreign(MNIST, "digits", matched=True, calibration=100, train=200, test=150)


def test_anomalies_are_as_many_foreign_images_of_the_first_one_s_size(plain):
    assert plain.test.images.shape == (300, 1, 28, 28)
    assert plain.test.is_anomaly.sum() == 150
    assert len(set(plain.test.image_index)) == 300  # none is another's twin
    assert plain.test.masks is None


def test_there_are_no_more_anomalies_than_the_other_set_has():
    test = tasks.make_foreign(MNIST, "digits", calibration=100, train=200).test
    assert test.is_anomaly.sum() == len(datasets.load("digits").test)


def test_matched_images_have_the_mean_and_the_deviation_of_normal_ones(plain, matched):
    normal, found = (matched.test.images[matched.test.is_anomaly == kind] for kind in (False, True))
    apart = {
        value: np.abs(value(found, axis=(1, 2, 3)) - value(normal, axis=(1, 2, 3))).max()
        for value in (np.mean, np.std)
    }
    assert apart[np.mean] < 0.002
    assert apart[np.std] < 0.002
    untouched = plain.test.images[plain.test.is_anomaly]
    assert abs(untouched.mean() - normal.mean()) > 0.1  # what matching takes away
    assert 0 <= found.min() <= found.max() <= 1


def test_a_matched_image_does_not_depend_on_how_many_are_tested(matched):
    few = tasks.make_foreign(
        MNIST, "digits", matched=True, calibration=100, train=200, test=150
    ).test
    np.testing.assert_array_equal(few.images, matched.test.images)


def test_colour_becomes_grey_as_the_mean_and_grey_becomes_colour_by_repetition():
    def as_set(images):
        return ImageSet(images, np.zeros(len(images), np.int64), ("any",))

    colour = np.random.default_rng(0).random((4, 3, 12, 12), np.float32)
    np.testing.assert_allclose(
        _in_shape(as_set(colour), (1, 12, 12))[:, 0], colour.mean(axis=1), atol=1e-6
    )
    grey = blobs(4)
    np.testing.assert_array_equal(_in_shape(as_set(grey), (3, 12, 12)), np.repeat(grey, 3, axis=1))
    with refused("images of 3 channels cannot be converted to 4 channels"):
        _in_shape(as_set(colour), (4, 12, 12))


@pytest.mark.parametrize("size", [(7, 9), (40, 31)])
def test_a_flat_image_stays_flat_at_any_size_and_brightness_is_kept(size):
    flat = ImageSet(np.full((1, 1, 20, 20), 51, np.uint8), np.zeros(1, np.int64), ("any",))
    np.testing.assert_allclose(_in_shape(flat, (1, *size)), 0.2, atol=1e-6)


def test_foreign_images_contaminate_training_too():
    task = Foreign(calibration=100, train=200, contamination=0.1, labelled=0.05)
    clean, dirty = (
        one.training(MNIST, 0)[0] for one in (Foreign(calibration=100, train=200), task)
    )
    changed = (clean.images != dirty.images).any(axis=(1, 2, 3))
    assert changed.sum() == 30
    assert (dirty.train_labels == -1).sum() == 10
    assert changed[dirty.train_labels == -1].all()


def test_the_same_data_set_is_not_foreign():
    with refused("'mnist' is the normal data set itself"):
        Foreign(foreign="mnist", calibration=100).build(MNIST, 0)

"""One class: one normal class, several, or all but one."""

import numpy as np
import pytest

from anomalist import datasets, tasks
from anomalist.images import Dataset
from anomalist.tasks import OneClass
from refusals import refused

DIGITS = datasets.load("digits")


@pytest.mark.parametrize(
    ("options", "normal"),
    [
        ({"normal_classes": (3,)}, {3}),
        ({"normal_classes": (3, 5)}, {3, 5}),
        ({"all_but": 4}, set(range(10)) - {4}),
    ],
)
def test_the_normal_classes_alone_are_trained_on_and_the_others_are_anomalies(options, normal):
    task = OneClass(dataset="digits", calibration=30, **options).build(DIGITS, 0)
    of = {
        split: set(DIGITS.train.class_index[getattr(task, split).image_index])
        for split in ("train", "calibration")
    }
    assert of["train"] == normal
    assert of["calibration"] <= normal
    tested = DIGITS.test.class_index[task.test.image_index]
    assert set(tested[~task.test.is_anomaly]) == normal
    assert set(tested[task.test.is_anomaly]) == set(range(10)) - normal
    assert len(task.test) == len(DIGITS.test)


def test_a_class_that_does_not_exist_is_refused():
    with refused("all_but: 10 is no class", "0 to 9"):
        OneClass(all_but=10, calibration=30).build(DIGITS, 0)
    with refused("normal_classes: 10 is no class", "0 to 9"):
        tasks.make_one_class(DIGITS, 10, calibration=30)


def test_known_anomalies_are_named_and_take_no_place_of_the_unnoticed_ones():
    plain = OneClass(dataset="digits", calibration=30, contamination=0.1)
    both = plain.model_copy(update={"labelled": 0.2})
    (less, _), (more, _) = (task.training(DIGITS, 0) for task in (plain, both))
    assert less.train_labels is None
    assert (more.train_labels == -1).sum() == round(0.2 * len(more))
    assert not more.train_labels[more.train_labels != -1].any()
    unchanged = more.train_labels == 0
    np.testing.assert_array_equal(more.images[unchanged], less.images[unchanged])
    zeros = {image.tobytes() for image in DIGITS.train.to_float()[DIGITS.train.class_index == 0]}
    assert not any(image.tobytes() in zeros for image in more.images[~unchanged])
    assert sum(image.tobytes() not in zeros for image in more.images[unchanged]) == round(
        0.1 * len(more)
    )


def test_a_larger_labelled_share_names_the_same_anomalies_and_more():
    few, many = (
        OneClass(calibration=30, labelled=share).training(DIGITS, 0)[0] for share in (0.1, 0.3)
    )
    named = few.train_labels == -1
    assert (many.train_labels[named] == -1).all()
    np.testing.assert_array_equal(few.images[named], many.images[named])


def test_known_anomalies_may_be_of_one_class_and_are_never_unnoticed_ones_too():
    task = OneClass(
        dataset="digits", calibration=30, contamination=0.3, labelled=0.2, labelled_class=7
    )
    train, _ = task.training(DIGITS, 0)
    label = dict(
        zip(
            (image.tobytes() for image in DIGITS.train.to_float()),
            DIGITS.train.class_index,
            strict=True,
        )
    )
    named, others = (
        [label[image.tobytes()] for image in train.images[train.train_labels == known]]
        for known in (-1, 0)
    )
    assert named == [7] * round(0.2 * len(train))
    assert len(set(others)) > 5
    assert len({image.tobytes() for image in train.images}) == len(train)
    without, _ = task.model_copy(update={"labelled_class": None}).training(DIGITS, 0)
    np.testing.assert_array_equal(
        without.images[train.train_labels == 0], train.images[train.train_labels == 0]
    )


def test_a_labelled_class_that_is_normal_or_too_small_is_refused():
    with refused("labelled_class: 0 is a normal class"):
        OneClass(dataset="digits", calibration=30, labelled=0.2, labelled_class=0).training(
            DIGITS, 0
        )
    few = DIGITS.train.take(
        np.flatnonzero((DIGITS.train.class_index != 7) | (np.arange(len(DIGITS.train)) < 100))
    )
    with refused("images of class 7, there are"):
        OneClass(dataset="digits", calibration=10, labelled=0.5, labelled_class=7).training(
            Dataset("few", few, DIGITS.test, "made for a test"), 0
        )


def test_training_needs_something_that_is_not_an_anomaly():
    with refused("contamination", "labelled", "sum to 1"):
        OneClass(contamination=0.5, labelled=0.5)

"""One class: one normal class, several, or all but one."""

import numpy as np
import pytest

from anomalist import datasets, tasks
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
    of = {split: set(DIGITS.train.labels[getattr(task, split).source]) for split in ("train", "calibration")}
    assert of["train"] == normal
    assert of["calibration"] <= normal
    tested = DIGITS.test.labels[task.test.source]
    assert set(tested[~task.test.labels]) == normal
    assert set(tested[task.test.labels]) == set(range(10)) - normal
    assert len(task.test) == len(DIGITS.test)


def test_a_class_that_does_not_exist_is_refused():
    with refused("all_but: 10 is no class", "0 to 9"):
        OneClass(all_but=10, calibration=30).build(DIGITS, 0)
    with refused("normal_classes: 10 is no class", "0 to 9"):
        tasks.one_class(DIGITS, 10, calibration=30)


def test_known_anomalies_are_named_and_take_no_place_of_the_unnoticed_ones():
    plain = OneClass(dataset="digits", calibration=30, contamination=0.1)
    both = plain.model_copy(update={"labelled": 0.2})
    (less, _), (more, _) = (task.training(DIGITS, 0) for task in (plain, both))
    assert less.known is None
    assert (more.known == -1).sum() == round(0.2 * len(more))
    assert not more.known[more.known != -1].any()
    unchanged = more.known == 0
    np.testing.assert_array_equal(more.images[unchanged], less.images[unchanged])
    zeros = {image.tobytes() for image in DIGITS.train.to_float()[DIGITS.train.labels == 0]}
    assert not any(image.tobytes() in zeros for image in more.images[~unchanged])
    assert sum(image.tobytes() not in zeros for image in more.images[unchanged]) == round(0.1 * len(more))


def test_a_larger_labelled_share_names_the_same_anomalies_and_more():
    few, many = (OneClass(calibration=30, labelled=share).training(DIGITS, 0)[0] for share in (0.1, 0.3))
    named = few.known == -1
    assert (many.known[named] == -1).all()
    np.testing.assert_array_equal(few.images[named], many.images[named])


def test_training_needs_something_that_is_not_an_anomaly():
    with refused("contamination", "labelled", "add up to 1"):
        OneClass(contamination=0.5, labelled=0.5)

"""Every kind of task by name: its text, its name in rows, what it leaves out of a fit, and that
leaks are found."""

import numpy as np
import pytest

from anomalist import split, tasks
from anomalist.core import catalog
from anomalist.images import Dataset, ImageSet
from anomalist.models import Autoencoder
from anomalist.tasks import Corrupted, Defects, Foreign, OneClass
from anomalist.trial import Trial
from refusals import refused
from toys import defect_dataset, toy_dataset

OPTIONS = {
    "corrupted": {
        "corruption": "stripes:lines=1,value=black",
        "contaminant": "class",
        "normal_classes": (1, 2),
    },
    "defects": {"types": ("crack", "hole")},
    "foreign": {"foreign": "digits", "matched": True},
    "one_class": {"all_but": 4},
}


def test_every_kind_that_is_tested_here_is_listed():
    assert set(OPTIONS) <= set(catalog.names("tasks"))


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_task_s_text_and_its_json_read_back(kind):
    for options in (
        {},
        OPTIONS[kind],
        {**OPTIONS[kind], "dataset": "folder:path=a,size=3", "labelled": 0.1},
    ):
        made = tasks.parse({"kind": kind, **options})
        assert tasks.parse(str(made)) == made
        assert tasks.parse(made.model_dump(mode="json")) == made
        assert Trial(**Trial(task=made).model_dump(mode="json")).task == made


def test_wrong_tasks_are_one_clear_line():
    with refused("unknown task 'one_clas': did you mean 'one_class'?"):
        tasks.parse("one_clas:dataset=mnist")
    with refused("unknown option of one_class 'normal'", "normal_classes"):
        tasks.parse("one_class:normal=1")
    with refused("one_class.normal_classes.0", "integer"):
        tasks.parse("one_class:normal_classes=three")


def test_the_names_of_trials_are_those_that_they_always_had(monkeypatch):
    """All that has changed them is the version of the autoencoder, which is 2 since large images
    train otherwise."""
    monkeypatch.setattr(Autoencoder, "version", 1)
    keys = [
        (trial.key, trial.fit_key)
        for trial in (
            Trial(),
            Trial(task={"kind": "one_class", "train": 5}),
            Trial(
                task={
                    "kind": "corrupted",
                    "contamination": 0.1,
                    "contaminant": "class",
                    "normal_classes": (1, 2),
                }
            ),
            Trial(
                task={"kind": "corrupted", "corruption": "stripes:lines=2", "test": 7}, model="pca"
            ),
        )
    ]
    assert keys == [
        ("2454e4746ae29238", "2454e4746ae29238"),
        ("142b2ba2068fbe19", "142b2ba2068fbe19"),
        ("c3251dd9da03c094", "c3251dd9da03c094"),
        ("6a96d7a46a75c499", "b91f8ec567881daf"),
    ]


def test_a_row_says_nothing_of_what_is_not_used():
    dump = Trial(task={"kind": "one_class"}).model_dump(mode="json")["task"]
    assert list(dump) == [
        "dataset",
        "train",
        "calibration",
        "test",
        "contamination",
        "kind",
        "normal_classes",
    ]


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        (Foreign(), Foreign(matched=True), True),
        (Foreign(), Foreign(foreign="other"), True),
        (Foreign(contamination=0.1), Foreign(contamination=0.1, matched=True), False),
        (Defects(), Defects(types=("crack",), duplicates=0.5), True),
        (Defects(), Defects(labelled=0.1), False),
        (OneClass(), OneClass(all_but=1), False),
        (OneClass(), OneClass(labelled_class=3), True),
        (OneClass(labelled=0.1), OneClass(labelled=0.1, labelled_class=3), False),
        (
            Corrupted(labelled=0.1, contaminant="class"),
            Corrupted(labelled=0.1, contaminant="stripes"),
            False,
        ),
    ],
)
def test_a_fit_depends_on_what_training_depends_on(first, second, shared):
    one, two = Trial(task=first), Trial(task=second)
    assert one.key != two.key
    assert (one.fit_key == two.fit_key) is shared


def leaking(count):
    toy = toy_dataset()
    images = toy.test.images.copy()
    images[:count] = toy.train.images[:count]
    return Dataset(
        "toy",
        toy.train,
        ImageSet(images, toy.test.class_index, toy.test.class_names),
        "made for a test",
    )


def test_a_few_test_images_that_are_training_images_are_counted():
    assert OneClass(calibration=30).build(toy_dataset(), 0).leaks == 0
    of_class_0 = OneClass(calibration=30, duplicates=0.1).build(leaking(4), 0)
    assert of_class_0.leaks == 2  # the two of the normal class: no other was trained on


def test_many_are_refused():
    with refused("2 of 60 test images are identical to training", "the option duplicates"):
        OneClass(calibration=30).build(leaking(4), 0)


def test_the_hash_tells_images_apart_by_every_byte():
    one = split.normal_split(defect_dataset().test)
    images = one.images.copy()
    images[0, 0, 0, 0] += np.float32(1e-6)
    assert len(set(split.fingerprints(one))) == len(one)
    other = split.Split(images, one.is_anomaly, one.image_index)
    assert split.count_leaks(other, set(split.fingerprints(one))) == len(one) - 1

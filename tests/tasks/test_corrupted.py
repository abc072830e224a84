"""Tasks: the splits never overlap, twins are named, and what nothing changed is left out and
counted."""

import numpy as np
import pytest

from anomalist import tasks
from anomalist.core.errors import InputError
from anomalist.corruptions import parse
from toys import defect_dataset, toy_dataset

TOY = toy_dataset()


def test_training_and_calibration_are_disjoint_and_come_from_the_training_split():
    train, held_out = tasks.Corrupted(calibration=50).training(TOY, seed=3)
    assert len(train) == 250
    assert len(held_out) == 50
    assert not set(train.image_index) & set(held_out.image_index)
    np.testing.assert_array_equal(train.images, TOY.train.to_float()[train.image_index])
    assert not train.is_anomaly.any()


def test_the_seed_alone_decides_the_split():
    task = tasks.Corrupted(calibration=50, train=100)
    first, second, other = (task.training(TOY, seed)[0].image_index for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_calibration_images_do_not_depend_on_how_many_are_trained_on():
    few, many = (
        tasks.Corrupted(calibration=50, train=n).training(TOY, 0)[1].image_index for n in (10, 200)
    )
    np.testing.assert_array_equal(few, many)


def test_every_test_image_is_there_clean_and_corrupted():
    task = tasks.make_corrupted(TOY, "stripes", severity=0.5, seed=0, calibration=50)
    clean, dirty = ~task.test.is_anomaly, task.test.is_anomaly
    assert clean.sum() == dirty.sum() == 60
    np.testing.assert_array_equal(task.test.image_index[clean], task.test.image_index[dirty])
    changed = (task.test.images[clean] != task.test.images[dirty]).any(axis=1)
    np.testing.assert_array_equal(task.test.masks[dirty], changed)
    assert not task.test.masks[clean].any()


def test_images_with_a_real_defect_are_no_clean_ones():
    dataset = defect_dataset()
    assert set(dataset.test.class_index) == {0, 1, 2}
    normal = tasks.Corrupted(calibration=10).normal_test_images(dataset, seed=0)
    assert (dataset.test.class_index[normal.image_index] == 0).all()
    assert len(normal) == (dataset.test.class_index == 0).sum()


def test_an_image_that_nothing_changed_is_left_out_and_counted():
    dataset = toy_dataset()
    dataset.test.images[:, :, :6] = (
        0  # the upper half is black: many a small black hole changes nothing
    )
    task = tasks.make_corrupted(dataset, "patch_occlusion:side=2", seed=0, calibration=50)
    dirty = task.test.is_anomaly
    assert task.test.excluded > 0
    assert dirty.sum() + task.test.excluded == 60
    assert task.test.masks[dirty].any(axis=(1, 2)).all()


def test_an_image_s_corruption_does_not_depend_on_how_many_are_tested():
    all_of_them = tasks.make_corrupted(
        TOY, "gaussian_noise", severity=0.3, seed=0, calibration=50
    ).test
    some = tasks.make_corrupted(
        TOY, "gaussian_noise", severity=0.3, seed=0, calibration=50, test=20
    ).test
    dirty = some.is_anomaly
    where = [
        np.flatnonzero(all_of_them.is_anomaly & (all_of_them.image_index == i))[0]
        for i in some.image_index[dirty]
    ]
    np.testing.assert_array_equal(some.images[dirty], all_of_them.images[where])


def test_severity_is_joined_with_the_corruption_s_other_options():
    task = tasks.make_corrupted(
        TOY, "stripes:value=black,direction=rows", severity=0.5, seed=0, calibration=50
    )
    dirty = task.test.is_anomaly
    assert (
        (task.test.images[dirty][:, 0] == 0).all(axis=2).any(axis=1).all()
    )  # a black row in every image
    with pytest.raises(InputError, match="either severity or lines"):
        tasks.make_corrupted(TOY, "stripes:lines=2", severity=0.5, calibration=50)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"calibration": 301}, "calibration: 301 images requested, the split has 300"),
        ({"calibration": 50, "train": 251}, "train: 251 images requested, the split has 250"),
        ({"calibration": 50, "test": 61}, "test: 61 images requested, the split has 60"),
        (
            {"calibration": 50, "test": 0},
            "corrupted.test: input should be greater than or equal to 1",
        ),
        ({"calibration": 300}, "train: no training image is left; hold out fewer"),
    ],
)
def test_more_images_than_there_are_is_one_clear_line(sizes, message):
    with pytest.raises(InputError, match=message):
        tasks.make_corrupted(TOY, "stripes", seed=0, **sizes)


def test_the_config_comes_back_from_json():
    task = tasks.Corrupted(corruption=parse("stripes:lines=3,value=black"), calibration=7)
    assert tasks.Corrupted(**task.model_dump(mode="json")) == task
    assert task.model_dump(mode="json")["corruption"] == "stripes:lines=3,value=black"

"""Defects: real ones, by type, with masks; what training may have of them is never tested."""

import numpy as np
import pytest

from anomalist import tasks
from anomalist.tasks import Defects
from refusals import refused
from toys import defect_dataset, toy_dataset

PARTS = defect_dataset()


def test_all_types_or_one_are_told_from_the_good_ones_with_their_masks():
    for types, count in (((), 24), ("crack", 12), (("crack", "hole"), 24)):
        test = tasks.make_defects(PARTS, types, calibration=30).test
        assert (~test.is_anomaly).sum() == 12
        assert test.is_anomaly.sum() == count
        np.testing.assert_array_equal(test.masks, PARTS.test.masks[test.image_index])


def test_without_masks_there_are_none():
    assert tasks.make_defects(defect_dataset(masks=False), calibration=30).test.masks is None


def test_wrong_types_and_data_sets_are_refused():
    with refused("unknown type of defect in toy 'crak': did you mean 'crack'? valid: crack, hole"):
        tasks.make_defects(PARTS, "crak", calibration=30)
    with refused("toy has no real defects", "'even'", "one_class"):
        tasks.make_defects(toy_dataset(), calibration=30)


@pytest.mark.parametrize(
    "shares", [{"contamination": 0.1}, {"labelled": 0.1}, {"contamination": 0.05, "labelled": 0.1}]
)
def test_defects_that_training_may_have_are_never_tested(shares):
    task = Defects(calibration=30, **shares).build(PARTS, 0)
    assert task.leaks == 0
    assert task.test.is_anomaly.sum() == 12  # half of each type
    dirty = {image.tobytes() for image in PARTS.test.to_float()[PARTS.test.class_index > 0]}
    assert sum(image.tobytes() in dirty for image in task.train.images) == round(
        sum(shares.values()) * 60
    )


def test_what_is_tested_does_not_depend_on_the_share():
    few, many = (
        Defects(calibration=30, labelled=share).build(PARTS, 0).test for share in (0.05, 0.2)
    )
    np.testing.assert_array_equal(few.image_index, many.image_index)
    with refused("needs 30 images of other classes, there are 12"):
        Defects(calibration=30, labelled=0.5).build(PARTS, 0)

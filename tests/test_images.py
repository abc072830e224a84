"""ImageSet: the one converter, selections that keep their numbers, and the checks."""

import numpy as np
import pytest

from anomalist.images import ImageSet, check_images
from refusals import refused

KINDS = ("a", "b", "c")


def image_set(images, **changes):
    labels = np.arange(len(images)) % 3
    return ImageSet(**{"images": images, "class_index": labels, "class_names": KINDS, **changes})


def ramp(dtype, high):
    return np.linspace(0, high, 6 * 2 * 3 * 4).astype(dtype).reshape(6, 2, 3, 4)


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 255), (np.uint16, 65_535)])
def test_every_integer_becomes_its_share_of_the_range(dtype, high):
    every = np.arange(high + 1, dtype=dtype).reshape(1, 1, 1, -1)
    floats = image_set(every).to_float()
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(
        floats.ravel(), np.arange(high + 1, dtype=np.float32) / np.float32(high)
    )
    assert (floats.min(), floats.max()) == (0, 1)
    np.testing.assert_array_equal(
        np.round(floats.ravel() * high), np.arange(high + 1)
    )  # nothing is lost


def test_floats_in_the_unit_range_stay_as_they_are_and_are_a_copy():
    images = ramp(np.float32, 1)
    floats = image_set(images).to_float()
    np.testing.assert_array_equal(floats, images)
    assert not np.shares_memory(floats, images)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_declared_range_is_mapped_to_the_unit_range_and_the_rest_clipped(dtype):
    images = np.array([0, 100, 125, 200, 250], dtype).reshape(1, 1, 1, 5)
    floats = image_set(images, value_range=(100, 200)).to_float()
    np.testing.assert_array_equal(floats.ravel(), np.array([0, 0, 0.25, 1, 1], np.float32))
    assert images.ravel().tolist() == [0, 100, 125, 200, 250]


def test_a_range_may_be_negative():
    images = np.array([-1, 0, 1], np.float32).reshape(1, 1, 1, 3)
    assert image_set(images, value_range=(-1.0, 1.0)).to_float().ravel().tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_take_keeps_all_that_belongs_to_an_image(dtype):
    whole = image_set(
        ramp(dtype, 1), masks=np.arange(72).reshape(6, 3, 4) % 5 == 0, value_range=(0, 7)
    )
    some = whole.take(np.array([4, 1, 1]))
    assert some.index.tolist() == [4, 1, 1]
    assert some.class_index.tolist() == [1, 1, 1]
    assert (some.class_names, some.value_range) == (KINDS, (0, 7))
    np.testing.assert_array_equal(some.images, whole.images[[4, 1, 1]])
    np.testing.assert_array_equal(some.masks, whole.masks[[4, 1, 1]])
    assert some.take(np.array([2, 0])).index.tolist() == [
        1,
        4,
    ]  # the data set's numbers, not positions
    assert len(some) == 3
    assert len(whole.take(np.array([], int))) == 0
    assert image_set(whole.images).take(np.array([0])).masks is None


def test_a_memory_mapped_set_is_read_but_not_written(tmp_path):
    np.save(tmp_path / "images.npy", ramp(np.uint8, 255))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        image_set(mapped).to_float(), image_set(ramp(np.uint8, 255)).to_float()
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((6, 3, 4), np.uint8)}, ["uint8, uint16 or float32", "[6, 3, 4]"]),
        ({"images": np.zeros((6, 2, 3, 4))}, ["float64"]),
        ({"images": np.zeros((6, 2, 3, 4), np.int16)}, ["int16"]),
        ({"class_index": np.zeros(5, int)}, ["class_index", "[6]", "[5]"]),
        ({"class_index": np.array([0, 1, 2, 3, 0, 0])}, ["class_index", "0..2"]),
        ({"class_index": np.array([0, 1, -1, 0, 0, 0])}, ["class_index", "0..2"]),
        ({"masks": np.zeros((6, 4, 3), bool)}, ["masks", "[6, 3, 4]", "[6, 4, 3]"]),
        ({"index": np.arange(5)}, ["index", "[6]", "[5]"]),
        ({"value_range": (1.0, 1.0)}, ["value_range", "low < high"]),
        ({"value_range": (0.0, 0.0)}, ["value_range", "low < high"]),
        ({"value_range": (255.0, 0.0)}, ["value_range", "low < high"]),
        ({"value_range": (0.0, float("nan"))}, ["value_range", "nan"]),
    ],
)
def test_a_set_that_does_not_fit_together_is_refused(changes, words):
    with refused(*words):
        image_set(**{"images": ramp(np.uint8, 255), **changes})


def spoilt(value):
    images = np.full((2, 1, 3, 3), 0.5, np.float32)
    images[1, 0, 2, 2] = value
    return images


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([[1.0]], ["list", "ImageSet.to_float"]),
        (np.zeros((2, 1, 3, 3)), ["float64", "ImageSet.to_float"]),
        (np.zeros((2, 1, 3, 3), np.uint8), ["uint8"]),
        (np.zeros((2, 3, 3), np.float32), ["[2, 3, 3]"]),
        (np.zeros((0, 1, 3, 3), np.float32), ["no images"]),
        (np.zeros((2, 0, 3, 3), np.float32), ["no images"]),
        (spoilt(np.nan), ["NaN"]),
        (spoilt(np.inf), ["infinite"]),
        (spoilt(-np.inf), ["infinite"]),
        (spoilt(-0.001), ["-0.001", "[0, 1]"]),
        (spoilt(255), ["255", "[0, 1]"]),
        (spoilt(np.nextafter(np.float32(1), np.float32(2))), ["[0, 1]"]),
    ],
)
def test_images_that_are_not_in_the_unit_range_are_refused(images, words):
    with refused("the asker", *words):
        check_images(images, "the asker")


def test_good_images_pass():
    check_images(spoilt(0), "the asker")
    check_images(spoilt(1), "the asker")

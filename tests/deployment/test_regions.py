"""Regions: the largest connected one, and its place in the file for each way of resizing."""

import numpy as np
import pytest

from anomalist.deployment.regions import Region, in_file, largest_region, mask_in_file
from anomalist.image_files.frame import DecodeSpec, frame


def test_the_largest_region_is_by_area_and_corners_connect():
    mask = np.zeros((12, 12), bool)
    mask[0, 0:9] = True  # nine pixels, long
    mask[4:7, 4:7] = True  # nine pixels and one at its corner
    mask[7, 7] = True
    assert largest_region(mask) == Region(4, 4, 4, 4, 10)
    assert largest_region(np.zeros((3, 3), bool)) is None


@pytest.mark.parametrize("mode", ["stretch", "pad", "mirror", "crop"])
@pytest.mark.parametrize("size", [(100, 60), (60, 100), (32, 32), (31, 47)])
def test_a_place_in_the_file_and_its_place_in_the_image_agree(mode, size):
    spec = DecodeSpec((32, 32), mode, None, False, "uint8")
    to = frame(size, spec)
    rng = np.random.default_rng(0)
    for _ in range(20):
        column, row = rng.integers(to.left, to.left + to.size[0]), 0
        row = rng.integers(to.top, to.top + to.size[1])
        mask = np.zeros((32, 32), bool)
        mask[row, column] = True
        full = mask_in_file(mask, to, size)
        assert full.shape == (size[1], size[0])
        box = in_file(Region(column, row, 1, 1, 1), to, size)
        rows, columns = np.nonzero(full)
        if len(rows):
            assert abs(columns.min() - box.left) <= 1
            assert abs(columns.max() + 1 - box.left - box.width) <= 1
            assert abs(rows.min() - box.top) <= 1
            assert abs(rows.max() + 1 - box.top - box.height) <= 1


def test_a_region_is_at_least_a_pixel_of_the_file_and_padding_is_left_out():
    small = frame((8, 8), DecodeSpec((64, 64), "stretch", None, False, "uint8"))
    for place in range(64):
        box = in_file(Region(place, place, 1, 1, 1), small, (8, 8))
        assert box.width == box.height == box.area == 1
        assert 0 <= box.left < 8
    padded = frame((400, 2), DecodeSpec((32, 48), "pad", None, False, "uint8"))
    assert largest_region(np.zeros((32, 48), bool), padded) is None
    region = largest_region(np.ones((32, 48), bool), padded)
    assert region is not None
    box = in_file(region, padded, (400, 2))
    assert box.area <= 800
    outside = np.zeros((32, 48), bool)
    outside[0] = True
    assert largest_region(outside, padded) is None


def test_what_a_crop_removed_is_not_marked():
    to = frame((100, 50), DecodeSpec((20, 20), "crop", None, False, "uint8"))
    full = mask_in_file(np.ones((20, 20), bool), to, (100, 50))
    assert full[:, 25:75].all()
    assert not full[:, :25].any()
    assert not full[:, 75:].any()


def test_padding_is_no_part_of_the_file():
    to = frame((100, 50), DecodeSpec((20, 20), "pad", None, False, "uint8"))
    assert mask_in_file(np.ones((20, 20), bool), to, (100, 50)).all()
    box = in_file(Region(0, 0, 20, 20, 400), to, (100, 50))
    assert (box.left, box.top, box.width, box.height) == (0, 0, 100, 50)

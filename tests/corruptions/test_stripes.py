"""Stripes: as many full lines as are asked for, anywhere, all rows or all columns."""

import numpy as np
import pytest
from scipy import stats

from anomalist.corruptions import Stripes

BLACK = np.zeros((600, 2, 12, 10), np.float32)


@pytest.mark.parametrize("lines", [1, 3, 5])
def test_the_count_of_rows_is_exact(lines):
    masks = Stripes(lines=lines, direction="rows")(BLACK, seed=0).masks
    assert set(masks.sum(axis=2).ravel()) == {0, 10}
    assert set(masks.any(axis=2).sum(axis=1)) == {lines}
    assert stats.chisquare(masks.any(axis=2).sum(axis=0)).pvalue > 0.01


@pytest.mark.parametrize("lines", [1, 3, 5])
def test_the_count_of_columns_is_exact(lines):
    masks = Stripes(lines=lines, direction="columns")(BLACK, seed=0).masks
    assert set(masks.sum(axis=1).ravel()) == {0, 12}
    assert set(masks.any(axis=1).sum(axis=1)) == {lines}
    assert stats.chisquare(masks.any(axis=1).sum(axis=0)).pvalue > 0.01


def test_either_is_all_rows_or_all_columns_half_of_the_time():
    either, rows, columns = (
        Stripes(lines=4, direction=way)(BLACK, seed=0).masks
        for way in ("either", "rows", "columns")
    )
    is_row = (either == rows).all(axis=(1, 2))
    is_column = (either == columns).all(axis=(1, 2))
    assert (is_row ^ is_column).all()
    assert stats.binomtest(int(is_row.sum()), 600, 0.5).pvalue > 0.01
    assert (
        stats.chisquare(either[is_row].any(axis=2).sum(axis=0)).pvalue > 0.01
    )  # the direction favours no line
    assert stats.chisquare(either[is_column].any(axis=1).sum(axis=0)).pvalue > 0.01


@pytest.mark.parametrize(("value", "number"), [("white", 1), ("black", 0)])
def test_a_line_has_its_value_in_all_channels_and_the_rest_is_as_it_was(value, number):
    images = np.random.default_rng(0).uniform(0.1, 0.9, (50, 3, 9, 7)).astype(np.float32)
    result = Stripes(lines=2, value=value)(images, seed=0)
    hit = np.repeat(result.masks[:, None], 3, axis=1)
    assert (result.images[hit] == number).all()
    np.testing.assert_array_equal(result.images[~hit], images[~hit])


@pytest.mark.parametrize(
    ("severity", "lines"), [(0.001, 1), (1 / 14, 1), (0.08, 2), (0.5, 7), (0.95, 14)]
)
def test_the_lines_are_the_severity_of_the_most_rounded_up(severity, lines):
    assert Stripes(severity=severity).strength((28, 30)) == lines


def test_severity_one_covers_half_of_a_square():
    masks = Stripes(severity=1)(np.zeros((5, 1, 28, 28), np.float32), seed=0).masks
    assert set(masks.sum(axis=(1, 2))) == {14 * 28}


@pytest.mark.parametrize(
    ("shape", "most"), [((28, 28), 14), ((17, 23), 8), ((23, 17), 8), ((3, 3), 1), ((1, 6), 1)]
)
def test_the_most_lines_are_half_the_shorter_side_but_one_at_least(shape, most):
    assert Stripes().to_physical(1.0, shape) == most

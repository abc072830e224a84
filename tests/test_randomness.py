"""Randomness: the published generator, and draws that depend on (seed, purpose, index) alone."""

import random
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from anomalist.core.randomness import _mix, derive, generator, normal, uniform

WORD = 2**64
STEP = 0x9E3779B97F4A7C15


def mix(z):
    """SplitMix64's output function in plain Python integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def scalar_uniform(seed, purpose, index, count):
    """What ``uniform`` documents, one number at a time."""
    start = mix(derive(seed, purpose) ^ mix(index * STEP % WORD))
    words = [mix((start + step * STEP) % WORD) for step in range(1, count // 2 + 2)]
    halves = [half for word in words for half in (word % 2**32, word >> 32)]
    return [(half >> 8) / 2**24 for half in halves[:count]]


def test_the_generator_is_splitmix64():
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # from state 0
    assert [mix(step * STEP % WORD) for step in (1, 2, 3)] == published
    assert _mix(np.arange(1, 4, dtype=np.uint64) * np.uint64(STEP)).tolist() == published


@pytest.mark.parametrize("count", [1, 2, 3, 784])
@pytest.mark.parametrize("seed", [0, -1, 2**70])
def test_uniform_equals_a_scalar_implementation(seed, count):
    index = np.array([0, 1, 7, 59_999, 2**62, -5])
    expected = [scalar_uniform(seed, "test", int(i), count) for i in index]
    np.testing.assert_array_equal(
        uniform(seed, "test", index, count), np.array(expected, np.float32)
    )


def test_the_numbers_behind_every_saved_result_have_not_moved():
    assert derive(0, "weights") == 7388263408636359099
    assert uniform(0, "stripes", np.array([3]), 2).tolist() == [
        [0.3356943726539612, 0.7287083268165588]
    ]
    assert generator(0, "train").permutation(5).tolist() == [4, 3, 2, 0, 1]


def test_uniform_is_uniform():
    draws = uniform(5, "test", np.arange(500), 301)
    assert draws.dtype == np.float32
    assert draws.shape == (500, 301)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 0.01
    assert stats.kstest(draws[:, 0], "uniform").pvalue > 0.01  # across images
    assert stats.kstest(draws[0], "uniform").pvalue > 0.01  # within one
    scaled = draws.astype(np.float64) * 2**24
    np.testing.assert_array_equal(scaled, np.round(scaled))
    assert (scaled % 2 == 1).mean() == pytest.approx(
        0.5, abs=0.01
    )  # down to the last of the 24 bits


def test_normal_is_standard_normal():
    draws = normal(5, "test", np.arange(500), 301)
    assert draws.dtype == np.float32
    assert draws.shape == (500, 301)
    assert stats.kstest(draws.ravel().astype(np.float64), "norm").pvalue > 0.01
    assert abs(draws).max() < 5.8
    assert abs(draws).max() > 4  # of 150,500 draws about ten are
    half = 151  # cosines, then the sines of the same pairs
    assert abs(np.corrcoef(draws[:, :150].ravel(), draws[:, half:].ravel())[0, 1]) < 0.015


@pytest.mark.parametrize("draw", [uniform, normal])
def test_draws_of_other_images_seeds_and_purposes_are_unrelated(draw):
    streams = [
        draw(seed, purpose, np.array([index]), 4000)[0]
        for seed, purpose, index in [
            (0, "a", 0),
            (1, "a", 0),
            (-1, "a", 0),
            (2**40, "a", 0),
            (0, "b", 0),
            (0, "a/0", 0),
            (0, "a", 1),
            (0, "a", 2),
            (0, "a", -1),
            (0, "a", 2**40),
            (1, "a", 1),
            (10, "a", 0),
        ]
    ]
    for one, two in combinations(streams, 2):
        assert abs(np.corrcoef(one, two)[0, 1]) < 4.5 / np.sqrt(4000)
        assert abs(np.corrcoef(one[1:], two[:-1])[0, 1]) < 4.5 / np.sqrt(4000)  # nor one step apart


def test_neighbours_within_a_stream_are_unrelated():
    draws = uniform(0, "test", np.arange(100), 2001)
    for lag in (1, 2, 3, 28):
        assert abs(np.corrcoef(draws[:, lag:].ravel(), draws[:, :-lag].ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("draw", [uniform, normal])
def test_an_image_has_its_draws_whatever_it_is_drawn_with(draw):
    index = np.arange(400)
    whole = draw(1, "test", index, 785)  # more numbers than one block holds
    order = np.random.default_rng(0).permutation(400)
    np.testing.assert_array_equal(draw(1, "test", order, 785), whole[order])
    for i in (0, 1, 82, 83, 399):
        np.testing.assert_array_equal(draw(1, "test", index[i : i + 1], 785)[0], whole[i])
    np.testing.assert_array_equal(draw(1, "test", np.array([7, 7]), 785), whole[[7, 7]])


def test_fewer_uniform_numbers_are_the_first_ones():
    many = uniform(1, "test", np.arange(50), 1000)
    for count in (1, 2, 3, 999):
        np.testing.assert_array_equal(uniform(1, "test", np.arange(50), count), many[:, :count])


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_small_shapes(draw, images, count):
    assert draw(0, "test", np.arange(images), count).shape == (images, count)


def test_the_kind_of_integer_does_not_matter():
    for seed in (3, np.int64(3), np.uint8(3)):
        for dtype in (np.int32, np.int64, np.uint64):
            drawn = uniform(seed, "test", np.array([9], dtype), 2)
            np.testing.assert_array_equal(drawn, uniform(3, "test", np.array([9]), 2))


def test_derived_seeds_fit_other_libraries_and_differ():
    seeds = [derive(seed, purpose) for seed in (-1, 0, 1, 2**80) for purpose in ("a", "b", "")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_start_afresh_each_time_and_differ_by_purpose():
    one, again, other = (generator(4, purpose).random(5) for purpose in ("a", "a", "b"))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_no_global_state_is_read_or_changed():
    outcomes = []
    for state in (1, 2):
        np.random.seed(state)
        random.seed(state)
        before = np.random.get_state()[1].tolist(), random.getstate()
        index = np.arange(3)
        outcomes.append(
            (uniform(0, "t", index, 5), normal(0, "t", index, 5), generator(0, "t").random(5))
        )
        assert (np.random.get_state()[1].tolist(), random.getstate()) == before
    for one, two in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(one, two)

"""Paired comparisons: SciPy's test, honest at the edges; Holm's procedure by its own definition."""

import numpy as np
import pytest
from scipy import stats

from anomalist.errors import InputError
from anomalist.metrics.comparison import holm, paired

RNG = np.random.default_rng(0)


def test_it_is_the_paired_t_test():
    first, second = RNG.normal(0.8, 0.02, 10), RNG.normal(0.82, 0.02, 10)
    found = paired(first, second)
    d = second - first
    assert found.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    half = stats.t.ppf(0.975, 9) * d.std(ddof=1) / np.sqrt(10)
    assert (found.difference, found.low, found.high) == pytest.approx((d.mean(), d.mean() - half, d.mean() + half))
    assert found.effect == pytest.approx(d.mean() / d.std(ddof=1))
    assert found.n == 10


def test_pairing_finds_what_seeds_alone_would_hide():
    seeds = RNG.normal(0.8, 0.1, 10)
    other = seeds + 0.01 + RNG.normal(0, 0.001, 10)
    assert paired(seeds, other).p < 1e-6 < 0.1 < stats.ttest_ind(seeds, other).pvalue


def test_equal_settings_differ_in_nothing():
    assert paired([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == (0.0, 0.0, 0.0, 0.0, 1.0, 3)


def test_a_constant_difference_has_no_scale():
    found = paired([0.5, 0.625, 0.75], [0.75, 0.875, 1.0])
    assert found == (0.25, 0.25, 0.25, None, 0.0, 3)


@pytest.mark.parametrize("pair", [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, np.nan], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_what_cannot_be_compared_is_refused(pair):
    with pytest.raises(InputError, match="paired comparison"):
        paired(*pair)


def test_no_difference_is_found_as_often_as_promised():
    false = np.mean([paired(RNG.normal(size=10), RNG.normal(size=10)).p < 0.05 for _ in range(2_000)])
    assert false == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2_000))


def brute_holm(p):
    """The least level at which the step-down procedure rejects each hypothesis."""
    order, m = np.argsort(p), len(p)
    found = np.ones(m)
    for place, which in enumerate(order):
        found[which] = min(1, max((m - k) * p[order[k]] for k in range(place + 1)))
    return found


@pytest.mark.parametrize("m", [1, 2, 5, 30])
def test_holm_by_its_definition(m):
    for _ in range(50):
        p = np.round(RNG.random(m) ** 3, 2)  # with ties
        np.testing.assert_allclose(holm(p), brute_holm(p))


def test_holm_keeps_the_chance_of_any_false_finding():
    draws = RNG.random((4_000, 6))
    assert np.mean([(holm(p) < 0.05).any() for p in draws]) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("p", [[1.5], [-0.1], [np.nan], [[0.5]]])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(InputError, match="p-values"):
        holm(p)

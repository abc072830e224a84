"""Ranking: published tables and examples, and what must hold of any values."""

import time
from itertools import product

import numpy as np
import pytest
from scipy import stats

from anomalist.metrics.ranking import cliques, nemenyi_distance, rank, wilcoxon_p, wins
from refusals import refused

# Demsar (2006), table 6: AUC of four classifiers (C4.5, +m, +cf, +m+cf) on 14 data sets. The 0.9751
# is printed there as
# 0.975, but ranked above the other 0.975.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def counted(differences, unit):
    """Return Wilcoxon's two-sided p-value by counting sign patterns; differences are multiples of
    ``unit``."""
    whole = np.round(differences / unit)
    ranks = stats.rankdata(np.abs(whole))
    used = ranks[whole != 0]
    upper = ranks[whole > 0].sum()
    rarer = min(upper, used.sum() - upper)
    signs = np.array(list(product([0, 1], repeat=len(used))))
    return min(1.0, 2 * np.mean(signs @ used <= rarer + 1e-9))


def test_demsars_example():
    found = rank(DEMSAR)
    np.testing.assert_allclose(found.ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert found.statistic == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).statistic)
    assert found.distance == pytest.approx(
        1.25, abs=5e-3
    )  # his text: 2.569 sqrt(4 5 / (6 14)) = 1.25
    assert nemenyi_distance(4, 14, 0.10) == pytest.approx(1.12, abs=5e-3)


@pytest.mark.parametrize(
    ("k", "q"),
    list(enumerate((1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164), start=2)),
)
def test_the_critical_values_of_demsars_table_5(k, q):
    assert nemenyi_distance(k, 1) == pytest.approx(q * (k * (k + 1) / 6) ** 0.5, abs=2e-3 * k)


def test_pairs_are_wilcoxons_with_holms_correction():
    found = rank(DEMSAR)
    pairs = [(one, two) for one in range(4) for two in range(one + 1, 4)]
    raw = [counted(DEMSAR[:, one] - DEMSAR[:, two], 1e-4) for one, two in pairs]
    smallest = pairs[int(np.argmin(raw))]
    assert found.pairs[smallest] == found.pairs[smallest[::-1]] == pytest.approx(6 * min(raw))
    assert found.pairs[pairs[int(np.argmax(raw))]] >= max(raw)
    assert (np.diag(found.pairs) == 1).all()


def test_a_detector_that_always_wins_and_one_that_is_never_told_apart():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.6, 0.8, 12)
    values = np.stack([base + 0.1, base, base + rng.normal(0, 0.001, 12)], axis=1)
    found = rank(values)
    assert found.ranks[0] == 1
    assert found.p < 0.001
    assert found.pairs[0, 1] < 0.05 < found.pairs[1, 2]
    assert cliques(found.ranks, found.pairs >= 0.05) == [
        tuple(1 + np.argsort(found.ranks[1:], kind="stable"))
    ]


def test_equal_detectors_share_ranks_and_differ_in_nothing():
    found = rank(np.tile([[0.5, 0.5, 0.5 + 1e-15]], (7, 1)))
    np.testing.assert_array_equal(found.ranks, [2, 2, 2])
    assert (found.statistic, found.p) == (0.0, 1.0)
    assert (found.pairs == 1).all()


def test_two_detectors_have_no_friedman_test():
    found = rank([[0.9, 0.8], [0.7, 0.6], [0.9, 0.7]])
    assert (found.statistic, found.p) == (None, None)
    assert found.pairs[0, 1] == 0.25 == found.least  # three data sets can give no less


def test_cliques_are_runs_of_neighbours_none_within_another():
    ranks = [1.0, 2.0, 3.0, 4.0]
    alike = np.eye(4, dtype=bool)
    for one, two in ((0, 1), (1, 2), (2, 3), (1, 3)):
        alike[one, two] = alike[two, one] = True
    assert cliques(ranks, alike) == [(0, 1), (1, 2, 3)]
    assert cliques(ranks, np.eye(4, dtype=bool)) == []
    assert cliques(ranks[::-1], np.ones((4, 4), bool)) == [(3, 2, 1, 0)]


def test_wins_are_counted_and_ties_are_not():
    np.testing.assert_array_equal(
        wins([[0.9, 0.8], [0.7, 0.7], [0.6, 0.9], [0.8, 0.7]]), [[0, 2], [1, 0]]
    )


@pytest.mark.parametrize(
    "values", [[[1.0, 2.0]], [[1.0], [2.0]], [1.0, 2.0], [[1.0, np.nan], [1.0, 2.0]]]
)
def test_what_cannot_be_ranked_is_refused(values):
    with refused("a ranking needs finite values [N, k]"):
        rank(values)
    with refused("a critical difference needs"):
        nemenyi_distance(1, 5)


@pytest.mark.parametrize("scale", [1e-3, 0.01, 1.0, 1e4])
def test_equal_differences_tie_however_their_floats_are_rounded(scale):
    values = scale * np.array(
        [[70, 68], [79, 80], [58, 57], [71, 70], [72, 70], [97, 96], [60, 59]]
    )
    assert rank(values).pairs[0, 1] == pytest.approx(0.09375)


def test_wilcoxon_with_ties_and_zeros_is_the_count_of_all_sign_patterns():
    rng = np.random.default_rng(0)
    for _ in range(60):
        differences = rng.integers(-4, 5, rng.integers(1, 10)) / 100
        assert wilcoxon_p(differences) == pytest.approx(counted(differences, 0.01))


@pytest.mark.parametrize("n", [30, 45])
def test_wilcoxon_is_exact_beyond_thirty(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    assert wilcoxon_p(differences) == pytest.approx(
        stats.wilcoxon(differences, method="exact").pvalue
    )


def test_wilcoxon_refuses_what_is_no_difference():
    for wrong in ([], [0.1, np.nan], [[0.1]]):
        with refused("finite differences"):
            wilcoxon_p(wrong)
    assert wilcoxon_p([0.0, 0.0]) == 1


def test_ranking_takes_no_longer_where_all_agree_on_a_data_set():
    values = np.random.default_rng(0).random((13, 7))
    values[0] = 1.0
    rank(values)  # SciPy's own set-up
    start = time.perf_counter()
    rank(values)
    assert time.perf_counter() - start < 2

"""Paired comparisons: SciPy's test, honest at the edges; Holm's procedure by its own definition; sober sentences."""

import json

import numpy as np
import pytest
from scipy import stats

from anomalist.errors import InputError
from anomalist.metrics.comparison import (
    Comparison,
    compare_to_reference,
    describe,
    holm,
    mean_interval,
    paired,
    trend,
    verdict,
)

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
    assert paired([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == (0.0, 0.0, 0.0, 0.0, 1.0, 3, None)


def test_a_constant_difference_has_no_scale():
    found = paired([0.5, 0.625, 0.75], [0.75, 0.875, 1.0])
    assert found == (0.25, 0.25, 0.25, None, 0.0, 3, None)


def test_rounding_is_no_difference():
    found = paired([0.1 + 0.2] * 3, [0.3] * 3)
    assert found.difference != 0
    assert (found.p, found.effect) == (1.0, 0.0)


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


def test_the_mean_has_students_interval():
    values = RNG.normal(0.8, 0.02, 10)
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval(values, 0.9) == pytest.approx((values.mean(), interval.low, interval.high, 10))
    assert mean_interval([0.75, 0.75]) == (0.75, 0.75, 0.75, 2)


def test_one_seed_shows_no_spread():
    assert mean_interval([0.75]) == (0.75, None, None, 1)
    assert json.loads(json.dumps(mean_interval([0.75]))) == [0.75, None, None, 1]


@pytest.mark.parametrize("values", [[], [np.nan, 1.0], [np.inf], [[1.0, 2.0]]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(InputError, match="mean over seeds"):
        mean_interval(values)


@pytest.mark.parametrize("confidence", [0, 1, 95, np.nan])
def test_a_confidence_is_a_fraction(confidence):
    for refused in (
        lambda: mean_interval([1.0, 2.0], confidence),
        lambda: paired([1.0, 2.0], [1.0, 3.0], confidence),
        lambda: trend([1, 2], [[1, 2], [1, 3]], confidence),
    ):
        with pytest.raises(InputError, match="confidence"):
            refused()


def test_a_family_is_compared_with_its_reference_and_corrected():
    base = RNG.normal(0.8, 0.05, 10)
    groups = {4: base - 0.01 + RNG.normal(0, 0.005, 10), 32: base, 128: base + RNG.normal(0, 0.005, 10), 2: base}
    found = compare_to_reference(groups, 32)
    assert list(found) == [4, 128, 2]
    for label, one in found.items():
        assert one[:6] == paired(base, groups[label])[:6]
    assert [one.p_holm for one in found.values()] == list(holm([one.p for one in found.values()]))
    assert compare_to_reference({"alone": base}, "alone") == {}
    with pytest.raises(InputError, match="reference 64"):
        compare_to_reference(groups, 64)


def test_a_trend_is_the_t_test_of_each_seeds_slope():
    levels = np.log2([2, 4, 8, 16, 32])
    values = RNG.normal(0, 0.3, (10, 1)) + 0.02 * levels + RNG.normal(0, 0.02, (10, 5))
    found = trend(levels, values)
    slopes = [stats.linregress(levels, row).slope for row in values]
    test = stats.ttest_1samp(slopes, 0)
    low, high = test.confidence_interval()
    expected = (np.mean(slopes), low, high, np.mean(slopes) / np.std(slopes, ddof=1), test.pvalue, 10)
    assert found[:6] == pytest.approx(expected)
    assert found.rank_correlation == pytest.approx(np.mean([stats.kendalltau(levels, row)[0] for row in values]))


def test_a_trend_of_constant_saturated_or_bent_courses():
    flat = trend([1, 2, 3], np.ones((4, 3)))
    assert (flat.slope, flat.p, flat.rank_correlation) == (0.0, 1.0, 0.0)
    tied = trend([1, 2, 3], [[0.9, 1.0, 1.0], [0.8, 1.0, 1.0], [0.95, 0.99, 1.0]])
    assert 0.8 < tied.rank_correlation < 1
    bent = trend([1, 2, 3, 4, 5], np.array([0.5, 0.9, 0.8, 0.7, 0.6]) + RNG.normal(0, 0.001, (5, 5)))
    assert bent.rank_correlation == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("levels", "values"),
    [([1, 2], [[1, 2]]), ([1, 1], [[1, 2], [1, 2]]), ([1, 2, 3], [[1, 2], [1, 2]]), ([1, 2], [[1, np.nan], [1, 2]])],
)
def test_what_has_no_trend_is_refused(levels, values):
    with pytest.raises(InputError, match="trend takes"):
        trend(levels, values)


LOWER = Comparison(-0.012, -0.015, -0.009, -2.9, 0.0001, 10, 0.0003)


@pytest.mark.parametrize(
    ("found", "greater", "less"),
    [
        (LOWER, "contradicted", "supported"),
        (LOWER._replace(difference=0.012), "supported", "contradicted"),
        (LOWER._replace(p_holm=0.05), "open", "open"),  # though p itself is 0.0001
        (LOWER._replace(p_holm=None), "contradicted", "supported"),
        (paired([1.0, 1.0], [1.0, 1.0]), "open", "open"),
        (paired(np.zeros(5), np.ones(5)), "open", "open"),  # five seeds alike: the sign test's p is 0.06
        (paired(np.zeros(6), np.ones(6)), "supported", "contradicted"),
        (trend([1, 2, 3], np.arange(3) + RNG.normal(0, 0.01, (5, 3))), "supported", "contradicted"),
    ],
)
def test_a_verdict_follows_p_and_the_sign(found, greater, less):
    assert (verdict(found, "greater"), verdict(found, "less")) == (greater, less)


@pytest.mark.parametrize(("claim", "alpha"), [("higher", 0.05), ("less", 0), ("less", 1), ("less", np.nan)])
def test_an_unclear_claim_is_refused(claim, alpha):
    with pytest.raises(InputError, match="verdict"):
        verdict(LOWER, claim, alpha)


def test_verdicts_on_nothing_are_as_rare_as_promised_and_fall_both_ways():
    """Six settings that equal the reference: any verdict but open, anywhere in the family, is a false one."""
    families = RNG.normal(size=(1_000, 7, 10))
    false = {"supported": 0, "contradicted": 0}
    for family in families:
        found = compare_to_reference(dict(enumerate(family)), 0)
        for says in {verdict(one, "greater") for one in found.values()} - {"open"}:
            false[says] += 1
    assert 5 < false["supported"] < 50  # the seven share a reference, so that Holm's 5 % is not used up
    assert 5 < false["contradicted"] < 50
    assert sum(false.values()) / 1_000 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1_000)


def test_a_real_difference_is_seen():
    base = RNG.normal(0.8, 0.05, (200, 10))
    other = base - 0.01 + RNG.normal(0, 0.005, (200, 10))
    says = [verdict(paired(*pair), "greater") for pair in zip(base, other, strict=True)]
    assert says.count("contradicted") > 190
    assert "supported" not in says


def test_a_sentence_says_what_was_found_and_what_it_makes_of_the_claim():
    words = ("bottleneck 4 against 32 on stripes", "AUROC", "greater", "smaller bottlenecks are more sensitive")
    assert describe(LOWER, *words) == (
        "bottleneck 4 against 32 on stripes: AUROC lower by 0.0120 [0.0090, 0.0150], p = 0.0003 (Holm): "
        "the data contradict 'smaller bottlenecks are more sensitive'"
    )
    unclear = Comparison(0.003, -0.014, 0.02, 0.1, 0.41, 10)
    assert describe(unclear, *words).endswith("AUROC differs by +0.003 [-0.014, +0.020], p = 0.41: the data leave open "
                                              "'smaller bottlenecks are more sensitive'")  # fmt: skip
    assert "higher by 0.012" in describe(Comparison(0.012, 0.002, 0.022, 2.9, 0.00001, 10, 0.00006), *words)
    assert "p < 0.0001 (Holm): the data support" in describe(Comparison(0.1, 0.0, 0.2, 2, 0.0, 10, 0.00006), *words)


def test_a_sentence_hides_neither_a_small_effect_nor_the_side_of_alpha():
    tiny = describe(Comparison(0.00002, 0.00001, 0.00003, 2.0, 0.0499999, 10), "a against b", "AUROC", "less", "b < a")
    assert "higher by 0.000020 [0.000010, 0.000030], p = 0.0499999: the data contradict" in tiny


def test_a_sentence_on_seeds_that_are_all_alike_and_on_a_trend():
    alike = describe(paired(np.zeros(3), np.ones(3)), "a against b", "AUROC", "greater", "b is better")
    assert alike == (
        "a against b: AUROC differs by +1.000 [+1.000, +1.000], p = 0.25 (sign test, all 3 seeds alike): "
        "the data leave open 'b is better'"
    )
    same = describe(paired([0.5, 0.7], [0.5, 0.7]), "a against b", "AUROC", "greater", "b is better")
    assert "differs by +0.000 [+0.000, +0.000], p = 1: the data leave open" in same
    rising = trend([1, 2, 3], 1.5 * np.arange(3) + RNG.normal(0, 0.01, (5, 3)))
    assert "higher by 1." in (said := describe(rising, "severity", "AUROC", "less", "it falls"))
    assert "per unit of level" in said
    assert "contradict" in said

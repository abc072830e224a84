"""Paired comparisons: SciPy's test, honest at the edges; Holm's procedure by its own definition;
sober sentences."""

import json

import numpy as np
import pytest
from scipy import stats

from anomalist.core.errors import InputError
from anomalist.metrics.comparison import Comparison, describe, holm, mean_interval, paired, verdict

RNG = np.random.default_rng(0)


def test_it_is_the_paired_t_test():
    first, second = RNG.normal(0.8, 0.02, 10), RNG.normal(0.82, 0.02, 10)
    found = paired(first, second)
    d = second - first
    assert found.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    half = stats.t.ppf(0.975, 9) * d.std(ddof=1) / np.sqrt(10)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (d.mean(), d.mean() - half, d.mean() + half)
    )
    assert found.effect == pytest.approx(d.mean() / d.std(ddof=1))
    assert found.n == 10


def test_pairing_finds_what_seeds_alone_would_hide():
    seeds = RNG.normal(0.8, 0.1, 10)
    other = seeds + 0.01 + RNG.normal(0, 0.001, 10)
    assert paired(seeds, other).p < 1e-6 < 0.1 < stats.ttest_ind(seeds, other).pvalue


def test_equal_settings_differ_in_nothing():
    assert paired([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == (0.0, 0.0, 0.0, 0.0, 1.0, 3, 0.0, None)


def test_a_constant_difference_has_no_scale():
    found = paired([0.5, 0.625, 0.75], [0.75, 0.875, 1.0])
    assert found == (0.25, 0.25, 0.25, None, 0.0, 3, 0.0, None)


def test_rounding_is_no_difference():
    found = paired([0.1 + 0.2] * 3, [0.3] * 3)
    assert found.difference != 0
    assert (found.p, found.effect) == (1.0, 0.0)


@pytest.mark.parametrize(
    "pair", [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, np.nan], [1.0, 2.0]), ([[1.0]], [[1.0]])]
)
def test_what_cannot_be_compared_is_refused(pair):
    with pytest.raises(InputError, match="paired comparison"):
        paired(*pair)


def test_no_difference_is_found_as_often_as_promised():
    false = np.mean(
        [paired(RNG.normal(size=10), RNG.normal(size=10)).p < 0.05 for _ in range(2_000)]
    )
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
    assert mean_interval(values, 0.9) == pytest.approx(
        (values.mean(), interval.low, interval.high, 10)
    )
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
    ):
        with pytest.raises(InputError, match="confidence"):
            refused()


def test_a_margin_asks_whether_a_change_is_large_enough_to_matter():
    base = RNG.normal(0.8, 0.05, 10)
    slightly, clearly = (base - loss + RNG.normal(0, 0.002, 10) for loss in (0.004, 0.02))
    for other, says in ((slightly, "supported"), (clearly, "contradicted"), (base - 0.01, "open")):
        found = paired(base, other, null=-0.01)
        assert verdict(found, "greater") == says
        assert (
            found[:4] == paired(base, other)[:4]
        )  # the difference and its interval are as they were
    found = paired(base, slightly, null=-0.01)
    assert found.p == pytest.approx(stats.ttest_1samp(slightly - base, -0.01).pvalue)
    assert " differs by -0.00" in describe(found, "5 % against 0", "AUROC")
    assert describe(found, "5 % against 0", "AUROC").endswith("against -0.01")


LOWER = Comparison(-0.012, -0.015, -0.009, -2.9, 0.0001, 10, 0.0, 0.0003)


@pytest.mark.parametrize(
    ("found", "greater", "less"),
    [
        (LOWER, "contradicted", "supported"),
        (LOWER._replace(difference=0.012), "supported", "contradicted"),
        (LOWER._replace(p_holm=0.05), "open", "open"),  # though p itself is 0.0001
        (LOWER._replace(p_holm=None), "contradicted", "supported"),
        (paired([1.0, 1.0], [1.0, 1.0]), "open", "open"),
        (
            paired(np.zeros(5), np.ones(5)),
            "open",
            "open",
        ),  # five seeds alike: the sign test's p is 0.06
        (paired(np.zeros(6), np.ones(6)), "supported", "contradicted"),
    ],
)
def test_a_verdict_follows_p_and_the_sign(found, greater, less):
    assert (verdict(found, "greater"), verdict(found, "less")) == (greater, less)


@pytest.mark.parametrize(
    ("claim", "alpha"), [("higher", 0.05), ("less", 0), ("less", 1), ("less", np.nan)]
)
def test_an_unclear_claim_is_refused(claim, alpha):
    with pytest.raises(InputError, match="verdict"):
        verdict(LOWER, claim, alpha)


def test_verdicts_on_nothing_are_as_rare_as_promised_and_fall_both_ways():
    says = [verdict(paired(*RNG.normal(size=(2, 10))), "greater") for _ in range(3_000)]
    for one in ("supported", "contradicted"):
        assert says.count(one) / 3_000 == pytest.approx(
            0.025, abs=4 * np.sqrt(0.025 * 0.975 / 3_000)
        )


def test_a_real_difference_is_seen():
    base = RNG.normal(0.8, 0.05, (200, 10))
    other = base - 0.01 + RNG.normal(0, 0.005, (200, 10))
    says = [verdict(paired(*pair), "greater") for pair in zip(base, other, strict=True)]
    assert says.count("contradicted") > 190
    assert "supported" not in says


def test_a_sentence_says_what_was_found():
    words = ("bottleneck 4 against 32 on stripes", "AUROC")
    assert describe(LOWER, *words) == (
        "bottleneck 4 against 32 on stripes: AUROC lower by 0.0120 [0.0090, 0.0150], d = -2.9, p = "
        "0.0003 (Holm)"
    )
    unclear = Comparison(0.003, -0.014, 0.02, 0.1, 0.41, 10)
    assert describe(unclear, *words).endswith(
        "AUROC differs by +0.003 [-0.014, +0.020], d = +0.1, p = 0.41"
    )
    assert "higher by 0.012" in describe(
        Comparison(0.012, 0.002, 0.022, 2.9, 0.00001, 10, 0.0, 0.00006), *words
    )
    assert "p < 0.0001 (Holm)" in describe(
        Comparison(0.1, 0.0, 0.2, 2, 0.0, 10, 0.0, 0.00006), *words
    )


def test_a_sentence_hides_neither_a_small_effect_nor_the_side_of_alpha():
    tiny = describe(
        Comparison(0.00002, 0.00001, 0.00003, 2.0, 0.0499999, 10), "a against b", "AUROC"
    )
    assert "higher by 0.000020 [0.000010, 0.000030], d = +2.0, p = 0.0499999" in tiny


def test_a_sentence_on_seeds_that_are_all_alike():
    alike = describe(paired(np.zeros(3), np.ones(3)), "a against b", "AUROC")
    assert (
        alike
        == "a against b: AUROC differs by +1.000 [+1.000, +1.000], p = 0.25 (sign test, all 3 "
        "seeds alike)"
    )
    same = describe(paired([0.5, 0.7], [0.5, 0.7]), "a against b", "AUROC")
    assert same.endswith("differs by +0.000 [+0.000, +0.000], d = +0.0, p = 1")

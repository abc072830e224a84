"""The intervals: DeLong's published estimator, clusters, determinism, and the edges of the
range."""

import time

import numpy as np
import pytest
from sklearn import metrics as reference

from anomalist.core.errors import InputError
from anomalist.metrics import (
    Estimate,
    auroc,
    auroc_interval,
    average_precision,
    best_f1,
    detection_intervals,
    fpr_at_tpr,
    intervals,
    roc_band,
)
from anomalist.metrics._bootstrap import (
    bootstrap_estimate,
    cluster_counts,
    score_estimate,
    spread_of,
)
from anomalist.metrics.intervals import clustered_delong
from refusals import refused


def pairs(n=100, shift=1.0, rho=0.8, levels=None, seed=0):
    """n clean images and their corrupted twins, with scores that correlate by ``rho``."""
    rng = np.random.default_rng(seed)
    clean, own = rng.standard_normal((2, n))
    corrupted = rho * clean + np.sqrt(1 - rho**2) * own + shift
    scores = np.r_[corrupted, clean]
    if levels:
        scores = np.round(scores * levels)
    return scores, np.repeat([1, 0], n), np.tile(np.arange(n), 2)


def width(estimate):
    return estimate.high - estimate.low


def test_an_estimate_reads_as_its_numbers():
    assert str(Estimate(0.9671, 0.9651, 0.9689, 10)) == "0.967 [0.965, 0.969]"


@pytest.mark.parametrize("levels", [None, 2])
def test_delong_against_all_pairs(levels):
    """DeLong's variance from the full matrix of comparisons, with no clusters and with pairs
    (Obuchowski)."""
    scores, labels, clusters = pairs(40, levels=levels)
    positive, negative = scores[:40, None], scores[None, 40:]
    wins = (positive > negative) + (positive == negative) / 2
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    s10, s01 = v10.var(ddof=1), v01.var(ddof=1)
    truth = labels == 1
    area, variance = clustered_delong(scores, truth, np.arange(80), 80)
    assert area == pytest.approx(wins.mean())
    assert variance == pytest.approx(s10 / 40 + s01 / 40)
    area, variance = clustered_delong(scores, truth, clusters, 40)
    assert area == pytest.approx(wins.mean())
    assert variance == pytest.approx(s10 / 40 + s01 / 40 + 2 * np.cov(v10, v01)[0, 1] / 40)


def test_clusters_matter_both_ways():
    """A twin that moves along narrows the interval; copies that are counted as new images narrow
    it wrongly."""
    scores, labels, clusters = pairs()
    paired = auroc_interval(scores, labels, clusters)
    plain = auroc_interval(scores, labels)
    assert width(plain) > 1.3 * width(paired)
    assert (plain.n, paired.n) == (200, 100)
    copies = auroc_interval(np.tile(scores, 5), np.tile(labels, 5), np.tile(clusters, 5))
    assert width(copies) == pytest.approx(width(paired), rel=1e-6)
    assert width(auroc_interval(np.tile(scores, 5), np.tile(labels, 5))) < 0.6 * width(plain)


@pytest.mark.parametrize("names", ["text", "numbers"])
def test_any_cluster_names_will_do(names):
    scores, labels, clusters = pairs(30)
    other = np.array([f"image {c}" for c in clusters]) if names == "text" else clusters * -7 + 3
    got, expected = auroc_interval(scores, labels, other), auroc_interval(scores, labels, clusters)
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 100, 10000])
@pytest.mark.parametrize("paired", [True, False])
def test_perfect_separation_is_not_certainty(n, paired):
    scores, labels, clusters = pairs(n, shift=100)
    for sign, value in [(1, 1.0), (-1, 0.0)]:
        estimate = auroc_interval(sign * scores, labels, clusters if paired else None)
        assert estimate.value == value
        assert 0 <= estimate.low <= value <= estimate.high <= 1
        assert 0.5 / n < width(estimate) <= min(1, 10 / n)


def test_reversed_scores_mirror_the_interval():
    scores, labels, _ = pairs(50)
    right, wrong = (
        auroc_interval(sign * scores[:60], labels[:60]) for sign in (1, -1)
    )  # 50 against 10
    assert (1 - wrong.high, 1 - wrong.low) == pytest.approx((right.low, right.high), abs=1e-9)


def test_more_confidence_and_fewer_images_widen():
    scores, labels, clusters = pairs(400)
    usual = auroc_interval(scores, labels, clusters)
    assert width(auroc_interval(scores, labels, clusters, confidence=0.99)) > 1.2 * width(usual)
    few = np.r_[0:100, 400:500]
    assert width(auroc_interval(scores[few], labels[few], clusters[few])) > 1.5 * width(usual)


def test_bootstrap_estimate_is_the_bias_corrected_normal_interval():
    """By hand, with numbers so close together that the transform is as good as linear."""
    draws = 0.5 + 1e-4 * np.array([1, 2, 3, np.nan])
    got = bootstrap_estimate(0.5, draws, 0.95, 10, 10**6)
    spread = 1.96 * np.std([1, 2, 3])
    assert got.low == pytest.approx(0.5 - 1e-4 * (2 + spread), abs=1e-7)
    assert got.high == 0.5  # not 0.5 - 1e-4 * (2 - spread): the value stays inside
    no_bias = bootstrap_estimate(0.5, 0.5 + 1e-4 * np.array([-1, 0, 1]), 0.95, 10, 10**6)
    assert no_bias[1:3] == pytest.approx((0.5 - 1e-4 * spread, 0.5 + 1e-4 * spread), abs=1e-7)


@pytest.mark.parametrize("levels", [None, 2])
def test_bootstrap_equals_resampling_the_arrays(levels):
    """The same draws with scores and labels repeated: weights in a sorted order are a short cut,
    no more."""
    scores, labels, clusters = pairs(60, levels=levels)
    got = detection_intervals(scores, labels, clusters, seed=3, resamples=100)
    draws = []
    for counts in np.concatenate(list(cluster_counts(3, 60, 100, 120))).astype(int):
        drawn = np.repeat(np.arange(120), counts[clusters])
        some = scores[drawn], labels[drawn]
        draws.append([average_precision(*some), fpr_at_tpr(*some), best_f1(*some)])
    values = average_precision(scores, labels), fpr_at_tpr(scores, labels), best_f1(scores, labels)
    names = ["average_precision", "fpr95", "best_f1"]
    assert list(got) == ["auroc", *names]
    assert got["auroc"] == auroc_interval(scores, labels, clusters)
    assert got["auroc"].value == pytest.approx(auroc(scores, labels))
    for name, value, column in zip(names, values, np.transpose(draws), strict=True):
        expected = bootstrap_estimate(value, column, 0.95, 60, 60)
        if name == "fpr95":
            expected = score_estimate(value, spread_of(column, 60), 0.95, 60, (60, 60))
        assert got[name] == pytest.approx(expected, abs=1e-5)


def test_chunks_do_not_change_the_draws(monkeypatch):
    scores, labels, clusters = pairs(50)
    whole = detection_intervals(scores, labels, clusters)
    monkeypatch.setattr("anomalist.metrics._bootstrap.CHUNK", 700)
    assert detection_intervals(scores, labels, clusters) == whole


def test_intervals_depend_on_the_seed_alone():
    scores, labels, clusters = pairs(50)
    first = detection_intervals(scores, labels, clusters, seed=1)
    np.random.seed(5)  # the global state must not matter
    assert detection_intervals(scores, labels, clusters, seed=1) == first
    assert detection_intervals(scores, labels, clusters, seed=2) != first


def test_perfect_scores_leave_doubt_in_every_metric():
    scores, labels, clusters = pairs(20, shift=100)
    got = detection_intervals(scores, labels, clusters)
    assert all(width(estimate) > 0.05 for estimate in got.values())
    assert got["fpr95"].value == 0
    assert got["best_f1"].value == 1


def test_two_images_give_an_interval_and_no_warning():
    for estimate in detection_intervals([0.0, 1.0], [0, 1]).values():
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert width(estimate) > 0.5


def test_the_band_holds_the_curve():
    scores, labels, clusters = pairs(200)
    grid, low, high = roc_band(scores, labels, clusters, seed=1)
    fpr, tpr, _ = reference.roc_curve(labels, scores)
    inside = np.interp(grid, fpr, tpr)
    assert grid.shape == low.shape == high.shape == (101,)
    assert ((low <= inside + 1e-9) & (inside <= high + 1e-9)).all()
    assert (np.diff(low) >= -1e-9).all()
    assert 0.05 < np.mean(high - low) < 0.25
    assert (low[-1], high[-1]) == (1, 1)
    few = roc_band(scores, labels, clusters, grid=[0.1, 0.5], seed=1)
    np.testing.assert_allclose(few[1], low[[10, 50]])


def test_bad_options_are_refused():
    scores, labels, clusters = pairs(10)
    with pytest.raises(InputError, match="clusters"):
        auroc_interval(scores, labels, clusters[:5])
    with pytest.raises(InputError, match="confidence"):
        auroc_interval(scores, labels, confidence=1)
    with pytest.raises(InputError, match="resamples"):
        detection_intervals(scores, labels, resamples=0)
    with pytest.raises(InputError, match="grid"):
        roc_band(scores, labels, grid=[0, 2])
    with pytest.raises(InputError, match="no normal example"):
        detection_intervals(scores, np.ones(20))
    with pytest.raises(InputError, match="more clusters"):
        roc_band([0, 1], [0, 1], resamples=2, seed=4)  # its two resamples hold one image twice


def test_input_is_left_alone():
    given = pairs(30)
    before = [array.copy() for array in given]
    detection_intervals(*given, resamples=20)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.slow
def test_twenty_thousand_images_take_under_a_second():
    given = pairs(10_000)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        detection_intervals(*given)
        times.append(time.perf_counter() - start)
    assert min(times) < 1


@pytest.mark.parametrize(("positives", "negatives"), [(1, 1000), (1000, 1), (1, 1)])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_image_of_a_class_says_nothing_of_its_spread(positives, negatives, place):
    labels = np.repeat([True, False], [positives, negatives])
    scores = np.r_[np.full(positives, place), np.linspace(0, 1, negatives)]
    for estimate in detection_intervals(scores, labels, resamples=20).values():
        assert (estimate.low, estimate.high) == (0, 1)


def test_one_cluster_says_nothing_of_its_spread():
    scores, labels, _ = pairs(50)
    estimate = auroc_interval(scores, labels, np.where(labels, 0, 1 + np.arange(100)))
    assert (estimate.low, estimate.high) == (0, 1)


@pytest.mark.parametrize("paired", [False, True])
def test_constant_scores_have_intervals_with_a_width(paired):
    labels = np.repeat([True, False], 100)
    clusters = np.tile(np.arange(100), 2) if paired else None
    wide = detection_intervals(np.zeros(200), labels, clusters)
    for estimate in wide.values():
        assert estimate.high - estimate.low > 0.015
    assert wide["auroc"].low + wide["auroc"].high == pytest.approx(1)
    more = auroc_interval(np.zeros(2000), np.repeat([True, False], 1000))
    assert 0 < width(more) < width(wide["auroc"]) / 3


def test_fewer_than_twenty_anomalies_leave_the_false_positive_rate_open_above():
    rng = np.random.default_rng(0)
    for positives, is_open in ((19, True), (20, False)):
        scores = np.r_[rng.normal(4, 1, positives), rng.normal(0, 1, 500)]
        estimate = detection_intervals(
            scores, np.repeat([True, False], [positives, 500]), resamples=50
        )["fpr95"]
        assert (estimate.high == 1) == is_open


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_whole_numbers_that_floats_cannot_tell_apart_are_refused(dtype):
    scores = np.array([2**53, 2**53 + 1, 5, 7], dtype=dtype)
    with refused("scores", "2^53"):
        auroc(scores, [0, 1, 0, 1])
    assert auroc(scores - dtype(1), [0, 1, 0, 1]) == 0.75  # the largest is 2^53 itself


@pytest.mark.parametrize("misjudged", [0, 1, 3])
def test_few_thresholds_give_the_intervals_of_all_near_perfect_separation(misjudged, monkeypatch):
    """20,000 scores: the threshold between the classes is always among those that are kept."""
    n = 10_000
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(size=n), rng.normal(30, 1, n)]
    scores[:misjudged] += 30
    arguments = scores, np.arange(2 * n) >= n, np.tile(np.arange(n), 2)
    few = detection_intervals(*arguments, resamples=200)
    monkeypatch.setattr(intervals, "_OTHERS", 2 * n)
    every = detection_intervals(*arguments, resamples=200)
    for name, exact in every.items():
        width = exact.high - exact.low
        assert few[name] == pytest.approx(exact, abs=0.1 * width), name


def test_few_thresholds_give_nearly_the_intervals_of_all(monkeypatch):
    n = 8_000
    rng = np.random.default_rng(1)
    scores = np.r_[rng.normal(size=n), rng.normal(1, 1, n)]
    arguments = scores, np.arange(2 * n) >= n, np.tile(np.arange(n), 2)
    few = detection_intervals(*arguments, resamples=200)
    monkeypatch.setattr(intervals, "_OTHERS", 2 * n)
    for name, exact in detection_intervals(*arguments, resamples=200).items():
        assert few[name] == pytest.approx(exact, abs=0.05 * (exact.high - exact.low)), name

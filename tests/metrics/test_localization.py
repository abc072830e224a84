"""Pixel-level metrics against scikit-learn and against the definitions, written out."""

import importlib.util
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from anomalist.core.errors import InputError
from anomalist.metrics import (
    _histograms,
    _ranks,
    aupro,
    dice,
    iou,
    localization,
    localization_intervals,
    localization_metrics,
    pixel_auroc,
    pixel_average_precision,
)
from anomalist.metrics._bootstrap import cluster_counts, score_estimate, spread_of
from anomalist.metrics._histograms import binned_draws

BENCH = Path(__file__).parents[3] / "shared" / "bench" / "make_maps.py"
RANKING = [pixel_auroc, pixel_average_precision, aupro]
TABLE = {  # AUPRO by brute force in float64 and pixel AUROC, from the bench's README
    "large": (0.5380928216614, 0.8101399687667),
    "small": (0.5365504596794, 0.8139490320284),
    "ties": (0.5341938720790, 0.8086915551065),
}


def draw(n=12, size=9, levels=None, dtype=np.float32, seed=0, largest=3):
    """Noise maps whose odd images hold one to three defects that score higher."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, size, size), dtype=bool)
    for mask in masks[1::2]:
        for _ in range(rng.integers(1, 4)):
            row, column = rng.integers(0, size - largest + 1, 2)
            high, wide = rng.integers(1, largest + 1, 2)
            mask[row : row + high, column : column + wide] = True
    maps = rng.standard_normal((n, size, size)) + rng.standard_normal((n, 1, 1)) / 2 + masks
    if levels:
        maps = np.round(maps * levels)
    return maps.astype(dtype), masks


def regions(masks):
    """The pixels of each 8-connected region of each image, by flood fill."""
    left = set(zip(*(axis.tolist() for axis in np.nonzero(masks)), strict=True))
    while left:
        todo, region = [left.pop()], []
        while todo:
            image, row, column = todo.pop()
            region.append((image, row, column))
            near = {(image, row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            todo += near
        yield tuple(np.array(region).T)


def brute_aupro(maps, masks, limit):
    """The curve through every distinct threshold, cut at the limit, by the trapezoid rule."""
    scores = [maps[region] for region in regions(masks)]
    thresholds = np.unique(maps)[::-1]
    fpr = np.array([0.0, *(np.mean(maps[~masks] >= t) for t in thresholds)])
    pro = np.array([0.0, *(np.mean([np.mean(s >= t) for s in scores]) for t in thresholds)])
    end = int(np.searchsorted(fpr, limit))  # the first point at or past the limit
    if fpr[end] > limit:
        share = (limit - fpr[end - 1]) / (fpr[end] - fpr[end - 1])
        pro[end] = pro[end - 1] + share * (pro[end] - pro[end - 1])
        fpr[end] = limit
    else:
        end = int(np.searchsorted(fpr, limit, side="right")) - 1
    return np.trapezoid(pro[: end + 1], fpr[: end + 1]) / limit


def standard(name):
    if not BENCH.exists():
        pytest.skip(f"no {BENCH.name} beside the repository: the standard sets cannot be made")
    spec = importlib.util.spec_from_file_location("make_maps", BENCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.standard(name)


@pytest.mark.parametrize("levels", [None, 1, 4])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int64])
@pytest.mark.parametrize("stretch", [_ranks.STRETCH, 1, 5])
def test_against_the_definitions(levels, dtype, stretch, monkeypatch):
    """Short stretches split runs of equal scores; all give the same numbers."""
    monkeypatch.setattr(_ranks, "STRETCH", stretch)
    maps, masks = draw(levels=levels, dtype=dtype)
    flat = masks.ravel(), maps.ravel()
    assert pixel_auroc(maps, masks) == pytest.approx(reference.roc_auc_score(*flat), abs=1e-12)
    assert pixel_average_precision(maps, masks) == pytest.approx(
        reference.average_precision_score(*flat)
    )
    for limit in (0.05, 0.3, 1.0):
        value = aupro(maps, masks, limit)
        assert value == pytest.approx(brute_aupro(maps, masks, limit), abs=1e-12)
        assert 0 <= value <= 1
        together = localization_metrics(maps, masks, limit)
        assert together == {
            "pixel_auroc": pixel_auroc(maps, masks),
            "pixel_ap": pixel_average_precision(maps, masks),
            "aupro": value,
        }


@pytest.mark.parametrize("seed", range(20))
def test_aupro_of_hard_little_sets(seed):
    """Images smaller than the sample's stride, heavy ties, and defects that score lower than the
    rest."""
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, rng.integers(2, 9), (3, 3, 4)).astype(np.float32)
    masks = rng.random(maps.shape) < 0.3
    masks[0, 0, :2] = [True, False]
    for limit in (0.05, 0.3, 1.0):
        for sign in (1, -1):
            expected = brute_aupro(sign * maps, masks, limit)
            assert aupro(sign * maps, masks, limit) == pytest.approx(expected, abs=1e-12)


def test_more_images_than_one_block(monkeypatch):
    """1.2 million pixels: regions, counts and histograms go over the seams between blocks."""
    maps, masks = draw(n=300, size=64, levels=2)
    flat = masks.ravel(), maps.ravel()
    assert aupro(maps, masks) == pytest.approx(brute_aupro(maps, masks, 0.3), abs=1e-12)
    assert pixel_auroc(maps, masks) == pytest.approx(reference.roc_auc_score(*flat), abs=1e-12)
    clusters = np.arange(300) % 100
    expected = localization_intervals(maps, masks, clusters=clusters, resamples=20)
    monkeypatch.setattr(_histograms, "BLOCK", 1 << 30)
    assert localization_intervals(maps, masks, clusters=clusters, resamples=20) == expected


@pytest.mark.parametrize("scale", [1e-38, 1e30, 3e38])
def test_far_apart_scores(scale):
    """One score near the end of float32 leaves the order, and so the values, as they are."""
    maps, masks = draw()
    far = maps.copy()
    far.flat[[5, 90]] = [-scale, scale]
    for metric, image in [
        (pixel_auroc, far),
        (aupro, far),
        (pixel_average_precision, far * np.float32(0.9)),
    ]:
        ranks = np.unique(image, return_inverse=True)[1].reshape(maps.shape)
        assert metric(image, masks) == pytest.approx(metric(ranks, masks), abs=1e-12)
    intervals = localization_intervals(far, masks, resamples=50)
    assert intervals["pixel_auroc"].value == pytest.approx(pixel_auroc(far, masks))


def test_regions_join_on_diagonals_but_not_across_images():
    maps = np.zeros((2, 4, 4), dtype=np.float32)
    masks = np.zeros((2, 4, 4), dtype=bool)
    masks[0, [0, 1], [0, 1]] = True  # one region of two pixels, by its corner
    masks[1, 0, 0] = True  # and another in the next image, at the same place
    maps[1, 0, 0] = 1  # found before all else
    maps[0, 2:] = 0.5  # 8 of 29 normal pixels come before the rest
    # The second image's region is half of the overlap; all else is tied with the last normal
    # pixels.
    tail = (1 - 8 / 29) ** 2 / 2 / (1 - 8 / 29)
    assert aupro(maps, masks, 1.0) == pytest.approx(0.5 + 0.5 * tail)
    maps[0, 0, 0] = 1  # half of the diagonal region: a quarter of the overlap
    assert aupro(maps, masks, 1.0) == pytest.approx(0.75 + 0.25 * tail)


def test_perfect_reversed_and_constant_maps():
    _, masks = draw()
    perfect = masks.astype(np.float32)
    assert [metric(perfect, masks) for metric in RANKING] == [1, 1, pytest.approx(1)]
    assert pixel_auroc(-perfect, masks) == 0
    assert aupro(-perfect, masks) == 0
    constant = np.full(masks.shape, 0.1)
    expected = [0.5, masks.mean(), 0.15]
    assert [metric(constant, masks) for metric in RANKING] == pytest.approx(expected)
    assert [metric([[[1.0, 2.0]]], [[[False, True]]]) for metric in RANKING] == pytest.approx(
        [1, 1, 1]
    )


def test_overlaps_against_counting():
    maps, masks = draw()
    flagged = maps > 1
    both, either = np.sum(flagged & masks), np.sum(flagged | masks)
    assert iou(flagged, masks) == pytest.approx(both / either)
    assert dice(flagged, masks) == pytest.approx(2 * both / (flagged.sum() + masks.sum()))
    assert dice(flagged.astype(int), masks) == pytest.approx(
        reference.f1_score(masks.ravel(), flagged.ravel())
    )


@pytest.mark.parametrize("metric", [iou, dice])
def test_overlaps_of_nothing(metric):
    nothing, something = np.zeros((2, 3, 3), dtype=bool), np.ones((2, 3, 3), dtype=bool)
    assert metric(nothing, nothing) == 1
    assert metric(something, nothing) == 0
    assert metric(nothing, something) == 0
    assert metric(something, something) == 1


@pytest.mark.parametrize("metric", [*RANKING, localization_intervals])
def test_bad_input_is_refused_in_one_line(metric):
    maps, masks = draw(n=2)
    broken = maps.copy()
    broken[1, 2, 3] = np.nan
    for given, truth, words in [
        (maps, masks[:1], "same shape"),
        (maps[0], masks[0], r"\[N, H, W\]"),
        (maps[:0], masks[:0], "empty"),
        (broken, masks, "NaN"),
        (maps, np.zeros_like(masks), "no anomalous example"),
        (maps, np.ones_like(masks), "no normal example"),
        (maps, masks + 2, "other than 0 and 1"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            metric(given, truth)
        assert "\n" not in str(caught.value)


def test_bad_options_are_refused():
    maps, masks = draw(n=2)
    with pytest.raises(InputError, match="same shape"):
        iou(masks, masks[:1])
    with pytest.raises(InputError, match="fpr_limit"):
        aupro(maps, masks, 0.0)
    for name, value in [
        ("bins", 4),
        ("resamples", 1),
        ("confidence", 1.0),
        ("fpr_limit", 1.5),
        ("clusters", [0]),
    ]:
        with pytest.raises(InputError, match=name):
            localization_intervals(maps, masks, **{name: value})


def test_layout_does_not_matter_and_input_is_left_alone():
    maps, masks = draw()
    before = maps.copy(), masks.copy()
    turned = maps.transpose(2, 0, 1).copy().transpose(1, 2, 0), np.asfortranarray(masks)
    wide = np.repeat(maps, 2, axis=2)[:, :, ::2], np.repeat(masks, 2, axis=2)[:, :, ::2]
    for metric in RANKING:
        for other in (turned, wide):
            assert metric(*other) == metric(maps, masks)
    expected = localization_intervals(maps, masks, threshold=1.0, resamples=50)
    assert localization_intervals(*turned, threshold=1.0, resamples=50) == expected
    np.testing.assert_array_equal(maps, before[0])
    np.testing.assert_array_equal(masks, before[1])


@pytest.mark.parametrize("levels", [None, 4])
def test_interval_values_are_the_metrics(levels):
    maps, masks = draw(n=40, levels=levels)
    intervals = localization_intervals(maps, masks, threshold=1.0, fpr_limit=0.2)
    expected = {
        "pixel_auroc": pixel_auroc(maps, masks),
        "pixel_ap": pixel_average_precision(maps, masks),
        "aupro": aupro(maps, masks, 0.2),
        "iou": iou(maps > 1.0, masks),
        "dice": dice(maps > 1.0, masks),
    }
    assert {name: estimate.value for name, estimate in intervals.items()} == pytest.approx(
        expected, abs=1e-12
    )
    for estimate in intervals.values():
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 40


@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("bins", [256, 16])
def test_binned_intervals_match_exact_resampling(levels, bins):
    """The docstring's bound: the ends lie within a tenth of the width of those without bins."""
    maps, masks = draw(n=60, levels=levels, largest=8)
    clusters = np.arange(60) // 2
    intervals = localization_intervals(
        maps, masks, clusters=clusters, threshold=1.0, bins=bins, resamples=200
    )
    draws = []
    for counts in np.concatenate(list(cluster_counts(0, 30, 200, 30))).astype(int):
        drawn = np.repeat(np.arange(60), counts[clusters])
        some = maps[drawn], masks[drawn]
        flagged = some[0] > 1.0, some[1]
        draws.append([*(metric(*some) for metric in RANKING), iou(*flagged), dice(*flagged)])
    for (name, estimate), column in zip(intervals.items(), np.transpose(draws), strict=True):
        exact = score_estimate(estimate.value, spread_of(column, 30), 0.95, 30, (30, 30))
        slack = 1e-6 if name in ("iou", "dice") else 0.1 * (exact.high - exact.low)
        assert estimate == pytest.approx(exact, abs=slack), name


@pytest.mark.parametrize(
    ("levels", "bounds"), [(1, [1e-6] * 3), (None, [1 / 64, 0.03, 1 / 64 / 0.3])]
)
def test_binning_error_is_bounded(levels, bounds):
    """None where each bin holds one distinct score, else what the docstring says of 64 bins."""
    maps, masks = draw(n=60, levels=levels, largest=8)
    maps = (
        np.clip(maps, -2, 3) if levels else maps
    )  # a level too rare to be a quantile shares its bin
    weights = localization.region_weights(masks)
    draws = binned_draws(maps, masks, weights, np.arange(60), 60, 0.3, 64, 0, 2)
    for value, metric, bound in zip(draws[:, 0], RANKING, bounds, strict=True):
        assert value == pytest.approx(metric(maps, masks), abs=bound)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("change", ["background", "tiny", "huge", "negative tail", "exponential"])
def test_intervals_depend_on_ranks_alone(dtype, change):
    """A far background, or any scale, leaves the order of scores as it is: so all ends stay the
    same."""
    maps, masks = draw(n=40)
    maps[:, 9:] = maps.min() - 0.01
    maps = (
        np.unique(maps, return_inverse=True)[1].reshape(maps.shape) / maps.size
    )  # ranks, exact in either dtype
    expected = localization_intervals(maps.astype(np.float32), masks, resamples=100)
    other = maps.copy()
    if change == "background":
        other[:, 9:] = -1e6 if dtype == np.float32 else -1e300
    elif change == "tiny":
        other *= 1e-30 if dtype == np.float32 else 1e-250
    elif change == "huge":
        other *= 1e37 if dtype == np.float32 else 1e300
    elif change == "negative tail":
        low = other < np.median(other)
        other[low] = -1 / (other[low] + 1e-3)
    else:
        other = np.exp(30 * other)
    assert localization_intervals(other.astype(dtype), masks, resamples=100) == expected


def test_near_one_the_interval_reckons_with_a_defect_that_is_missed():
    """As for the image-level AUROC: a perfect value of 30 images is not one of 3,000."""
    masks = np.zeros((60, 6, 6), dtype=bool)
    masks[:30, 2:4, 2:4] = True
    for estimate in localization_intervals(
        masks.astype(float), masks, threshold=0.5, resamples=50
    ).values():
        assert estimate.value == 1
        assert 0.8 < estimate.low < 0.96
        assert estimate.high == 1


def test_intervals_of_constant_maps_have_a_width():
    masks = np.zeros((40, 6, 6), dtype=bool)
    masks[:20, 2:4, 2:4] = True
    estimate = localization_intervals(np.ones(masks.shape), masks, resamples=50)["pixel_auroc"]
    assert estimate.low < 0.45 < estimate.value < 0.55 < estimate.high


def test_intervals_depend_on_the_seed_alone():
    maps, masks = draw(n=30)
    first = localization_intervals(maps, masks, seed=1, resamples=100)
    np.random.seed(5)  # the global state must not matter
    assert localization_intervals(maps, masks, seed=1, resamples=100) == first
    assert localization_intervals(maps, masks, seed=2, resamples=100) != first


def test_clusters_are_kept_together():
    """Each image four times over says no more than once: clusters know it, independence does
    not."""
    maps, masks = draw(n=40)
    source = np.tile(np.arange(40), 4)
    many = np.tile(maps, (4, 1, 1)), np.tile(masks, (4, 1, 1))
    once = localization_intervals(maps, masks)
    kept = localization_intervals(*many, clusters=source)
    apart = localization_intervals(*many)
    for name in once:
        width = once[name].high - once[name].low
        assert kept[name].high - kept[name].low == pytest.approx(width, rel=0.05)
        assert apart[name].high - apart[name].low < 0.7 * width
        assert kept[name].n == 40


def test_perfect_maps_still_leave_doubt_and_one_anomalous_image_all_of_it():
    _, masks = draw(n=20)
    maps, lone = draw(n=20)
    lone[2:] = False
    for estimate in localization_intervals(maps, lone, threshold=0.5).values():
        assert estimate[1:] == (0, 1, 20)
    for estimate in localization_intervals(masks.astype(float), masks, threshold=0.5).values():
        assert estimate.value == pytest.approx(1)
        assert 0.5 < estimate.low < 0.95
        assert estimate.high == pytest.approx(1)


@pytest.mark.parametrize("name", TABLE)
def test_reference_table(name):
    maps, masks = standard(name)
    assert aupro(maps, masks) == pytest.approx(TABLE[name][0], abs=1e-9)
    assert pixel_auroc(maps, masks) == pytest.approx(TABLE[name][1], abs=1e-9)


@pytest.mark.slow
def test_faster_than_scikit_learn():
    """Far below what benchmarks/pixel_metrics.py measures, so that a busy machine does not fail
    it."""
    maps, masks = standard("large")

    def best(function, *arguments):
        times = []
        for _ in range(2):
            start = time.perf_counter()
            function(*arguments)
            times.append(time.perf_counter() - start)
        return min(times)

    yardstick = best(reference.roc_auc_score, masks.ravel(), maps.ravel())
    assert best(aupro, maps, masks) * 8 < yardstick
    assert best(pixel_auroc, maps, masks) * 6 < yardstick

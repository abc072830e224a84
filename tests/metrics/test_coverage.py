"""Do the 95 % intervals hold the truth in 95 % of draws? Simulated, with the seed fixed."""

import numpy as np
import pytest
from scipy.stats import norm

from anomalist.metrics import (
    aupro,
    auroc,
    auroc_interval,
    average_precision,
    best_f1,
    detection_intervals,
    dice,
    fpr_at_tpr,
    iou,
    localization_intervals,
    pixel_auroc,
    pixel_average_precision,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("n", [200, 2000])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("truth", [0.6, 0.9, 0.99, 0.999])
def test_auroc_interval_covers(n, paired, truth):
    """n images, half of them anomalous; where paired, n / 2 clean ones and their twins, correlated
    by 0.8.

    Binormal scores: N(0, 1) for normal images and N(d, 1) for anomalous ones, so that the area is
    Phi(d / sqrt 2). Near 1, where most draws hold few misranked pairs or none, more than 97 % is
    fine.
    """
    draws, half = 2000, n // 2
    rng = np.random.default_rng(1)
    labels = np.repeat([True, False], half)
    clusters = np.tile(np.arange(half), 2) if paired else None
    covered, narrowest = 0, 1.0
    for _ in range(draws):
        normal, anomalous = rng.standard_normal((2, half))
        if paired:
            anomalous = 0.8 * normal + 0.6 * anomalous
        scores = np.r_[anomalous + np.sqrt(2) * norm.ppf(truth), normal]
        estimate = auroc_interval(scores, labels, clusters)
        covered += estimate.low <= truth <= estimate.high
        narrowest = min(narrowest, estimate.high - estimate.low)
    print(f"n {n:4d} paired {paired!s:5} AUROC {truth:.3f}: covered {covered / draws:.4f}")
    assert covered / draws >= 0.93
    assert covered / draws <= 0.97 or truth >= 0.99
    assert narrowest > 0.1 / n


@pytest.mark.parametrize(("positives", "negatives"), [(10, 1000), (1000, 10)])
def test_auroc_interval_covers_when_one_class_is_rare(positives, negatives):
    rng = np.random.default_rng(1)
    labels = np.repeat([True, False], [positives, negatives])
    for truth in (0.6, 0.9, 0.99):
        covered = 0
        for _ in range(1000):
            scores = rng.standard_normal(len(labels)) + labels * np.sqrt(2) * norm.ppf(truth)
            estimate = auroc_interval(scores, labels)
            covered += estimate.low <= truth <= estimate.high
        assert covered / 1000 >= 0.93


@pytest.mark.parametrize("shift", [0.5, 1.5, 3.0])
def test_detection_bootstrap_covers(shift):
    """200 clean images and their twins; the truth is the metric of 400,000 such pairs."""

    def draw(rng, n):
        normal, own = rng.standard_normal((2, n))
        return np.r_[0.8 * normal + 0.6 * own + shift, normal], np.repeat([1, 0], n)

    rng = np.random.default_rng(2)
    big = draw(rng, 400_000)
    truth = {
        "auroc": auroc(*big),
        "average_precision": average_precision(*big),
        "fpr95": fpr_at_tpr(*big),
        "best_f1": best_f1(*big),
    }
    covered = dict.fromkeys(truth, 0)
    for seed in range(300):
        got = detection_intervals(
            *draw(rng, 200), np.tile(np.arange(200), 2), seed=seed, resamples=200
        )
        for name, estimate in got.items():
            covered[name] += estimate.low <= truth[name] <= estimate.high
    print(shift, covered)
    assert all(count / 300 >= 0.88 for count in covered.values())


def test_pixel_bootstrap_covers():
    """60 images and their corrupted twins of 8 x 8 pixels; the truth is the metric of 20,000 such
    pairs."""

    def draw(rng, n):
        masks = np.zeros((2 * n, 8, 8), dtype=bool)
        for mask, (row, column) in zip(masks[n:], rng.integers(0, 6, (n, 2)), strict=True):
            mask[row : row + 3, column : column + 2] = True
        noise = np.tile(rng.standard_normal((n, 1, 1)) * 0.5, (2, 1, 1))  # what the twins share
        maps = noise + rng.standard_normal(masks.shape) + masks * rng.gamma(4, 0.4, (2 * n, 1, 1))
        return maps.astype(np.float32), masks

    rng = np.random.default_rng(3)
    maps, masks = draw(rng, 20_000)
    truth = {
        "pixel_auroc": pixel_auroc(maps, masks),
        "pixel_ap": pixel_average_precision(maps, masks),
        "aupro": aupro(maps, masks),
        "iou": iou(maps > 1.5, masks),
        "dice": dice(maps > 1.5, masks),
    }
    covered = dict.fromkeys(truth, 0)
    for seed in range(200):
        some = draw(rng, 60)
        clusters = np.tile(np.arange(60), 2)
        got = localization_intervals(
            *some, clusters=clusters, threshold=1.5, seed=seed, resamples=200
        )
        for name, estimate in got.items():
            covered[name] += estimate.low <= truth[name] <= estimate.high
    print(covered)
    assert all(count / 200 >= 0.88 for count in covered.values())


@pytest.mark.parametrize(
    ("strength", "spread", "expected"), [(4, 0.5, 0.942), (6, 0.3, 0.997), (8, 0.3, 0.9997)]
)
@pytest.mark.parametrize("anomalies", [5, 30, 100, 300])
def test_pixel_intervals_cover_near_one(strength, spread, expected, anomalies):
    """Defects of 4 x 4 in images of 16 x 16, found with a strength that varies between images
    (log-normal).

    A few images are hardly found and most of them perfectly: the fewer images are seen, the less
    they show of it. The truth is the metric of 20,000 anomalous and 3,000 normal images.
    """

    def draw(rng, anomalous, normal):
        masks = np.zeros((anomalous + normal, 16, 16), bool)
        for mask, (row, column) in zip(masks, rng.integers(0, 12, (anomalous, 2)), strict=False):
            mask[row : row + 4, column : column + 4] = True
        found = strength * np.exp(spread * rng.standard_normal((len(masks), 1, 1)))
        return (rng.standard_normal(masks.shape) + found * masks).astype(np.float32), masks

    big = draw(np.random.default_rng(1), 20_000, 3_000)
    truth = {"pixel_auroc": pixel_auroc(*big), "aupro": aupro(*big)}
    assert truth["aupro"] == pytest.approx(expected, abs=5e-4)
    covered, draws = dict.fromkeys(truth, 0), 100
    for seed in range(draws):
        some = draw(np.random.default_rng(100 + seed), anomalies, max(100, anomalies))
        got = localization_intervals(*some, seed=seed, resamples=100)
        for name in truth:
            covered[name] += got[name].low <= truth[name] <= got[name].high
    print(strength, anomalies, covered)
    assert all(count / draws >= 0.93 for count in covered.values())


@pytest.mark.parametrize(("positives", "negatives"), [(10, 200), (30, 200), (30, 1000), (100, 200)])
@pytest.mark.parametrize("shift", [1.0, 2.0, 3.5])
def test_fpr95_covers_with_few_anomalies(positives, negatives, shift):
    """Normal scores; the truth is the share of normal images above the anomalies' 5 % quantile."""
    truth = 1 - norm.cdf(shift + norm.ppf(0.05))
    labels = np.repeat([True, False], [positives, negatives])
    covered, draws = 0, 300
    for seed in range(draws):
        scores = np.random.default_rng(seed).standard_normal(len(labels)) + shift * labels
        estimate = detection_intervals(scores, labels, seed=seed, resamples=200)["fpr95"]
        covered += estimate.low <= truth <= estimate.high
    print(positives, negatives, shift, covered / draws)
    assert covered / draws >= 0.87  # the docstring's figure

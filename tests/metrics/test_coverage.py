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
    """n images, half of them anomalous; where paired, n / 2 clean ones and their twins, correlated by 0.8.

    Binormal scores: N(0, 1) for normal images and N(d, 1) for anomalous ones, so that the area is
    Phi(d / sqrt 2). Near 1, where most draws hold few misranked pairs or none, more than 97 % is fine.
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
        got = detection_intervals(*draw(rng, 200), np.tile(np.arange(200), 2), seed=seed, resamples=200)
        for name, estimate in got.items():
            covered[name] += estimate.low <= truth[name] <= estimate.high
    print(shift, covered)
    assert all(count / 300 >= 0.88 for count in covered.values())


def test_pixel_bootstrap_covers():
    """60 images and their corrupted twins of 8 x 8 pixels; the truth is the metric of 20,000 such pairs."""

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
        got = localization_intervals(*some, clusters=clusters, threshold=1.5, seed=seed, resamples=200)
        for name, estimate in got.items():
            covered[name] += estimate.low <= truth[name] <= estimate.high
    print(covered)
    assert all(count / 200 >= 0.88 for count in covered.values())

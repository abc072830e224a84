"""Cross-conformal p-values: the formula, and the false-alarm rate of 50 normal images by
simulation."""

import numpy as np
import pytest

from anomalist.calibration import ReferenceScores, p_values, proven_rate, threshold

slow = pytest.mark.slow
MORE = [(16, 16), (50, 10), (50, 50), (8, 8)]


def scores_of(rng, *shape, steps=40):
    """Scores with many ties."""
    return rng.integers(0, steps, shape).astype(np.float32)


def test_p_values_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    folds = [scores_of(rng, n) for n in (5, 7, 1)]
    new = scores_of(rng, 3, 50)
    expected = [
        (1 + sum(int((fold >= new[k, i]).sum()) for k, fold in enumerate(folds))) / 14
        for i in range(50)
    ]
    reference = ReferenceScores(folds)
    assert reference.count == 13
    assert reference.p_values(new).tolist() == expected
    assert np.allclose(reference.percentiles(new), 100 * (1 - (np.array(expected) * 14 - 1) / 13))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.3])
def test_one_fold_is_split_conformal_prediction(rate):
    rng = np.random.default_rng(1)
    normal = scores_of(rng, 99)
    new = scores_of(rng, 500)
    reference = ReferenceScores([normal])
    assert np.array_equal(reference.p_values(new[None]), p_values(normal, new))
    assert np.array_equal(reference.exceeded(new[None], rate), new > threshold(normal, rate))


def test_the_rate_that_is_proven():
    assert proven_rate(50, 50, 0.05) == 0.1  # jackknife+
    assert proven_rate(30, 5, 0.05) == pytest.approx(0.1 + (1 - 5 / 30) / 6)
    assert proven_rate(1_000, 5, 0.05) == pytest.approx(0.1 + 1.6 / 201)
    assert proven_rate(3, 3, 0.9) == 1


def test_maps_have_p_values_too():
    rng = np.random.default_rng(2)
    reference = ReferenceScores([scores_of(rng, 20), scores_of(rng, 20)])
    maps = scores_of(rng, 2, 3, 4, 5)
    whole = reference.p_values(maps)
    assert whole.shape == (3, 4, 5)
    assert whole[1, 2, 3] == reference.p_values(maps[:, 1, 2, 3][:, None])[0]


def distance_scores(train, x):
    """A detector: the distance to the nearest of the training vectors."""
    return np.linalg.norm(x[:, None] - train[None], axis=2).min(axis=1).astype(np.float32)


def alarms(rng, n, folds, rate, new=200, size=5):
    """The share of new normal vectors that a cross-conformal detector finds anomalous."""
    normal = rng.standard_normal((n, size))
    x = rng.standard_normal((new, size))
    fold_of = np.arange(n) % folds
    parts = [(normal[fold_of != k], normal[fold_of == k]) for k in range(folds)]
    reference = ReferenceScores([distance_scores(train, held) for train, held in parts])
    own = np.stack([distance_scores(train, x) for train, _ in parts])
    return reference.exceeded(own, rate).mean()


@pytest.mark.parametrize(
    ("n", "folds"), [(50, 5), *(pytest.param(*each, marks=slow) for each in MORE)]
)
@pytest.mark.parametrize("rate", [0.05, 0.12, 0.2])
def test_the_rate_of_false_alarms_is_kept(n, folds, rate):
    """Nominal: floor(rate (n + 1)) / (n + 1). The theorem allows about twice as much."""
    rng = np.random.default_rng(3)
    shares = [alarms(rng, n, folds, rate) for _ in range(150)]
    nominal = np.floor(rate * (n + 1)) / (n + 1)
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= nominal + 3 * error
    if nominal:
        assert np.mean(shares) >= nominal / 3  # not kept by never giving an alarm

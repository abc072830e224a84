"""The false-discovery rate of a batch is kept for conformal p-values, which share a calibration
set."""

import numpy as np
import pytest

from anomalist.calibration import discoveries, p_values
from anomalist.core.errors import InputError


def brute_force(p, rate):
    """Benjamini and Hochberg's rule: reject the k smallest, k the largest with p_(k) <= k q / N."""
    order = np.sort(p)
    ranks = np.arange(1, len(p) + 1)
    below = ranks[order <= ranks * rate / len(p) * (1 + 1e-12)]
    return np.zeros(len(p), bool) if len(below) == 0 else p <= order[below[-1] - 1]


def test_the_selection_is_that_of_the_rule():
    rng = np.random.default_rng(0)
    for rate in (0.05, 0.1, 0.5):
        p = rng.integers(1, 100, 40) / 100
        assert np.array_equal(discoveries(p, rate), brute_force(p, rate))


def test_a_p_value_exactly_at_its_limit_is_selected():
    assert discoveries(np.array([0.1, 0.2, 0.3]), 0.3).all()


@pytest.mark.parametrize(("anomalies", "shift"), [(0, 0), (10, 3), (50, 2.5)])
def test_the_false_discovery_rate_is_at_most_the_chosen_one(anomalies, shift):
    rng = np.random.default_rng(1)
    rate = 0.1
    shares = []
    for _ in range(600):
        normal = rng.standard_normal(200).astype(np.float32)
        batch = rng.standard_normal(100).astype(np.float32)
        batch[:anomalies] += shift
        chosen = discoveries(p_values(normal, batch), rate)
        shares.append(chosen[anomalies:].sum() / max(chosen.sum(), 1))
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= rate * (100 - anomalies) / 100 + 3 * error
    assert np.mean(shares) > 0


def test_nothing_of_nothing_and_rates_outside_of_their_range():
    assert discoveries(np.zeros(0), 0.1).shape == (0,)
    with pytest.raises(InputError, match="between 0 and 1, got 1"):
        discoveries(np.array([0.5]), 1.0)

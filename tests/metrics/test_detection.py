"""Image-level metrics against scikit-learn and against the definitions, written out."""

import numpy as np
import pytest
from sklearn import metrics as reference

from anomalist.core.errors import InputError
from anomalist.metrics import auroc, average_precision, best_f1, fpr_at_tpr, roc_curve

METRICS = [auroc, average_precision, fpr_at_tpr, best_f1]


def draw(n, levels=None, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.3
    labels[:2] = [True, False]
    scores = rng.standard_normal(n) + labels
    if levels:
        scores = np.round(scores * levels)
    return scores.astype(dtype), labels


def brute(scores, labels):
    """TP and FP at every distinct threshold, counted one by one."""
    thresholds = np.unique(scores)[::-1]
    true = np.array([np.sum(labels & (scores >= t)) for t in thresholds])
    false = np.array([np.sum(~labels & (scores >= t)) for t in thresholds])
    return true, false, thresholds


@pytest.mark.parametrize("n", [2, 3, 10, 500])
@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64])
def test_against_scikit_learn(n, levels, dtype):
    scores, labels = draw(n, levels, dtype, seed=n)
    assert auroc(scores, labels) == pytest.approx(
        reference.roc_auc_score(labels, scores), abs=1e-12
    )
    expected = reference.average_precision_score(labels, scores)
    assert average_precision(scores, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 2])
def test_against_counting(levels):
    scores, labels = draw(300, levels)
    true, false, thresholds = brute(scores, labels)
    tpr, fpr = true / labels.sum(), false / (~labels).sum()
    assert best_f1(scores, labels) == pytest.approx(
        np.max(2 * true / (true + false + labels.sum()))
    )
    for wanted in (0.01, 0.5, 0.95, 1.0):
        assert fpr_at_tpr(scores, labels, wanted) == fpr[tpr >= wanted].min()
    curve = roc_curve(scores, labels)
    np.testing.assert_array_equal(curve.thresholds, [np.inf, *thresholds])
    np.testing.assert_allclose(curve.tpr, [0, *tpr])
    np.testing.assert_allclose(curve.fpr, [0, *fpr])


def test_a_rate_that_floats_cannot_hold_is_reached_exactly():
    """0.07 * 100 is 7.000000000000001, yet 7 of 100 anomalies are 7 %."""
    scores = np.r_[np.arange(100, 0, -1), 93.5]
    labels = np.r_[np.ones(100), 0]
    assert 0.07 * 100 > 7
    assert fpr_at_tpr(scores, labels, 0.07) == 0
    assert fpr_at_tpr(scores, labels, 0.08) == 1


def test_constant_scores_are_chance():
    labels = np.array([1, 0, 0, 0])
    scores = np.full(4, 7.0)
    assert auroc(scores, labels) == 0.5
    assert average_precision(scores, labels) == 0.25
    assert fpr_at_tpr(scores, labels) == 1
    assert best_f1(scores, labels) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("scores", "expected"), [([1, 2], [1, 1, 0, 1]), ([2, 1], [0, 0.5, 1, 2 / 3])]
)
def test_two_images(scores, expected):
    assert [metric(scores, [0, 1]) for metric in METRICS] == pytest.approx(expected)


@pytest.mark.parametrize("metric", [*METRICS, roc_curve])
def test_bad_input_is_refused_in_one_line(metric):
    for scores, labels, words in [
        ([1.0, 2.0], [1, 1], "no normal example"),
        ([1.0, 2.0], [0, 0], "no anomalous example"),
        ([1.0, np.nan], [0, 1], "NaN"),
        ([1.0, np.inf], [0, 1], "infinity"),
        ([1.0, 2.0, 3.0], [0, 1], "same shape"),
        ([[1.0, 2.0]], [[0, 1]], r"\[N\]"),
        ([], [], "empty"),
        ([1.0, 2.0], [0, 2], "other than 0 and 1"),
        ([1.0, 2.0], ["a", "b"], "other than 0 and 1"),
        (["a", "b"], [0, 1], "not numbers"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            metric(scores, labels)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tpr", [0, -0.1, 1.1, np.nan])
def test_a_rate_outside_its_range_is_refused(tpr):
    with pytest.raises(InputError, match="tpr"):
        fpr_at_tpr([1, 2], [0, 1], tpr)


@pytest.mark.parametrize("metric", METRICS)
def test_layout_does_not_matter_and_input_is_left_alone(metric):
    scores, labels = draw(200)
    spread_scores, spread_labels = np.zeros((200, 3)), np.zeros((200, 3), dtype=int)
    spread_scores[:, 1], spread_labels[:, 1] = scores, labels
    before = scores.copy(), labels.copy()
    assert metric(spread_scores[:, 1], spread_labels[:, 1]) == metric(scores, labels)
    assert metric(scores[::-1], labels[::-1]) == metric(scores, labels)
    np.testing.assert_array_equal(scores, before[0])
    np.testing.assert_array_equal(labels, before[1])

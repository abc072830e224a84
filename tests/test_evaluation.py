"""Evaluation: the numbers are the metrics' own, by image and by pixel, and thresholds come from normal images."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomalist import evaluate, tasks
from anomalist.detector import Detector, Scores
from anomalist.errors import InputError
from anomalist.evaluation import Judge
from anomalist.metrics import aupro
from toys import toy_dataset

TASK = tasks.corrupted(toy_dataset(), "stripes", severity=0.3, seed=0, calibration=150)


class Brightness(Detector):
    """The simplest detector: a pixel is as anomalous as it is bright."""

    def _fit(self, images, checkpoint):
        pass

    def _score(self, images):
        return Scores(images.mean(axis=(1, 2, 3)), images.mean(axis=1))

    def _arrays(self):
        return {}

    def _restore(self, arrays):
        pass


DETECTOR = Brightness().fit(TASK.train.images)


def test_values_are_those_of_the_metrics():
    scores = DETECTOR.score(TASK.test.images)
    found = evaluate(scores, TASK.test, pixel_threshold=0.9)
    assert found["auroc"].value == pytest.approx(
        roc_auc_score(TASK.test.labels, scores.image), abs=1e-12
    )
    assert found["aupro"].value == pytest.approx(aupro(scores.pixel, TASK.test.masks), abs=1e-12)
    flagged = scores.pixel > 0.9
    assert (
        found["iou"].value == (flagged & TASK.test.masks).sum() / (flagged | TASK.test.masks).sum()
    )
    assert all(estimate.low <= estimate.value <= estimate.high for estimate in found.values())


def test_it_prints_as_one_line_that_begins_with_the_auroc():
    line = str(evaluate(DETECTOR.score(TASK.test.images), TASK.test))
    assert line.startswith("AUROC ")
    assert "AUPRO" in line
    assert "\n" not in line


def test_without_maps_there_are_no_pixel_metrics():
    scores = DETECTOR.score(TASK.test.images)
    assert set(evaluate(Scores(scores.image, None), TASK.test)) == {
        "auroc",
        "average_precision",
        "fpr95",
        "best_f1",
    }


def test_scores_of_another_split_are_refused():
    scores = DETECTOR.score(TASK.test.images[:-1])
    with pytest.raises(InputError, match="119 scores for 120 test images"):
        evaluate(scores, TASK.test)


def test_the_judge_agrees_with_evaluate_and_never_looks_at_test_images_for_a_threshold():
    test = TASK.test
    normal, anomalies = (
        tasks.Split(test.images[rows], test.labels[rows], test.source[rows], test.masks[rows])
        for rows in (~test.labels, test.labels)
    )
    judge = Judge(DETECTOR, TASK.calibration, normal, 0.05)
    scores, found = judge.judge(anomalies)
    np.testing.assert_array_equal(scores.image, DETECTOR.score(anomalies.images).image)
    whole = evaluate(DETECTOR.score(test.images), test, pixel_threshold=judge.pixel_threshold)
    assert {name: found[name] for name in whole} == dict(whole)
    other = Judge(
        DETECTOR, TASK.calibration, anomalies, 0.05
    )  # other test images, the same thresholds
    assert (other.threshold, other.pixel_threshold) == (judge.threshold, judge.pixel_threshold)
    rate = np.mean(DETECTOR.score(normal.images).image > judge.threshold)
    assert found["false_alarm_rate"].value == rate
    assert found["false_alarm_rate"].low <= rate <= found["false_alarm_rate"].high

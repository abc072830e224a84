"""Evaluation: the numbers are the metrics' own, by image and by pixel, and thresholds come from
normal images."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomalist import evaluate, tasks
from anomalist.core.errors import InputError
from anomalist.evaluation import Evaluator
from anomalist.metrics import aupro
from anomalist.models import Detector, Scores
from toys import toy_dataset

TASK = tasks.make_corrupted(toy_dataset(), "stripes", severity=0.3, seed=0, calibration=150)


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
        roc_auc_score(TASK.test.is_anomaly, scores.image), abs=1e-12
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


def test_the_evaluator_agrees_with_evaluate_and_sets_thresholds_without_test_images():
    anomalies = TASK.anomalies
    evaluator = Evaluator(DETECTOR, TASK, 0.05)
    scores = DETECTOR.score(anomalies.images)
    metrics = evaluator.evaluate(anomalies, scores)
    test = TASK.test
    whole = evaluate(DETECTOR.score(test.images), test, pixel_threshold=evaluator.pixel_threshold)
    assert {name: metrics[name] for name in whole} == dict(whole)
    few = TASK.with_task(TASK.task.model_copy(update={"test": 20}))
    other = Evaluator(DETECTOR, few, 0.05)  # other test images, the same thresholds
    assert len(other.normal) == 20
    assert other.threshold == evaluator.threshold
    assert other.pixel_threshold == evaluator.pixel_threshold
    rate = np.mean(DETECTOR.score(TASK.normal.images).image > evaluator.threshold)
    assert metrics["false_alarm_rate"].value == rate
    assert metrics["false_alarm_rate"].low <= rate <= metrics["false_alarm_rate"].high


def test_the_roc_of_the_evaluator_lies_in_its_band():
    evaluator = Evaluator(DETECTOR, TASK, 0.05)
    curve = evaluator.roc(TASK.anomalies, DETECTOR.score(TASK.anomalies.images))
    assert (curve["low"] <= curve["high"]).all()
    middle = np.interp(curve["rates"], curve["fpr"], curve["tpr"])
    assert np.mean((curve["low"] <= middle + 0.05) & (middle - 0.05 <= curve["high"])) > 0.9

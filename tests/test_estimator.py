"""Detectors as scikit-learn estimators: its own checks, pipelines and cross-validation."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from anomalist import models
from anomalist.calibration import threshold
from anomalist.core.errors import InputError
from anomalist.estimator import AnomalyEstimator
from models.small_models import NAMES, small
from toys import blobs

IMAGES = blobs(120)
WITH_NOISE = np.concatenate([blobs(30, seed=1), np.random.default_rng(0).random((30, 1, 12, 12))])
IS_NORMAL = np.repeat([1, -1], 30)


# No check has to be left out: a table of rows of pixels is an image set like any other.
@parametrize_with_checks([AnomalyEstimator("pca")])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks(
    [AnomalyEstimator(name) for name in ("knn", "kde", "lof", "ocsvm", "isolation_forest")]
    + [AnomalyEstimator("autoencoder:epochs=1,width=4")]
)
def test_scikit_learns_checks_of_others(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if not small(name).needs_known_anomalies])
def test_every_detector_is_an_estimator(name):
    estimator = clone(AnomalyEstimator(small(name), false_alarms=0.2)).fit(IMAGES)
    scores = estimator.score_samples(WITH_NOISE.astype(np.float32))
    assert np.array_equal(
        estimator.decision_function(WITH_NOISE.astype(np.float32)), scores - estimator.offset_
    )
    assert set(estimator.predict(WITH_NOISE.astype(np.float32))) <= {-1, 1}


def test_its_scores_and_threshold_are_those_of_the_detector():
    estimator = AnomalyEstimator("pca", false_alarms=0.1, held_out=0.25, seed=3).fit(IMAGES)
    scores = estimator.detector_.score(WITH_NOISE.astype(np.float32))
    assert np.array_equal(estimator.score_samples(WITH_NOISE), -scores.image.astype(float))
    assert np.array_equal(estimator.predict(WITH_NOISE) == -1, scores.image > -estimator.offset_)
    assert np.array_equal(estimator.heatmaps(WITH_NOISE), scores.pixel)
    again = [models.Pca(seed=3).fit(IMAGES[rows]) for rows in np.split(np.arange(120), [90])]
    assert again[0].score(IMAGES[:2]).image.shape == (2,)
    assert (estimator.predict(WITH_NOISE)[30:] == -1).mean() > 0.9


def test_images_of_any_layout():
    grey = (IMAGES[:, 0] * 255).astype(np.uint8)
    table = grey.reshape(120, -1)
    fits = [
        AnomalyEstimator("pca").fit(grey).score_samples(grey[:5]),
        AnomalyEstimator("pca").fit(grey[:, None]).score_samples(grey[:5, None]),
        AnomalyEstimator("pca", shape=(1, 12, 12)).fit(table).score_samples(table[:5]),
    ]
    assert np.array_equal(fits[0], fits[1])
    assert np.array_equal(fits[0], fits[2])


def test_params_are_those_of_the_constructor():
    estimator = AnomalyEstimator("knn:k=3", seed=2)
    assert estimator.get_params()["detector"] == "knn:k=3"
    assert clone(estimator.set_params(detector="pca", false_alarms=0.3)).false_alarms == 0.3


def test_in_a_pipeline_and_in_cross_validation():
    table = IMAGES.reshape(120, -1)
    flat = WITH_NOISE.reshape(60, -1)
    pipeline = make_pipeline(StandardScaler(), AnomalyEstimator("pca", false_alarms=0.2))
    assert (pipeline.fit(table).predict(flat)[30:] == -1).mean() > 0.9
    halves = make_pipeline(FunctionTransformer(lambda X: X / 2), AnomalyEstimator("pca"))
    assert (halves.fit(table).predict(flat)[30:] == -1).mean() > 0.9
    folds = [(np.arange(100), np.arange(100, 180))]  # trained on normal images alone
    whole = np.concatenate([table, flat])
    labels = np.concatenate([np.ones(120, int), IS_NORMAL])
    (value,) = cross_val_score(AnomalyEstimator("pca"), whole, labels, cv=folds, scoring="roc_auc")
    assert value > 0.95
    search = GridSearchCV(
        AnomalyEstimator(),
        {"detector": ["pca", "knn:k=3"]},
        cv=folds,
        scoring="roc_auc",
        refit=False,
    ).fit(whole, labels)
    assert len(search.cv_results_["params"]) == 2


@pytest.mark.parametrize(
    ("options", "images", "message"),
    [
        ({"false_alarms": 0.01}, IMAGES, "holds out 99"),
        ({"false_alarms": 2}, IMAGES, "between 0 and 1"),
        ({"held_out": 1.0}, IMAGES, "held_out must lie"),
        ({"shape": (1, 5, 5)}, IMAGES.reshape(120, -1), "144 values"),
        ({}, IMAGES[:, None], r"\[N, H, W\] or \[N, C, H, W\]"),
        ({"detector": "pcaa"}, IMAGES, "unknown model"),
    ],
)
def test_wrong_input(options, images, message):
    with pytest.raises(InputError, match=message):
        AnomalyEstimator(**options).fit(images)


def test_images_of_another_size():
    estimator = AnomalyEstimator("pca").fit(IMAGES)
    with pytest.raises(ValueError, match=r"fitted on images|features"):
        estimator.predict(blobs(3, (1, 12, 13)))


def test_rates_of_held_out_images():
    rng = np.random.default_rng(0)
    estimator = AnomalyEstimator("pca", false_alarms=0.2)
    rates = []
    for _ in range(30):
        normal = rng.normal(0.5, 0.1, (60, 9)).clip(0, 1)
        estimator.fit(normal)
        rates.append((estimator.predict(rng.normal(0.5, 0.1, (200, 9)).clip(0, 1)) == -1).mean())
    assert np.mean(rates) <= 0.2 + 3 * np.std(rates) / np.sqrt(len(rates))
    assert threshold(np.arange(4, dtype=np.float32), 0.2) == 3

"""PyOD's detectors give PyOD's scores, one image at a time where need be; what cannot be trusted
is refused."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from anomalist import models
from anomalist.models import parse
from anomalist.models import pyod as ours
from anomalist.models._preprocessing import prepare
from refusals import refused
from toys import blobs

pytest.importorskip("pyod")

TRAIN, TEST = blobs(120), np.concatenate([blobs(20, seed=1), 1 - blobs(5, seed=2)])


def vectors(images):
    return prepare(images, 0, False).astype(np.float64)


def fit(detector, *options, **changes):
    return parse({"name": "pyod", "detector": detector, "options": options, **changes}).fit(TRAIN)


@pytest.mark.parametrize(
    ("name", "options", "alone"),
    [
        ("HBOS", {}, False),
        ("OCSVM", {}, False),
        ("KNN", {"n_neighbors": 3, "method": "mean"}, False),
        ("ECOD", {}, True),
        ("COPOD", {}, True),
    ],
)
def test_scores_are_pyods(name, options, alone):
    detector = fit(name, *(f"{key}={value}" for key, value in options.items()))
    reference = getattr(importlib.import_module(f"pyod.models.{name.lower()}"), name)(
        **options
    ).fit(vectors(TRAIN))
    expected = [reference.decision_function(row[None])[0] for row in vectors(TEST)]
    np.testing.assert_allclose(detector.score(TEST).image, expected, rtol=1e-6)
    assert detector._alone == alone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ECOD", "KNN", "IForest", "PCA", "LODA", "AutoEncoder"])
def test_a_score_depends_on_its_image_and_the_seed_alone(name, tmp_path):
    options = ["epoch_num=1"] if name == "AutoEncoder" else []
    detector = fit(name, *options, seed=5)
    np.random.seed(1)
    state = np.random.get_state()[1].tobytes()
    whole = detector.score(TEST).image
    for i in (0, 7, 24):
        assert detector.score(TEST[i : i + 1]).image.tobytes() == whole[i : i + 1].tobytes()
    assert detector.score(TEST[::-1]).image.tobytes() == whole[::-1].tobytes()
    detector.save(tmp_path)
    np.random.seed(1)
    assert models.load(tmp_path).score(TEST).image.tobytes() == whole.tobytes()
    assert fit(name, *options, seed=5).score(TEST).image.tobytes() == whole.tobytes()
    assert np.random.get_state()[1].tobytes() == state
    if name in ("IForest", "AutoEncoder"):
        assert fit(name, *options, seed=6).score(TEST).image.tobytes() != whole.tobytes()


def test_anomalies_score_higher_after_preprocessing():
    for detector in (
        fit("KNN", blur=1),
        fit("ECOD", components=5),
        fit("HBOS", deskew=True, samples=60),
    ):
        scores = detector.score(TEST).image
        assert scores[20:].min() > np.quantile(scores[:20], 0.8)


def test_an_unknown_detector_is_answered_with_the_valid_ones():
    with refused("unknown pyod detector 'ECODE'", "did you mean 'ECOD'?", "nearest of"):
        fit("ECODE")
    with refused("VAE cannot be used", "from call to call"):
        fit("VAE")
    with refused("SOS cannot be used", "cannot score a single image"):
        fit("SOS")


def test_wrong_options_are_refused():
    with refused("'n_neighbors' is not name=value"):
        fit("KNN", "n_neighbors")
    with refused("unknown option of pyod's KNN 'neighbors'", "did you mean 'n_neighbors'?"):
        fit("KNN", "neighbors=3")
    with refused("unknown option", "random_state"):
        fit("IForest", "random_state=3")
    with refused("KNN cannot be used on these images"):
        fit("KNN", "n_neighbors=many")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "words"),
    [("VAE", "vae", ["from call to call"]), ("SOS", "sos", ["cannot score a single image"])],
)
def test_what_the_list_overlooks_the_fit_finds(name, module, words, monkeypatch):
    monkeypatch.setitem(ours._MODULES, name, module)
    monkeypatch.setattr(ours, "_REFUSED", {})
    with refused(f"{name} cannot be used", *words):
        fit(name)


def test_nan_is_refused():
    constant = np.full((10, 1, 12, 12), 0.5, np.float32)
    with refused("PCA", "NaN"):
        parse("pyod:detector=PCA").fit(constant)


def test_scores_beyond_float32_are_refused(monkeypatch):
    """PyOD's PCA divides by the variance of its last components, which is next to none where
    pixels are constant."""
    from pyod.models.hbos import HBOS

    detector = fit("HBOS")
    monkeypatch.setattr(HBOS, "decision_function", lambda self, X: np.full(len(X), 1e39))
    with refused("HBOS", "infinite scores for some images", "set components"):
        detector.score(TEST)
    with refused("HBOS", "infinite scores on these images", "set components"):
        fit("HBOS")


def test_too_few_images_are_refused_in_words():
    with refused("KNN cannot be used on these images", "n_neighbors"):
        parse("pyod:detector=KNN").fit(blobs(1))


def test_scores_that_changed_since_they_were_saved_are_refused(tmp_path, monkeypatch):
    from pyod.models.hbos import HBOS

    fit("HBOS").save(tmp_path)
    before = HBOS.decision_function
    monkeypatch.setattr(HBOS, "decision_function", lambda self, X: before(self, X) * 2)
    with refused("different scores after loading", "versions of pyod"):
        models.load(tmp_path)


def test_a_missing_library_is_said(monkeypatch):
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: None)
    with refused("pip install 'anomalist[pyod]'"):
        fit("HBOS")


@pytest.mark.slow
def test_the_library_is_not_loaded_before_a_fit():
    code = "import sys, anomalist.models.pyod; assert not {'pyod', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

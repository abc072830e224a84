"""Synthetic: what it is shown in training, what its map means, and that it says what it has
seen."""

import json

import numpy as np
import pytest
import torch

from anomalist import training
from anomalist.analysis.rows import flatten, model_label
from anomalist.baseline import Baseline
from anomalist.baseline.config import SUITE
from anomalist.models import SEEN, Autoencoder, Synthetic, _exposed, parse
from anomalist.models._networks.unet import SegmentationNetwork
from anomalist.training import seeded
from anomalist.trial import Trial, run_together
from refusals import refused
from toys import blobs

IMAGES = blobs(200)
SMALL = {"width": 4, "epochs": 5, "batch_size": 32, "device": "cpu"}
SEEN_TASK = {
    "kind": "corrupted",
    "train": 200,
    "calibration": 150,
    "test": 40,
    "corruption": "blobs:area=0.3",
}
TINY = {"name": "synthetic", "epochs": 1, "width": 4, "batch_size": 64}


def spoilt_by(detector, images, seed=0):
    with seeded(seed, "test"):
        return _exposed.add_synthetic_anomalies(
            images, detector.defects, detector.clean, detector.least, detector.most
        )


def test_masks_are_the_changed_pixels_and_the_clean_share_is_kept():
    images = np.random.default_rng(0).uniform(0.1, 0.9, (2000, 1, 12, 12)).astype(np.float32)
    before = images.tobytes()
    spoilt, masks = spoilt_by(Synthetic(clean=0.4), images)
    np.testing.assert_array_equal(masks, (spoilt != images).any(axis=1))
    assert masks.any(axis=(1, 2)).mean() == pytest.approx(0.6, abs=0.04)
    assert images.tobytes() == before


def test_severities_are_drawn_log_uniform_and_a_strength_of_a_defect_s_own_is_kept():
    images = np.full((4000, 1, 20, 20), 0.5, np.float32)
    drawn = spoilt_by(
        Synthetic(defects=["blobs:fill=white"], clean=0, least=0.01, most=0.25), images
    )[1].sum(axis=(1, 2))
    assert (drawn.min(), drawn.max()) == pytest.approx((4, 100), abs=2)
    assert np.median(drawn) == pytest.approx(
        20, abs=4
    )  # half of the draws lie below the geometric mean
    own = spoilt_by(Synthetic(defects=["blobs:fill=white,area=0.1"], clean=0), images)[1].sum(
        axis=(1, 2)
    )
    assert set(own) == {40}


def test_all_defects_come_and_no_two_batches_are_alike():
    detector = Synthetic(
        defects=["blobs:fill=white,area=0.1", "stripes:lines=1,value=black"], clean=0
    )
    images = np.full((1600, 1, 20, 20), 0.5, np.float32)
    spoilt, _ = spoilt_by(detector, images)
    assert 0.3 < (spoilt.reshape(1600, -1).max(axis=1) == 1).mean() < 0.7
    assert spoilt.tobytes() == spoilt_by(detector, images)[0].tobytes()
    assert spoilt.tobytes() != spoilt_by(detector, images, seed=1)[0].tobytes()


def test_the_standard_defects_are_none_of_the_baseline_s():
    tested = {corruption.name for corruption in SUITE}
    assert Synthetic().trained_on == ("blobs",)
    assert not tested & set(Synthetic().trained_on)


def test_the_map_is_the_surprise_of_a_normal_pixel():
    detector = Synthetic(**SMALL, aggregation="mean").fit(IMAGES)
    with torch.inference_mode():
        logits = (
            detector._network(torch.from_numpy(IMAGES)).double().numpy()[:, 1:].reshape(-1, 12, 12)
        )
    expected = -np.log(1 - 1 / (1 + np.exp(-logits)))
    scores = detector.score(IMAGES)
    np.testing.assert_allclose(scores.pixel, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores.image, expected.mean(axis=(1, 2)), rtol=1e-4)


def test_one_image_of_one_pixel_is_enough_for_a_step_of_training():
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    assert np.isfinite(Synthetic(**SMALL).fit(image).score(image).image).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 6), (8, 8), (33, 47)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_takes_any_size(size, channels):
    network = SegmentationNetwork(channels, 4)
    assert network(torch.rand(2, channels, *size)).shape == (2, 1 + size[0] * size[1])


def test_a_training_that_is_taken_up_again_is_bit_equal(tmp_path, monkeypatch):
    whole = Synthetic(**SMALL).fit(IMAGES)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    path = tmp_path / "fit.checkpoint"
    report = training._Progress.report

    def interrupted(self, history):
        if len(history) == 3:
            raise KeyboardInterrupt
        report(self, history)

    with monkeypatch.context() as patch:
        patch.setattr(training._Progress, "report", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Synthetic(**SMALL).fit(IMAGES, checkpoint=path)
    resumed = Synthetic(**SMALL).fit(IMAGES, checkpoint=path)
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.score(IMAGES).pixel, whole.score(IMAGES).pixel)


def test_it_reads_back_with_its_defects_as_text():
    detector = Synthetic(defects=["stripes:lines=2", "blobs"])
    dump = json.loads(json.dumps(detector.model_dump(mode="json")))
    assert dump["defects"] == ["stripes:lines=2", "blobs"]
    assert parse({"name": "synthetic", **dump}) == detector
    assert detector.trained_on == ("blobs", "stripes")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"defects": ()}, ["synthetic.defects"]),
        ({"defects": ["blob"]}, ["unknown corruption 'blob'", "did you mean 'blobs'?"]),
        ({"clean": 1}, ["synthetic.clean"]),
        ({"least": 0.5, "most": 0.1}, ["synthetic.least", "0.5", "0.1"]),
    ],
)
def test_wrong_options_are_refused(change, words):
    with refused(*words):
        Synthetic(**change)


def test_a_trial_on_what_it_has_seen_is_refused_unless_allowed():
    with refused("synthetic is trained on blobs", "blobs:area=0.3", "allow_seen"):
        Trial(task=SEEN_TASK, model="synthetic")
    allowed = Trial(task=SEEN_TASK, model="synthetic", allow_seen=True)
    other = Trial(task=SEEN_TASK | {"corruption": "stripes"}, model="synthetic")
    assert allowed.fit_key == other.fit_key
    assert Trial(task=SEEN_TASK, model="autoencoder").key != allowed.key
    stripes = {"name": "synthetic", "defects": ["stripes"]}
    with refused("trained on stripes", "allow_seen"):
        Trial(task=SEEN_TASK | {"corruption": "stripes:lines=1"}, model=stripes)
    Trial(task={"kind": "one_class"}, model="synthetic")  # another digit is no synthetic defect


def test_the_option_leaves_the_names_of_other_trials_as_they_were():
    assert "allow_seen" not in Trial()._essence()
    assert Trial(allow_seen=False).key == Trial().key != Trial(allow_seen=True).key
    assert Trial(allow_seen=True).fit_key == Trial().fit_key


def test_a_baseline_on_what_it_has_seen_is_refused_unless_allowed():
    with refused("synthetic is trained on blobs", "blobs", "allow_seen"):
        Baseline(model="synthetic", corruptions=["stripes", "blobs"])
    Baseline(model="synthetic", corruptions=["stripes", "blobs"], allow_seen=True)
    Baseline(model="autoencoder", corruptions=["blobs"])
    Baseline(model="synthetic")


def test_its_name_says_that_it_has_seen_anomalies():
    assert Synthetic().label == "synthetic (trained on synthetic anomalies)"
    assert Autoencoder().label == "autoencoder"
    assert Autoencoder().trained_on == ()


def test_rows_and_tables_say_so_too():
    task = SEEN_TASK | {"corruption": "stripes:lines=3"}
    row, _ = next(run_together([Trial(task=task, model=TINY, localize=False)]))
    assert row["facts"]["trained_on"] == "blobs"
    assert model_label(row) == "synthetic" + SEEN
    assert flatten(row)["model.name"] == "synthetic" + SEEN
    plain = {"trial": "", "config": {"model": {"name": "autoencoder"}}, "facts": {}, "metrics": {}}
    assert flatten(plain)["model.name"] == "autoencoder"


@pytest.mark.slow
def test_the_console_says_so_too(tmp_path, capsys):
    from anomalist.baseline import job as baseline

    baseline.run(
        Baseline(train=200, calibration=150, test=40, corruptions=["stripes:lines=3"], model=TINY),
        tmp_path,
    )
    assert "synthetic (trained on synthetic anomalies) on mnist" in capsys.readouterr().out

"""The ensemble: members on one scale by held-out normal images, no member lost, none of them
touched."""

import numpy as np
import pytest

from anomalist import models, training
from anomalist.baseline import Baseline
from anomalist.cli import _options as options
from anomalist.cli._parser import Parser
from anomalist.models import Ensemble, parse
from anomalist.models._standardise import Standard, hold_out
from anomalist.trial import Trial
from refusals import refused
from toys import blobs

SMALL = "autoencoder:width=4,bottleneck=3,epochs=2,batch_size=64"
IMAGES, TEST = blobs(100), np.concatenate([blobs(20, seed=1), 1 - blobs(5, seed=2)])


def ensemble(*members, **changes):
    return Ensemble(**{"members": members or ("pca", "lof"), "device": "cpu", **changes})


@pytest.mark.parametrize(("combine", "join"), [("mean", np.mean), ("max", np.max)])
def test_scores_are_joined_after_each_is_standardised_on_held_out_images(combine, join):
    rest, held_out = hold_out(IMAGES, 0.1, seed=3)
    parts, maps = [], []
    for spec in ("pca", SMALL, "lof"):
        member = parse({"name": spec, "seed": 3, "device": "cpu"}).fit(rest)
        normal, found = member.score(held_out), member.score(TEST)
        parts.append((found.image - normal.image.mean()) / normal.image.std())
        if found.pixel is not None:
            maps.append((found.pixel - normal.pixel.mean()) / normal.pixel.std())
    scores = ensemble("pca", SMALL, "lof", combine=combine, seed=3).fit(IMAGES).score(TEST)
    np.testing.assert_allclose(scores.image, join(parts, axis=0), rtol=1e-3, atol=1e-4)
    assert len(maps) == 2  # LOF has none
    np.testing.assert_allclose(scores.pixel, join(maps, axis=0), rtol=1e-3, atol=1e-4)


def test_the_excess_of_others_is_what_no_held_out_normal_image_reaches():
    rest, held_out = hold_out(IMAGES, 0.1, seed=3)
    z, maps = [], []
    for spec in ("pca", "lof", "pca:components=2"):
        member = parse({"name": spec, "seed": 3}).fit(rest)
        normal, found = member.score(held_out), member.score(TEST)
        pairs = [(normal.image, found.image, z)] + [(normal.pixel, found.pixel, maps)] * (
            found.pixel is not None
        )
        for usual, new, parts in pairs:
            standard = (new - usual.mean()) / usual.std()
            parts.append(
                np.maximum(standard - (usual.max() - usual.mean()) / usual.std(), 0)
                if parts
                else standard
            )
    scores = (
        ensemble("pca", "lof", "pca:components=2", combine="excess", seed=3).fit(IMAGES).score(TEST)
    )
    assert (np.sum(z[1:], axis=0) > 0)[20:].all()  # the inverted ones
    np.testing.assert_allclose(scores.image, np.sum(z, axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scores.pixel, np.sum(maps, axis=0), rtol=1e-3, atol=1e-3)


def test_an_ensemble_of_fitted_detectors_is_the_one_that_fits_them(tmp_path):
    rest, held_out = hold_out(IMAGES, 0.1, seed=0)
    fitted = [parse(spec).fit(rest) for spec in ("pca", "lof")]
    made = Ensemble.of(fitted, held_out, "mean")
    assert (
        made.score(TEST).image.tobytes()
        == ensemble(combine="mean").fit(IMAGES).score(TEST).image.tobytes()
    )
    made.save(tmp_path)
    assert models.load(tmp_path).score(TEST).image.tobytes() == made.score(TEST).image.tobytes()
    with refused("lof is not fitted yet"):
        Ensemble.of([fitted[0], parse("lof")], held_out)
    with refused("was fitted on images [1, 12, 12]", "[1, 5, 5]"):
        Ensemble.of(fitted, held_out[:, :, :5, :5])


def test_without_a_member_that_has_maps_there_is_none():
    assert ensemble("lof", "knn").fit(IMAGES).score(TEST).pixel is None


@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_constant_member_gives_no_nan(count, value):
    detector = ensemble().fit(np.full((count, 1, 12, 12), value, np.float32))
    assert np.isfinite(detector.score(TEST).image).all()
    assert np.isfinite(detector.score(TEST).pixel).all()


@pytest.mark.parametrize(
    ("normal", "mean", "scale"),
    [
        ([1.0, 3.0], 2, 1),
        ([4.0, 4.0], 4, 4),
        ([-4.0], -4, 4),
        ([0.0, 0.0], 0, 1),
        ([1e6, 1e6 + 1e-3], 1e6, 1e6),
    ],
)
def test_the_standard_of_what_does_not_vary_is_its_size(normal, mean, scale):
    standard = Standard.of(np.array(normal))
    assert standard.mean == pytest.approx(mean)
    assert standard.scale == pytest.approx(scale)
    assert standard(np.array([mean + 2 * scale])) == pytest.approx([2])


@pytest.mark.parametrize(
    ("count", "share", "held"),
    [(100, 0.1, 10), (100, 0.001, 1), (100, 0.999, 99), (2, 0.1, 1), (3, 0.9, 2)],
)
def test_images_are_held_out_by_seed_and_none_is_both(count, share, held):
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1)
    rest, normal = hold_out(images, share, seed=0)
    assert (len(rest), len(normal)) == (count - held, held)
    assert sorted([*rest.ravel(), *normal.ravel()]) == [*range(count)]
    np.testing.assert_array_equal(hold_out(images, share, seed=0)[1], normal)
    if count == 100 and held == 10:
        assert (hold_out(images, share, seed=1)[1] != normal).any()


def test_a_single_image_is_both():
    rest, normal = hold_out(IMAGES[:1], 0.1, seed=0)
    np.testing.assert_array_equal(rest, normal)


def test_members_get_the_ensemble_s_seed_and_are_not_fitted_themselves():
    member = parse(SMALL)
    detector = ensemble(member, "lof", seed=7, precision="float32").fit(IMAGES)
    assert [(m.seed, m.device, m.precision) for m in detector._fitted] == [
        (7, "cpu", "float32")
    ] * 2
    with refused("autoencoder is not fitted yet"):
        member.score(TEST)
    assert len(detector.history) == 2


def test_it_is_trained_on_what_its_members_are(monkeypatch):
    monkeypatch.setattr(
        type(parse("lof")), "trained_on", property(lambda self: ("stripes", "blobs"))
    )
    monkeypatch.setattr(type(parse("pca")), "trained_on", property(lambda self: ("blobs", "holes")))
    assert ensemble("lof", "pca", "knn").trained_on == ("stripes", "blobs", "holes")
    assert ensemble("knn", "knn").trained_on == ()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["lof"], ["ensemble.members"]),
        ([], ["ensemble.members"]),
        (["lof", "pcaa"], ["ensemble.members.1", "unknown model 'pcaa'", "did you mean 'pca'?"]),
        (["lof", "pca:blurr=1"], ["unknown option of pca 'blurr'"]),
        (["lof", "pca:blur"], ["'blur' lacks a value"]),
        (["lof", 3], ["ensemble.members.1", "got 3"]),
    ],
)
def test_members_that_are_none_are_refused(members, words):
    with refused(*words):
        Ensemble(members=members)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_held_out_lies_between_nothing_and_all(share):
    with refused("ensemble.held_out"):
        ensemble(held_out=share)


def test_text_names_it_with_its_members_options():
    given = parse("ensemble:members=(lof:blur=1,deskew=true);pca,combine=max")
    assert given == Ensemble(members=("lof:blur=1,deskew=true", "pca"), combine="max")
    assert given.members[0].blur == 1
    assert parse({"name": "ensemble", **given.model_dump(mode="json")}) == given
    assert parse({"name": "lof:blur=1,k=5", "k": 7}) == parse("lof:blur=1,k=7")


def test_a_training_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = ensemble("pca", SMALL, SMALL).fit(IMAGES)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    report = training._Progress.report
    reported = []

    def interrupted(self, history):
        reported.append(len(history))
        if len(reported) == 4:  # in the last epoch of the last member
            raise KeyboardInterrupt
        report(self, history)

    monkeypatch.setattr(training._Progress, "report", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ensemble("pca", SMALL, SMALL).fit(IMAGES, checkpoint=tmp_path / "fit")
    assert len(list(tmp_path.iterdir())) == 2
    resumed = ensemble("pca", SMALL, SMALL).fit(IMAGES, checkpoint=tmp_path / "fit")
    assert reported == [1, 2, 1, 2, 2]  # the first member had ended, the second had one epoch left
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(resumed.score(TEST).pixel, whole.score(TEST).pixel)


def test_a_command_line_may_name_a_model_with_its_options():
    words = ["--model", "lof:blur=1,deskew=true", "--model.k", "7"]
    parser = Parser("test", "a test")
    options.add_options(parser, Baseline, words)
    model = Baseline(**options.collect(parser.read(words), Baseline)).model
    assert model == parse("lof:blur=1,deskew=true,k=7")
    words = ["--model", "ensemble", "--model.members", "lof:blur=1,deskew=true", "pca"]
    parser = Parser("test", "a test")
    options.add_options(parser, Baseline, words)
    model = Baseline(**options.collect(parser.read(words), Baseline)).model
    assert model == parse("ensemble:members=(lof:blur=1,deskew=true);pca")


def test_a_member_s_new_version_gives_the_trial_a_new_name(monkeypatch):
    trial = Trial(model="ensemble:members=pca;(ensemble:members=knn;lof)")
    before = trial.key
    monkeypatch.setattr(type(parse("lof")), "version", 99)
    assert trial.key != before
    assert trial.model.versions == [1, 1, [1, 1, 99]]

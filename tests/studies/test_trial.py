"""Trials: what names them, what a fit depends on, and that a row depends on nothing else."""

import json

import pytest
from small import AXES, BASE, trials

from anomalist.analysis.rows import flatten, points
from anomalist.core.errors import InputError
from anomalist.images import Dataset
from anomalist.models import Autoencoder
from anomalist.studies._grid import grid, parse_axes, parse_axis, with_values
from anomalist.trial import FitFailed, Trial, run_together
from refusals import refused
from toys import toy_dataset


def test_the_key_changes_with_everything_that_a_row_depends_on():
    changes = [
        {},
        {"seed": 1},
        {"model.bottleneck": 4},
        {"task.corruption": "stripes:lines=2"},
        {"task.test": 41},
        {"task.train": 301},
        {"localize": True},
        {"threads": 2},
        {"precision": "bfloat16"},
        {"false_alarm_rate": 0.02},
        {"task.kind": "one_class", "task.normal_classes": (3,)},
        {"task.normal_classes": (0, 1)},
    ]
    keys = [with_values(BASE, change).key for change in changes]
    assert len(set(keys)) == len(keys)


def test_the_key_changes_with_the_detector_s_version(monkeypatch):
    before = BASE.key
    monkeypatch.setattr(Autoencoder, "version", 99)
    assert BASE.key != before


def test_a_default_spelt_out_names_the_same_trial():
    spelt = with_values(BASE, {"model.bottleneck": 32, "task.contamination": 0.0})
    assert spelt.key == BASE.key


def test_the_key_survives_json():
    assert Trial(**json.loads(BASE.model_dump_json())).key == BASE.key


def test_one_class_and_corrupted_trials_never_share_a_name():
    plain = Trial(task={"kind": "one_class"}), Trial(task={"kind": "corrupted"})
    assert plain[0].key != plain[1].key
    assert plain[0].fit_key != plain[1].fit_key


def test_a_fit_depends_on_training_alone():
    for change in (
        {"task.corruption": "stripes:lines=5"},
        {"task.test": 7},
        {"localize": True},
        {"task.contaminant": "class"},
    ):
        assert with_values(BASE, change).fit_key == BASE.fit_key, change
    contaminated = {
        "task.contamination": 0.1,
        "task.contaminant": "class",
        "task.normal_classes": (0, 1),
    }
    for change in (
        {"seed": 1},
        {"task.train": 200},
        {"model.epochs": 3},
        {"task.calibration": 200},
        contaminated,
    ):
        assert with_values(BASE, change).fit_key != BASE.fit_key, change


def test_trials_run_together_give_the_rows_that_they_give_alone(tmp_path):
    group = [trial for trial in trials() if trial.fit_key == trials()[0].fit_key]
    assert len(group) == 3
    together = [row for row, _ in run_together(group, tmp_path)]
    assert len(list(tmp_path.glob("[!.]*"))) == 1  # one fitted detector
    alone = [next(run_together([trial]))[0] for trial in reversed(group)]
    assert together == alone[::-1]
    assert [row["trial"] for row in together] == [trial.key for trial in group]


def test_a_damaged_fitted_detector_is_fitted_anew(tmp_path):
    first, _ = next(run_together([BASE], tmp_path))
    weights = tmp_path / BASE.fit_key / "arrays.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1])
    again, _ = next(run_together([BASE], tmp_path))
    assert again == first
    assert weights.read_bytes() == good


def test_a_fit_that_fails_says_so():
    with pytest.raises(FitFailed, match="train: 100,000 images requested"):
        next(run_together([with_values(BASE, {"task.train": 100_000})]))


def test_contamination_reaches_training_only():
    change = {"task.contamination": 0.2, "task.contaminant": "stripes:lines=3"}
    clean, dirty = (next(run_together([trial]))[0] for trial in (BASE, with_values(BASE, change)))
    assert clean["facts"] == dirty["facts"]
    assert clean["metrics"]["auroc"] != dirty["metrics"]["auroc"]


def test_the_grid_is_every_combination_of_values_and_seeds():
    found = grid(BASE, AXES, 3)
    assert len({trial.key for trial in found}) == 2 * 3 * 3
    assert {trial.seed for trial in found} == {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"model.botleneck": 2},
            "unknown option 'model.botleneck': did you mean 'model.bottleneck'?",
        ),
        ({"task.sed": 2}, "unknown option 'task.sed'"),
        ({"sed": 2}, "unknown option 'sed': did you mean 'seed'?"),
        ({"model.seed": 2}, "unknown option 'model.seed'"),  # the trial's own seed is the only one
        ({"model.bottleneck": 0}, "bottleneck: input should be greater than or equal to 1"),
        ({"task.corruption": "strips"}, "unknown corruption 'strips'"),
        ({"model": "autoencodr"}, "unknown model 'autoencodr'"),
    ],
)
def test_wrong_axes_are_answered_with_the_valid_ones(change, words):
    with pytest.raises(InputError) as caught:
        with_values(BASE, change)
    assert words in str(caught.value)


def test_axes_are_read_from_text():
    assert parse_axis("model.bottleneck=2, 4,8") == ("model.bottleneck", ["2", "4", "8"])
    assert parse_axis("task.dataset=(folder:path=p,resize=32)")[1] == ["folder:path=p,resize=32"]
    assert parse_axis("task.dataset=(folder:path=p,resize=32),digits")[1] == [
        "folder:path=p,resize=32",
        "digits",
    ]
    assert parse_axis("model.blurs=(0;1),(0;1;2)")[1] == ["0;1", "0;1;2"]
    assert parse_axis("task.corruption=stripes:lines=1,value=black;stripes")[1] == [
        "stripes:lines=1,value=black",
        "stripes",
    ]
    with pytest.raises(InputError, match="option=value,value"):
        parse_axis("model.bottleneck")


def test_points_are_means_over_seeds_with_student_s_interval():
    table = [
        {"size": size, "auroc": value} for size, value in ((2, 0.6), (2, 0.7), (2, 0.8), (4, 0.9))
    ]
    two, four = points(table, ["size"], "auroc")
    assert two["mean"] == pytest.approx(0.7)
    half = 4.302652729911275 * 0.1 / 3**0.5  # t quantile of 2 degrees of freedom
    assert (two["low"], two["high"]) == pytest.approx((0.7 - half, 0.7 + half))
    assert (four["low"], four["high"], four["n"]) == (None, None, 1)


def test_a_flat_row_has_every_option_and_metric():
    flat = flatten(next(run_together([BASE]))[0])
    assert flat["task.corruption"] == "stripes"
    assert flat["model.bottleneck"] == 32
    assert flat["auroc_low"] <= flat["auroc"] <= flat["auroc_high"]
    assert not any(isinstance(value, list | dict) for value in flat.values())


def test_known_anomalies_reach_the_detector_and_the_row_counts_duplicates(tmp_path):
    base = {"task.train": 300, "task.kind": "one_class", "model": "pca"}
    plain, known, unnoticed = (
        next(run_together([with_values(BASE, {**base, **more})], tmp_path))[0]
        for more in ({}, {"task.labelled": 0.3}, {"task.contamination": 0.3})
    )
    auroc = [row["metrics"]["auroc"]["value"] for row in (plain, known, unnoticed)]
    assert auroc[0] > auroc[2]
    assert auroc[1] > auroc[2]
    assert "duplicates" not in plain["facts"]


def test_a_trial_whose_test_images_are_training_images_is_refused_or_says_so(monkeypatch):
    toy = toy_dataset()
    leaky = Dataset("toy", toy.train, toy.train, "made for a test")
    monkeypatch.setattr("anomalist.trial._dataset", lambda name: leaky)
    task = {"kind": "corrupted", "calibration": 150, "train": 75}
    with pytest.raises(InputError, match="225 of 600 test images are identical"):
        next(run_together([Trial(task=task, model="pca")]))
    row, _ = next(run_together([Trial(task={**task, "duplicates": 0.5}, model="pca")]))
    assert row["facts"]["duplicates"] == 225


def test_all_that_is_wrong_in_axes_is_said_at_once_and_before_any_trial():
    axes = {"model": ["pca", "pcaa"], "task.dataset": ["digits", "digts", "folder:path=nowhere"]}
    with refused("unknown model 'pcaa'", "unknown data set 'digts'", "nowhere"):
        grid(Trial(), axes, 2)


def test_of_own_files_all_are_taken(tmp_path):
    (tmp_path / "parts").mkdir()
    base = Trial(task={"kind": "corrupted", "train": 10, "test": 20})
    folder = f"folder:path={tmp_path / 'parts'}"
    assert with_values(base, {"task.dataset": folder}).task.test is None
    assert with_values(base, {"task.dataset": folder, "task.test": 5}).task.test == 5
    assert with_values(base, {"task.dataset": "digits"}).task.test == 20


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (["model.bottleneck=2", "model.bottleneck=4"], "given twice"),
        (["seed=1,2"], "--seeds"),
        (["a=2,2"], "value is given twice"),
    ],
)
def test_axes_that_contradict_themselves_are_refused(texts, word):
    with refused(word):
        parse_axes(texts)
    assert parse_axes(["a=1", "b=2,3"]) == {"a": ["1"], "b": ["2", "3"]}

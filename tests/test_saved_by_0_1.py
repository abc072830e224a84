"""What version 0.1 wrote and what its users typed can still be read.

``saved_by_0_1/`` was written by the last commit of version 0.1: three small detectors with the
scores that they gave, and the rows and report of a small grid.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from anomalist import cli, models
from anomalist.core import console
from anomalist.datasets import parse as parse_dataset
from anomalist.reports import study
from anomalist.studies import grid
from anomalist.tasks import Defects
from anomalist.trial import Trial
from refusals import refused
from toys import blobs

SAVED = Path(__file__).parent / "saved_by_0_1"
DETECTORS = sorted(path.name for path in (SAVED / "detectors").iterdir())

# Old spelling, new spelling.
OPTIONS = [
    ("fcdd:made=0.25,halvings=1", "fcdd:synthetic_share=0.25,downsamplings=1"),
    ("deviation_network:made=0.25", "deviation_network:synthetic_share=0.25"),
    ("outlier_exposure:made=0.25", "outlier_exposure:synthetic_share=0.25"),
    ("padim:unit=true", "padim:l2_normalise=true"),
    ("patch_memory:unit=true", "patch_memory:l2_normalise=true"),
]
FOLDERS = [
    ("folder:path=parts,fit=squash", "folder:path=parts,resize_mode=stretch"),
    (
        "folder:path=parts,fit=pad,broken=0.5",
        "folder:path=parts,resize_mode=pad,max_broken_share=0.5",
    ),
]


def test_there_are_detectors():
    assert DETECTORS == ["autoencoder", "fcdd", "pca"]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_saved_detector_gives_the_scores_that_it_gave(name):
    detector = models.load(SAVED / "detectors" / name)
    scores = detector.score(blobs(20, seed=1))
    with np.load(SAVED / "detectors" / name / "scores.npz") as kept:
        np.testing.assert_allclose(scores.image, kept["image"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(scores.pixel, kept["pixel"], rtol=1e-4, atol=1e-6)


def test_a_report_is_made_from_kept_rows(tmp_path, capsys):
    results = tmp_path / "results"
    shutil.copytree(SAVED / "results", results)
    kept = (results / "studies" / "grid.md").read_text(encoding="utf-8")
    table = (results / "studies" / "grid.csv").read_bytes()
    for name in ("grid.md", "grid.csv"):
        (results / "studies" / name).unlink()
    assert cli.main(["report", "grid", "--results", str(results)]) == 0
    assert (results / "studies" / "grid.md").read_text(encoding="utf-8") == kept
    assert (results / "studies" / "grid.csv").read_bytes() == table
    assert kept in capsys.readouterr().out
    assert (results / "plots" / "grid_vs_auc.png").exists()


@pytest.mark.parametrize(("old", "new"), OPTIONS)
def test_an_old_option_of_a_detector_is_accepted_with_one_line_each(old, new, capsys):
    console.deprecated.cache_clear()  # a line is said once per process
    assert models.parse(old) == models.parse(new)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == old.count("=")
    assert all("is now called" in line for line in lines)
    assert models.parse(new)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("old", "new"), FOLDERS)
def test_an_old_option_of_a_folder_is_accepted(old, new):
    assert parse_dataset(old) == parse_dataset(new)
    assert str(parse_dataset(old)) == str(parse_dataset(new))


@pytest.mark.parametrize(("old", "new"), [*OPTIONS, *FOLDERS])
def test_both_spellings_name_the_same_trial(old, new):
    def key(spec):
        if spec.startswith("folder"):
            task = Defects(dataset=spec, calibration=100)
            return Trial(task=task, model="pca").key
        task = Defects(dataset="folder:path=parts", calibration=100)
        return Trial(task=task, model=spec).key

    assert key(old) == key(new)


def test_a_grid_over_an_old_option_is_a_grid_over_the_new_one():
    old = grid.study("quick", 1, ["model=fcdd", "model.made=0.2,0.5,0.8"])
    new = grid.study("quick", 1, ["model=fcdd", "model.synthetic_share=0.2,0.5,0.8"])
    assert old.layout == new.layout
    assert old.layout.x == "model.synthetic_share"
    assert [trial.key for trial in old.trials] == [trial.key for trial in new.trials]
    both = ["model=fcdd", "model.made=0.2", "model.synthetic_share=0.5"]
    with refused("made is the old name of synthetic_share"):
        grid.study("quick", 1, both)


def test_a_report_that_fails_leaves_the_study_readable(tmp_path, monkeypatch):
    results = tmp_path / "results"
    shutil.copytree(SAVED / "results", results)
    kept = (results / "studies" / "grid.json").read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study, "_curves", interrupted)
        assert cli.main(["report", "grid", "--results", str(results)]) != 0
    assert (results / "studies" / "grid.json").read_bytes() == kept
    assert cli.main(["report", "grid", "--results", str(results)]) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"row": {}, "sha256": ""}'])
def test_a_damaged_row_is_named_and_set_aside(content, tmp_path, capsys):
    results = tmp_path / "results"
    shutil.copytree(SAVED / "results", results)
    row = results / "trials" / "48967d13ddbf0888.json"
    row.write_text(content)
    assert cli.main(["report", "grid", "--results", str(results)]) == 0
    done = capsys.readouterr()
    assert "5 of 6 trials are finished." in done.out
    assert done.err.count(f"{row} is damaged and ignored; run its study again") == 1
    assert row.with_suffix(".damaged").exists()


def test_a_trial_of_0_1_keeps_its_name():
    """Names hash the old spelling: computed with the last commit of version 0.1."""
    folder = "folder:path=parts,resize=64,resize_mode=stretch,max_broken_share=0.5"
    task = Defects(dataset=folder, calibration=100)
    model = "fcdd:synthetic_share=0.25,downsamplings=1"
    assert Trial(task=task, model=model, seed=3).key == "014dabc8e9cb34b6"

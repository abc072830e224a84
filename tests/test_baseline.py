"""The main job on real MNIST, small: what it writes, that a seed fixes every byte, and that it learns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from anomalist import baseline, cli
from anomalist.baseline import Baseline
from anomalist.errors import InputError
from anomalist.reports import pages

TINY = {"train": 1_000, "calibration": 200, "test": 100}
SPECS = ("gaussian_noise:sigma=0.3", "stripes:lines=1", "stripes:lines=3", "patch_occlusion:side=4,margin=4")


def tiny(seed=0, **changes):
    return Baseline(
        **TINY | changes,
        corruptions=SPECS,
        model={"name": "autoencoder", "epochs": 5, "width": 8, "batch_size": 16},
        seed=seed,
        device="cpu",
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    baseline.run(tiny(), folder, save_maps=True)
    return folder


def test_everything_promised_is_written(finished):
    written = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    assert written == {
        "metrics.json", "scores.npz", "config.json", "environment.json", "dataset_stats.json", "training.json",
        "model/detector.json", "model/arrays.safetensors",
        "plots/roc.png", "plots/score_histograms.png", "plots/auroc_vs_severity.png", "plots/loss.png",
        "anomalies/cases.npz", "anomalies/gaussian_noise.png", "anomalies/stripes.png", "anomalies/patch_occlusion.png",
    }  # fmt: skip


def test_rows_follow_the_schema(finished):
    written = json.loads((finished / "metrics.json").read_text())
    assert written["schema"] == 1
    for row in written["rows"]:
        assert list(row) == [
            "task", "corruption", "setting", "severity", "metric", "value", "low", "high", "n", "left_out"
        ]  # fmt: skip
        assert row["low"] <= row["value"] <= row["high"]
    assert {row["setting"] for row in written["rows"]} == set(SPECS)
    assert {row["metric"] for row in written["rows"]} == {
        "auroc", "average_precision", "fpr95", "best_f1", "pixel_auroc", "pixel_ap", "aupro", "iou", "dice",
        "detection_rate", "false_alarm_rate",
    }  # fmt: skip


def test_holes_that_change_nothing_are_counted_not_judged(finished):
    rows = json.loads((finished / "metrics.json").read_text())["rows"]
    hole = next(row for row in rows if row["corruption"] == "patch_occlusion" and row["metric"] == "auroc")
    assert hole["left_out"] > 0
    assert hole["n"] == 100  # independent images: a clean one and its twin are one


def test_it_finds_noise_and_lines(finished):
    rows = json.loads((finished / "metrics.json").read_text())["rows"]
    auroc = {row["setting"]: row["value"] for row in rows if row["metric"] == "auroc"}
    assert auroc["gaussian_noise:sigma=0.3"] > 0.95
    assert auroc["stripes:lines=3"] > 0.95


def test_scores_hold_every_test_image_and_the_maps_when_asked(finished):
    with np.load(finished / "scores.npz") as scores:
        assert scores["clean"].shape == (100,)
        assert scores["calibration"].shape == (200,)
        assert scores["stripes:lines=1"].shape == scores["stripes:lines=1/source"].shape == (100,)
        assert scores["stripes:lines=1/maps"].shape == (100, 28, 28)


@pytest.mark.slow
def test_one_seed_gives_the_same_bytes_and_another_differs(finished, tmp_path):
    for name, seed in (("again", 0), ("other", 1)):
        baseline.run(tiny(seed), tmp_path / name, save_maps=True)
    for name in ("metrics.json", "scores.npz", "config.json", "model/arrays.safetensors"):
        assert (finished / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
        assert (finished / name).read_bytes() != (tmp_path / "other" / name).read_bytes(), name


def test_config_json_gives_back_the_run(finished):
    assert Baseline(**json.loads((finished / "config.json").read_text())) == tiny()


def test_the_environment_says_what_it_was_made_with(finished):
    environment = json.loads((finished / "environment.json").read_text())
    assert {"python", "packages", "processor", "device", "precision", "threads", "commit", "seconds"} <= set(
        environment
    )
    assert set(environment["seconds"]) == {"data", "fit", "test", "plots"}


@pytest.mark.slow
def test_pictures_are_remade_from_the_folder_without_torch(finished, tmp_path):
    code = (
        "import sys; from pathlib import Path; from anomalist.reports import pages; pages.draw(Path(sys.argv[1]));"
        "assert 'torch' not in sys.modules"
    )
    before = {path.name: path.stat().st_mtime_ns for path in (finished / "plots").iterdir()}
    subprocess.run([sys.executable, "-c", code, finished], check=True, timeout=120)
    after = {path.name: path.stat().st_mtime_ns for path in (finished / "plots").iterdir()}
    assert set(before) == set(after)
    assert all(after[name] > before[name] for name in before)


@pytest.mark.slow
def test_a_picture_of_an_earlier_run_does_not_stay(finished):
    stale = finished / "anomalies" / "left_over.png"
    stale.write_bytes(b"")
    pages.draw(finished)
    assert not stale.exists()


def test_a_corruption_that_changes_nothing_is_refused_and_finished_ones_stay(tmp_path):
    config = tiny().model_copy(update={"corruptions": Baseline(corruptions=["stripes", "stripes:lines=0"]).corruptions})
    with pytest.raises(InputError, match="stripes:lines=0 changes none of the 100 test images"):
        baseline.run(config, tmp_path)
    rows = json.loads((tmp_path / "metrics.json").read_text())["rows"]
    assert {row["setting"] for row in rows} == {"stripes"}


def test_quick_changes_only_what_was_not_said():
    config = Baseline(**baseline.quick({"train": 50, "model": {"name": "autoencoder", "bottleneck": 3}}))
    assert (config.train, config.calibration, config.test) == (50, 1_000, 1_000)
    assert config.detector().bottleneck == 3
    assert config.detector().epochs == 10
    assert Baseline(**baseline.quick({"model": {"name": "autoencoder", "epochs": 2}})).detector().epochs == 2


@pytest.mark.slow
def test_quick_shortens_the_members_of_an_ensemble_too():
    given = "ensemble:members=autoencoder;lof;(autoencoder:epochs=7)"
    members = Baseline(**baseline.quick({"model": given})).detector().members
    assert [getattr(member, "epochs", None) for member in members] == [baseline._QUICK_EPOCHS, None, 7]


@pytest.mark.slow
def test_the_script_runs_quickly_on_all_corruptions_and_says_what_it_did(tmp_path):
    script = Path(__file__).parent.parent / "experiments" / "baseline_mnist.py"
    done = subprocess.run(
        [sys.executable, script, "--quick", "--results", tmp_path, "--threads", "1"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for expected in ("data: ", "6,000 images to train on", "AUROC [95 % CI]", "left out", f"results in {tmp_path}"):
        assert expected in done.stdout
    assert "epoch 10/10, loss" in done.stderr
    rows = json.loads((tmp_path / "metrics.json").read_text())["rows"]
    auroc = {row["setting"]: row["value"] for row in rows if row["metric"] == "auroc"}
    assert len(auroc) == 16
    assert auroc["gaussian_noise:sigma=0.3"] > 0.99
    assert auroc["stripes:lines=3"] > 0.99
    assert auroc["pixel_dropout:probability=0.3"] > 0.85


@pytest.mark.slow
def test_the_command_and_the_script_are_the_same_code(tmp_path, capsys):
    words = ["run", "--results", str(tmp_path), "--train", "1000", "--calibration", "200", "--test", "100"]
    words += [
        "--model.epochs",
        "5",
        "--model.width",
        "8",
        "--model.batch_size",
        "16",
        "--device",
        "cpu",
        "--corruptions",
        *SPECS,
    ]
    assert cli.main(words) == 0
    assert json.loads((tmp_path / "config.json").read_text()) == tiny().model_dump(mode="json")
    assert "AUROC [95 % CI]" in capsys.readouterr().out

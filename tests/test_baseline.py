"""The main job on real MNIST, small: what it writes, that a seed fixes every byte, and that it
learns."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from anomalist import cli, datasets, models
from anomalist.baseline import Baseline, quick
from anomalist.baseline import job as baseline
from anomalist.core.errors import InputError
from anomalist.reports import pages, panels
from anomalist.reports.tables import baseline_table
from refusals import refused

TINY = {"train": 1_000, "calibration": 200, "test": 100}
SPECS = (
    "gaussian_noise:sigma=0.3",
    "stripes:lines=1",
    "stripes:lines=3",
    "patch_occlusion:side=4,margin=4",
)


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
    files = (
        path for path in finished.rglob("*") if path.is_file() and not path.name.startswith(".")
    )  # but the lock
    written = {str(path.relative_to(finished)) for path in files}
    assert written == {
        "metrics.json",
        "metrics.csv",
        "scores.npz",
        "curves.npz",
        "config.json",
        "environment.json",
        "dataset_stats.json",
        "training.json",
        "thumbnails.jsonl",
        "report.html",
        "model/detector.json",
        "model/arrays.safetensors",
        "model_fused/detector.json",
        "model_fused/arrays.safetensors",
        "plots/roc.png",
        "plots/score_histograms.png",
        "plots/auroc_vs_severity.png",
        "plots/loss.png",
        "anomalies/cases.npz",
        "anomalies/gaussian_noise.png",
        "anomalies/stripes.png",
        "anomalies/patch_occlusion.png",
    }


def test_rows_follow_the_schema(finished):
    written = json.loads((finished / "metrics.json").read_text())
    assert written["schema"] == 1
    for row in written["rows"]:
        assert list(row) == [
            "task",
            "corruption",
            "setting",
            "severity",
            "metric",
            "value",
            "low",
            "high",
            "n",
            "left_out",
        ]
        assert row["low"] <= row["value"] <= row["high"]
    assert {row["setting"] for row in written["rows"]} == set(SPECS)
    assert {row["metric"] for row in written["rows"]} == {
        "auroc",
        "average_precision",
        "fpr95",
        "best_f1",
        "pixel_auroc",
        "pixel_ap",
        "aupro",
        "iou",
        "dice",
        "detection_rate",
        "false_alarm_rate",
    }


def test_the_second_score_has_the_same_rows_and_its_own_arrays(finished):
    written = json.loads((finished / "metrics.json").read_text())
    assert written["second"]["score"] == "fused"
    second = written["second"]["rows"]

    def keys(rows):
        return [(row["setting"], row["metric"], row["left_out"]) for row in rows]

    assert keys(second) == keys(written["rows"])
    assert second != written["rows"]
    plain, fused = models.load(finished / "model"), models.load(finished / "model_fused")
    assert (plain.score_by, fused.score_by) == ("error", "fused")
    with np.load(finished / "scores.npz") as scores:
        assert scores["clean/fused"].shape == (100,)
        assert scores["calibration/fused"].shape == (200,)
        assert scores["stripes:lines=1/fused"].shape == (100,)
        assert scores["stripes:lines=1/fused/maps"].shape == (100, 28, 28)
    with np.load(finished / "anomalies" / "cases.npz") as cases:
        assert cases["stripes:lines=1/second_maps"].shape == cases["stripes:lines=1/maps"].shape
        assert cases["second/top"] > cases["second/bottom"]


def test_the_table_has_both_scores_side_by_side(finished):
    written = json.loads((finished / "metrics.json").read_text())
    lines = baseline_table(written["rows"], second=written["second"]["rows"]).splitlines()
    head = "corruption severity AUROC, error AUROC, fused AUPRO, error AUPRO, fused excluded"
    assert " ".join(lines[0].split()) == head
    values = {row["metric"]: row["value"] for row in written["second"]["rows"][:11]}
    assert f"{values['auroc']:.4f} [" in lines[2]
    assert f"{values['aupro']:.3f}" in lines[2]


@pytest.mark.slow
def test_a_detector_without_a_second_score_leaves_none_behind(tmp_path):
    for model in ("autoencoder:epochs=1", "pca"):
        config = Baseline(**TINY, corruptions=SPECS[2:3], model=model, device="cpu")
        baseline.run(config, tmp_path)
        (tmp_path / "model_fused").mkdir(exist_ok=True)
        (tmp_path / "model_fused" / "thesis.txt").write_text("mine")
    assert [path.name for path in (tmp_path / "model_fused").iterdir()] == ["thesis.txt"]
    assert "second" not in json.loads((tmp_path / "metrics.json").read_text())


def test_holes_that_change_nothing_are_counted_not_judged(finished):
    rows = json.loads((finished / "metrics.json").read_text())["rows"]
    hole = next(
        row for row in rows if row["corruption"] == "patch_occlusion" and row["metric"] == "auroc"
    )
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
    assert Baseline(**json.loads((finished / "config.json").read_text())) == tiny(
        false_alarm_rate=0.01
    )


def test_the_environment_says_what_it_was_made_with(finished):
    environment = json.loads((finished / "environment.json").read_text())
    assert {
        "python",
        "packages",
        "processor",
        "device",
        "precision",
        "threads",
        "commit",
        "seconds",
    } <= set(environment)
    assert set(environment["seconds"]) == {"data", "fit", "test", "plots"}


@pytest.mark.slow
def test_pictures_are_remade_from_the_folder_without_torch(finished, tmp_path):
    code = (
        "import sys; from pathlib import Path; from anomalist.reports import pages; "
        "pages.draw(Path(sys.argv[1]));"
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


@pytest.mark.slow
def test_a_corruption_that_changes_nothing_is_refused_and_finished_ones_stay(tmp_path):
    config = tiny().model_copy(
        update={"corruptions": Baseline(corruptions=["stripes", "stripes:lines=0"]).corruptions}
    )
    with pytest.raises(InputError, match="stripes:lines=0 changes none of the 100 test images"):
        baseline.run(config, tmp_path)
    rows = json.loads((tmp_path / "metrics.json").read_text())["rows"]
    assert {row["setting"] for row in rows} == {"stripes"}


def test_quick_changes_only_what_was_not_said():
    config = Baseline(**quick({"train": 50, "model": {"name": "autoencoder", "bottleneck": 3}}))
    sized = config.sized(datasets.load("digits"), quick=True)
    assert (sized.train, sized.calibration, sized.test) == (50, 240, 597)
    assert config.detector().bottleneck == 3
    assert config.detector().epochs == 6
    assert Baseline(**quick({"model": {"name": "autoencoder", "epochs": 2}})).detector().epochs == 2


@pytest.mark.slow
def test_quick_shortens_the_members_of_an_ensemble_too():
    given = "ensemble:members=autoencoder;lof;(autoencoder:epochs=7)"
    members = Baseline(**quick({"model": given})).detector().members
    assert [getattr(member, "epochs", None) for member in members] == [6, None, 7]


@pytest.mark.slow
def test_the_script_runs_quickly_on_all_corruptions_and_says_what_it_did(tmp_path):
    script = Path(__file__).parent.parent / "experiments" / "baseline_mnist.py"
    done = subprocess.run(
        [sys.executable, script, "--quick", "--results", tmp_path, "--threads", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    for expected in (
        "data: ",
        "6,000 images to train on",
        "AUROC, error",
        "excluded",
        f"results in {tmp_path}",
    ):
        assert expected in done.stdout
    assert "epoch 6/6, loss" in done.stderr
    rows = json.loads((tmp_path / "metrics.json").read_text())["rows"]
    auroc = {row["setting"]: row["value"] for row in rows if row["metric"] == "auroc"}
    assert len(auroc) == 16
    assert auroc["gaussian_noise:sigma=0.3"] > 0.99
    assert auroc["stripes:lines=3"] > 0.99
    assert auroc["pixel_dropout:probability=0.3"] > 0.85


@pytest.mark.slow
def test_the_command_and_the_script_are_the_same_code(tmp_path, capsys):
    words = [
        "run",
        "--results",
        str(tmp_path),
        "--train",
        "1000",
        "--calibration",
        "200",
        "--test",
        "100",
    ]
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
    assert json.loads((tmp_path / "config.json").read_text()) == tiny(
        false_alarm_rate=0.01
    ).model_dump(mode="json")
    assert "AUROC, fused" in capsys.readouterr().out


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A folder of an engineer's: 60 good parts to train on, 8 to test, 3 dents and 2 cracks, with
    masks."""
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for folder, count in (
        ("train/good", 60),
        ("test/good", 8),
        ("test/dent", 3),
        ("test/crack", 2),
    ):
        for number in range(count):
            image = rng.integers(90, 110, (24, 24)).astype(np.uint8)
            mask = np.zeros((24, 24), np.uint8)
            if folder.endswith(("dent", "crack")):
                mask[5:9, 5:9] = 255
                image[mask > 0] = 255 if folder.endswith("dent") else 0
                save(tmp_path / "parts" / "ground_truth" / folder[5:] / f"{number}_mask.png", mask)
            save(tmp_path / "parts" / folder / f"{number}.png", image)
    return tmp_path / "parts"


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def run_on(parts, tmp_path, *words):
    command = [
        "run",
        "--dataset",
        f"folder:path={parts},resize=24",
        "--results",
        str(tmp_path / "results"),
    ]
    assert cli.main([*command, *words]) == 0
    return json.loads((tmp_path / "results" / "metrics.json").read_text())["rows"]


@pytest.mark.slow
def test_real_defects_are_tested_by_type_and_together_and_corruptions_when_asked(
    parts, tmp_path, capsys
):
    rows = run_on(parts, tmp_path, "--model", "pca")
    by_setting = {row["setting"]: row for row in rows if row["metric"] == "auroc"}
    assert list(by_setting) == ["all defects", "defect crack", "defect dent"]
    assert all(row["task"] == "defects" and row["severity"] is None for row in rows)
    assert by_setting["all defects"]["n"] == 8 + 3 + 2
    assert by_setting["defect dent"]["value"] == 1
    assert {row["metric"] for row in rows} >= {"aupro", "iou", "detection_rate"}
    out = capsys.readouterr().out
    assert "48 images to train on, 12 held out for thresholds, 8 to test" in out
    assert "10.0% false alarms expected" in out  # 12 images are too few for 5 %
    config = json.loads((tmp_path / "results" / "config.json").read_text())
    assert (config["calibration"], config["false_alarm_rate"], config["corruptions"]) == (
        12,
        0.1,
        [],
    )
    results = tmp_path / "results"
    assert {path.name for path in (results / "anomalies").glob("*.png")} == {
        "all defects.png",
        "crack.png",
        "dent.png",
    }
    assert not (results / "plots" / "auroc_vs_severity.png").exists()
    rows = run_on(parts, tmp_path, "--model", "pca", "--corruptions", "stripes:lines=2")
    assert {row["setting"] for row in rows} == {
        "all defects",
        "defect crack",
        "defect dent",
        "stripes:lines=2",
    }
    assert (results / "plots" / "auroc_vs_severity.png").exists()


@pytest.mark.slow
def test_scores_are_traced_to_files(parts, tmp_path):
    run_on(parts, tmp_path, "--model", "pca")
    with (tmp_path / "results" / "scores.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["file"] for line in lines if line["setting"] == "defect dent"] == [
        f"test/dent/{n}.png" for n in range(3)
    ]
    assert sum(line["setting"] == "normal" for line in lines) == 8
    assert {line["anomalous"] for line in lines if line["setting"] == "defect dent"} == {"yes"}
    assert all(0 < float(line["p_value"]) <= 1 for line in lines)
    with np.load(tmp_path / "results" / "anomalies" / "cases.npz") as cases:
        assert set(cases["defect crack/files"]) == {"test/crack/0.png", "test/crack/1.png"}
        shown = panels.cases(dict(cases), "defect crack")
    assert any("crack/0.png" in label.get_text() for label in shown.axes[0].get_yticklabels())


def test_defects_without_masks_and_one_type_are_tested_too(parts, tmp_path):
    shutil.rmtree(parts / "ground_truth")
    shutil.rmtree(parts / "test" / "crack")
    rows = run_on(parts, tmp_path, "--model", "pca")
    assert {row["setting"] for row in rows} == {"defect dent"}
    assert "aupro" not in {row["metric"] for row in rows}
    assert (tmp_path / "results" / "anomalies" / "dent.png").exists()


@pytest.mark.slow
def test_a_detector_without_maps_and_with_negative_scores_runs_to_its_end(parts, tmp_path, recwarn):
    rows = run_on(
        parts,
        tmp_path,
        "--model",
        "pyod",
        "--model.detector",
        "HBOS",
        "--corruptions",
        "stripes:lines=2",
    )
    assert {row["setting"] for row in rows} >= {"defect dent", "stripes:lines=2"}
    with np.load(tmp_path / "results" / "scores.npz") as scores:
        assert scores["clean"].min() < 0
    assert not list(recwarn)


def test_sizes_follow_from_the_folder_unless_they_are_said(parts):
    dataset = datasets.load(f"folder:path={parts},resize=24")
    given = {"dataset": dataset.name, "model": "pca"}
    sized = Baseline(**given).sized(dataset)
    assert (sized.calibration, sized.false_alarm_rate, sized.train, sized.test) == (
        12,
        0.1,
        None,
        None,
    )
    quick = Baseline(**given).sized(dataset, quick=True)
    assert (quick.calibration, quick.train, quick.test) == (12, 48, 8)
    strict = Baseline(**given, false_alarm_rate=0.04).sized(dataset)
    assert strict.calibration == 24  # as many as that rate takes
    with refused("0.01 needs at least 99", "got 30"):  # half of the images, no more
        Baseline(**given, false_alarm_rate=0.01).sized(dataset)
    with refused("0.01 needs at least 99", "got 20"):
        Baseline(**given, false_alarm_rate=0.01, calibration=20)
    with refused("3 held-out normal images are too few"):
        Baseline(**given, calibration=3).sized(dataset)


def test_no_good_test_image_is_said_and_what_to_do(parts, tmp_path, capsys):
    shutil.rmtree(parts / "test" / "good")
    assert (
        cli.main(
            ["run", "--dataset", f"folder:path={parts},resize=24", "--results", str(tmp_path / "r")]
        )
        == 2
    )
    assert "the test split has no normal image; add some" in capsys.readouterr().err


@pytest.mark.slow
def test_results_of_another_run_are_replaced_and_that_is_said(parts, tmp_path, capsys):
    run_on(parts, tmp_path, "--model", "pca")
    capsys.readouterr()
    run_on(parts, tmp_path, "--model", "pca")
    assert "another run" not in capsys.readouterr().out
    run_on(parts, tmp_path, "--model", "knn")
    assert "contains results of another run (pca on folder:" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "scores.npz"])
def test_files_of_somebody_else_are_not_written_over(tmp_path, capsys, name):
    (tmp_path / name).write_text('{"mine": 1}')
    assert (
        cli.main(["run", "--dataset", "digits", "--model", "pca", "--results", str(tmp_path)]) == 2
    )
    assert f"contains a {name} that anomalist did not write" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == '{"mine": 1}'


def test_two_runs_at_once_do_not_mix(tmp_path, capsys):
    with FileLock(tmp_path / ".run.lock"):
        assert (
            cli.main(["run", "--dataset", "digits", "--model", "pca", "--results", str(tmp_path)])
            == 2
        )
    assert "another run is writing to" in capsys.readouterr().err
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "greater than or equal to 0"),
        (["--results", ""], "is empty; give a file or folder"),
        (["--device", "cuda"], "'cuda' is not available"),
        (["--model", "padim"], "pip install 'anomalist[features]'"),
        (["--model", "ensemble:members=(pyod:detector=HBOS);pca"], "pip install 'anomalist[pyod]'"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("anomalist.datasets.load", lambda spec: pytest.fail("read the data"))
    assert cli.main(["run", "--dataset", "digits", "--model", "pca", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "config.json").exists()


@pytest.mark.slow
def test_a_type_called_all_defects_is_told_from_all_of_them(parts, tmp_path):
    (parts / "test" / "dent").rename(parts / "test" / "all defects")
    (parts / "ground_truth" / "dent").rename(parts / "ground_truth" / "all defects")
    rows = run_on(parts, tmp_path, "--model", "pca")
    assert {row["setting"] for row in rows} == {"all defects", "defect all defects", "defect crack"}
    assert (tmp_path / "results" / "scores.csv").read_text().count("defect all defects") == 3


def test_results_among_the_images_and_too_many_threads_are_refused(parts, capsys):
    command = ["run", "--dataset", f"folder:path={parts},resize=24", "--model", "pca", "--results"]
    assert cli.main([*command, str(parts / "test")]) == 2
    assert "lies inside the image folder" in capsys.readouterr().err
    assert cli.main([*command, str(parts.parent / "r"), "--threads", "100000"]) == 2
    assert "more than this machine can use" in capsys.readouterr().err


def test_small_images_get_those_corruptions_that_they_have_room_for(tmp_path):
    np.save(tmp_path / "small.npy", np.random.default_rng(0).random((60, 8, 8)).astype(np.float32))
    dataset = datasets.load(f"arrays:path={tmp_path / 'small.npy'},low=0,high=1")
    chosen = Baseline(dataset=dataset.name, model="pca").sized(dataset).corruptions
    assert 8 <= len(chosen) < 16

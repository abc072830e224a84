"""Fit: what is chosen, what is written, what is refused, and what the calibration is."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalist import cli, deployment, models
from anomalist.calibration import p_values
from anomalist.core import memory
from anomalist.core.errors import InputError
from anomalist.deployment import FitConfig, fit, load
from made_parts import SIDE, part, write


def images_csv(folder):
    with (folder / "images.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def array(numbers, **options):
    return np.stack([part(number, **options) for number in numbers])[:, None]


def test_the_folder_is_all_that_scoring_needs(model_folder, good, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(model_folder, moved)
    model = load(moved)
    about = model.description
    assert about.detector == "pca"
    assert about.reading.size == (SIDE, SIDE)
    assert (about.calibration_images, about.false_alarms) == (40, 0.05)
    assert about.training.images == 120
    assert sorted(path.name for path in moved.iterdir()) == [
        "calibration.npz",
        "config.yaml",
        "detectors",
        "images.csv",
        "model.json",
    ]
    assert str(good.parent) not in (moved / "model.json").read_text()
    uses = [row["use"] for row in images_csv(moved)]
    assert (uses.count("training"), uses.count("calibration")) == (80, 40)


def test_its_scores_and_p_values_are_those_of_the_detector_and_the_held_out_images(model_folder):
    model = load(model_folder)
    rows = images_csv(model_folder)
    by_use = {
        use: array([int(row["path"][:4]) for row in rows if row["use"] == use])
        for use in ("training", "calibration")
    }
    detector = models.Pca().fit(by_use["training"].astype(np.float32) / 255)
    held_out = detector.score(by_use["calibration"].astype(np.float32) / 255)
    new = np.concatenate([array(range(500, 520)), array(range(500, 520), spot=True)])
    raw = detector.score(new.astype(np.float32) / 255)
    predictions = model.predict(new)
    assert predictions.score.tobytes() == raw.image.tobytes()
    assert predictions.maps.tobytes() == raw.pixel.tobytes()
    assert np.array_equal(predictions.p_value, p_values(held_out.image, raw.image))
    assert np.array_equal(predictions.is_anomaly, raw.image > model.threshold)
    assert np.array_equal(
        predictions.masks, raw.pixel > np.sort(held_out.pixel.max(axis=(1, 2)))[-2]
    )  # 41 x 0.05 = 2.05: two ranks of 41 are anomalous
    assert predictions.is_anomaly[20:].mean() > 0.9
    assert predictions.is_anomaly[:20].mean() < 0.3


def test_another_rate_needs_enough_images(model_folder):
    model = load(model_folder)
    assert model.threshold_at(0.2) < model.threshold
    with pytest.raises(InputError, match="needs at least 99"):
        model.check_rate(0.01)


def test_the_same_fit_gives_the_same_calibration(good, tmp_path):
    config = FitConfig(path=str(good))
    fit(config, tmp_path / "one")
    fit(config, tmp_path / "two")
    same = [(tmp_path / name / "calibration.npz").read_bytes() for name in ("one", "two")]
    assert same[0] == same[1]


def test_a_model_is_replaced_and_other_folders_are_not(good, tmp_path):
    out = tmp_path / "model"
    fit(FitConfig(path=str(good)), out)
    fit(FitConfig(path=str(good), false_alarms=0.2), out)
    assert load(out).description.false_alarms == 0.2
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="contains other files"):
        fit(FitConfig(path=str(good)), mine)
    with pytest.raises(InputError, match="contain each other"):
        fit(FitConfig(path=str(good)), good / "model")


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_a_few_images_are_each_held_out_once(count, tmp_path, capsys):
    folder = write(tmp_path / "few", range(count))
    model = fit(FitConfig(path=str(folder), rotate="no"), tmp_path / "model")
    about = model.description
    assert (about.method, about.calibration_images) == ("cross", count)
    assert len(model.scorer.detectors) == count
    assert about.false_alarms >= 1 / (count + 1)
    said = capsys.readouterr().out
    assert "smallest rate" in said
    assert "a rate of 1 % needs 99 calibration images" in said
    for row in images_csv(tmp_path / "model"):
        held = [int(row["use"].rpartition(" ")[2])]
        assert held[0] in range(count)


def test_cross_calibration_scores_each_image_by_a_detector_without_it(tmp_path):
    folder = write(tmp_path / "parts", range(30))
    fit(FitConfig(path=str(folder), calibration="cross", folds=3), tmp_path / "model")
    model = load(tmp_path / "model")
    new = array(range(900, 910))
    expected = np.ones(10)
    rows = images_csv(tmp_path / "model")
    for fold in range(3):
        held = {row["path"] for row in rows if row["use"].endswith(f" {fold}")}
        numbers = [int(row["path"][:4]) for row in rows]
        inside = [n for n in numbers if f"{n:04}.png" not in held]
        outside = [n for n in numbers if f"{n:04}.png" in held]
        detector = models.Pca().fit(array(inside).astype(np.float32) / 255)
        normal = detector.score(array(outside).astype(np.float32) / 255).image
        own = detector.score(new.astype(np.float32) / 255).image
        expected += (normal[None] >= own[:, None]).sum(axis=1)
    assert np.array_equal(model.predict(new).p_value, expected / 31)


def test_one_image_gives_scores_and_no_threshold(tmp_path, capsys):
    folder = write(tmp_path / "one", [7])
    model = fit(FitConfig(path=str(folder)), tmp_path / "model")
    assert model.description.method == "none"
    assert "there is no threshold" in capsys.readouterr().out
    predictions = load(tmp_path / "model").predict(array([8, 9], spot=True))
    assert np.isnan(predictions.p_value).all()
    assert not predictions.is_anomaly.any()
    assert np.isfinite(predictions.score).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"false_alarms": 0.001, "calibration": "split"}, "at least 999 held-out normal images"),
        ({"false_alarms": 0.001, "calibration": "cross"}, "at least 999 held-out"),
        ({"held_out": 120}, "leaves none of 120"),
        ({"calibration": "cross", "folds": 121}, "more than the 120"),
        ({"held_out": 20, "calibration": "cross"}, "option of split"),
        ({"held_out": 20, "folds": 3}, "option of cross"),
        ({"tile": 64, "resize": "32"}, "give one of them"),
        ({"tile": 50}, "multiples of 32"),
        ({"overlap": 32}, "overlap needs tile"),
        ({"resize": "big"}, "resize"),
        ({"intensity": "9;3"}, "intensity"),
        ({"calibration": "none", "false_alarms": 0.1}, "needs a calibration"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(options, message, good, tmp_path):
    with pytest.raises(InputError, match=message) as refused:
        fit(FitConfig(path=str(good), **options), tmp_path / "model")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_options_of_a_calibration_choose_it(good, tmp_path):
    few = write(tmp_path / "few", range(30))
    split = fit(FitConfig(path=str(few), held_out=5), tmp_path / "split")
    assert (split.description.method, split.description.calibration_images) == ("split", 5)
    cross = fit(FitConfig(path=str(good), folds=3), tmp_path / "cross")
    assert (cross.description.method, cross.description.calibration_images) == ("cross", 120)
    one = write(tmp_path / "one", [1])
    with pytest.raises(InputError, match="at least 2"):
        fit(FitConfig(path=str(one), false_alarms=0.3), tmp_path / "none")


def test_nothing_of_the_users_is_removed(good, tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    (project / "model.json").write_text('{"my": "project"}')
    (project / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        fit(FitConfig(path=str(good)), project)
    model = tmp_path / "model"
    fit(FitConfig(path=str(good)), model)
    (model / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        fit(FitConfig(path=str(good)), model)
    images = write(tmp_path / "outer/images", range(20))
    with pytest.raises(InputError, match="contain each other"):
        fit(FitConfig(path=str(images)), tmp_path / "outer")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="link"):
        fit(FitConfig(path=str(good)), tmp_path / "link")
    with pytest.raises(InputError, match=r"\.onnx"):
        fit(FitConfig(path=str(good)), tmp_path / "x.onnx")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    fit(FitConfig(path=str(good)), Path())
    assert (here / "model.json").is_file()


def test_what_is_held_out_by_default():
    from anomalist.deployment.planning import plan_calibration

    config = FitConfig(path="x")
    plans = {n: plan_calibration(config, n) for n in (50, 149, 150, 300, 440, 5_000)}
    assert {n: (p.method, p.images, p.false_alarms) for n, p in plans.items()} == {
        50: ("cross", 50, 0.02),
        149: ("cross", 149, 0.01),
        150: ("split", 50, 0.02),
        300: ("split", 99, 0.01),
        440: ("split", 99, 0.01),
        5_000: ("split", 1_000, 0.01),
    }


def test_a_model_without_calibration_still_draws(tmp_path):
    """The scale of pictures is not that of the training image itself, whose map is 0."""
    one = write(tmp_path / "one", [7])
    model = fit(FitConfig(path=str(one), model="knn"), tmp_path / "knn")
    assert not model.description.has_maps
    model = fit(FitConfig(path=str(one)), tmp_path / "pca")
    assert model.description.has_maps
    low, high = model.calibration.scale
    assert 0 < low < high


def test_the_kept_options_make_the_same_model_of_other_images(good, tmp_path):
    fit(FitConfig(path=str(good)), tmp_path / "model")
    words = ["fit", "--config", str(tmp_path / "model/config.yaml"), "--out", str(tmp_path / "two")]
    assert cli.main(words) == 0
    one, two = (load(tmp_path / name) for name in ("model", "two"))
    assert one.description.detector == two.description.detector
    first, second = (one.calibration.image.folds, two.calibration.image.folds)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_names_that_may_mean_anomalies_are_asked_about(tmp_path):
    write(tmp_path / "line" / "ok", range(30))
    write(tmp_path / "line" / "scratched", range(100, 105), spot=True)
    with pytest.raises(InputError, match="--good FOLDER --bad FOLDER"):
        fit(FitConfig(path=str(tmp_path / "line")), tmp_path / "model")
    model = fit(
        FitConfig(path=str(tmp_path / "line"), good=("ok",), bad=("scratched",)), tmp_path / "model"
    )
    assert model.description.training.images == 30


def test_a_test_split_of_the_folder_is_not_used(tmp_path):
    root = tmp_path / "mvtec"
    write(root / "train/good", range(20))
    write(root / "test/good", range(50, 60))
    write(root / "test/spot", range(60, 65), spot=True)
    model = fit(FitConfig(path=str(root)), tmp_path / "model")
    assert model.description.training.images == 20


def test_what_exceeds_the_memory_is_refused_before_it_starts(good, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    with pytest.raises(InputError, match=r"the fit needs .* GB of memory"):
        fit(FitConfig(path=str(good)), tmp_path / "model")


def test_the_command_says_what_it_chose_and_what_to_do_next(good, tmp_path, capsys):
    out = tmp_path / "model"
    assert cli.main(["fit", str(good), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for words in ("detector", "pca", "24 x 24", "calibration", "false alarms", "expected", "next:"):
        assert words in said
    assert cli.main(["inspect", str(out)]) == 0
    described = capsys.readouterr().out
    assert "120 normal images" in described
    assert cli.main(["inspect", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["detector"] == "pca"


def test_one_folder_of_good_images(good, tmp_path):
    assert cli.main(["fit", "--good", str(good), "--out", str(tmp_path / "model")]) == 0
    assert cli.main(["fit", "--out", str(tmp_path / "other")]) == 2
    for day in (1, 2):
        write(tmp_path / f"days/{day}/ok", range(20 * day, 20 * day + 15))
        write(tmp_path / f"days/{day}/nok", range(800, 802), spot=True)
    words = ["fit", "--out", str(tmp_path / "days-model"), "--good"]
    words += [str(tmp_path / f"days/{day}/ok") for day in (1, 2)]
    words += ["--bad", str(tmp_path / "days/1/nok"), str(tmp_path / "days/2/nok")]
    assert cli.main(words) == 0
    assert load(tmp_path / "days-model").description.training.images == 30


def test_a_mistyped_option_names_the_nearest(good, capsys):
    assert cli.main(["fit", str(good), "--fals-alarms", "0.1"]) == 2
    assert "did you mean '--false-alarms'" in capsys.readouterr().err


def test_large_photographs_keep_their_shape(tmp_path):
    from anomalist.deployment.planning import make_plan
    from anomalist.image_files.survey import Survey

    plan = make_plan(FitConfig(path="x"), Survey([(1600, 1200)] * 3, True, 8), 300)
    assert (plan.size, plan.detector.name) == ((256, 352), "padim")
    assert "--tile" in plan.why_size
    mixed = Survey([(1600, 1200), (900, 1200), (300, 300)], True, 8)
    assert make_plan(FitConfig(path="x"), mixed, 50).size == (256, 256)
    small = Survey([(128, 128)], True, 8)  # enlarged: a defect covers more patches
    assert make_plan(FitConfig(path="x"), small, 50).size == (256, 256)
    assert make_plan(FitConfig(path="x"), mixed, 50).detector.name == "patch_memory"


@pytest.mark.parametrize("damage", ["model.json", "calibration.npz", "detectors/0/detector.json"])
def test_a_damaged_model_is_named(model_folder, tmp_path, damage):
    broken = tmp_path / "broken"
    shutil.copytree(model_folder, broken)
    (broken / damage).write_bytes((broken / damage).read_bytes()[:20])
    with pytest.raises(InputError, match=r"cannot be read|damaged"):
        load(broken)
    (broken / damage).unlink()
    with pytest.raises(InputError):
        load(broken)


@pytest.mark.parametrize(
    "change",
    [
        {"image": np.full(40, np.nan, np.float32)},
        {"image": np.zeros(39, np.float32)},
        {"region": np.full(40, np.inf, np.float32)},
        {"folds": np.array(0)},
        {"folds": np.array(2)},
        {"scale": np.array([np.nan, 1])},
        {"fold": np.full(40, 7)},
    ],
    ids=str,
)
def test_an_edited_calibration_is_refused(model_folder, tmp_path, change):
    edited = tmp_path / "edited"
    shutil.copytree(model_folder, edited)
    with np.load(edited / "calibration.npz") as arrays:
        np.savez(edited / "calibration.npz", **{**arrays, **change})
    with pytest.raises(InputError, match="cannot be read"):
        load(edited)


@pytest.mark.parametrize(
    "change",
    [
        {"calibration_images": 39},
        {"method": "cross"},
        {"method": "none"},
        {"false_alarms": None},
        {"reading": {"size": [0, 0], "channels": 1, "dtype": "uint8"}},
        {"reading": {"size": None, "channels": 1, "dtype": "uint8"}},
        {"format": 99},
    ],
    ids=str,
)
def test_an_edited_description_is_refused(model_folder, tmp_path, change):
    edited = tmp_path / "edited"
    shutil.copytree(model_folder, edited)
    path = edited / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError):
        load(edited)


def test_a_folder_that_is_no_model_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="anomalist fit DIR"):
        load(tmp_path / "none")


def test_the_public_names():
    assert deployment.fit is fit
    with pytest.raises(AttributeError):
        deployment.nothing  # noqa: B018


def test_rotated_copies_are_used_where_nothing_has_an_orientation(tmp_path, capsys):
    rng = np.random.default_rng(0)
    folder = tmp_path / "texture"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(rng.integers(0, 255, (24, 24), np.uint8)).save(folder / f"{number}.png")
    model = fit(FitConfig(path=str(folder)), tmp_path / "model")
    assert model.description.training.rotated
    objects = write(tmp_path / "objects", range(6))
    assert not fit(FitConfig(path=str(objects)), tmp_path / "other").description.training.rotated

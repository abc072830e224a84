"""Score: the rows, the pictures, unreadable files, and interruptions at any place."""

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalist import cli
from anomalist.core.errors import InputError
from anomalist.deployment import FitConfig, fit, load
from anomalist.deployment.files import files_in, output_name
from anomalist.deployment.scoring import ScoreConfig, score_files
from made_parts import part, write

COLUMNS = [
    "path",
    "score",
    "p_value",
    "percentile",
    "verdict",
    "region_left",
    "region_top",
    "region_width",
    "region_height",
    "region_area",
]


@pytest.fixture
def new(tmp_path):
    """Ten normal images, five with a spot, two files that are no images."""
    folder = write(tmp_path / "new", range(300, 310))
    write(folder / "spots", range(400, 405), spot=True)
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not an image")
    return folder


def rows_of(out):
    with (out / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_image_and_a_list_of_the_others(model_folder, new, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["score", str(model_folder), str(new), "--out", str(out)]) == 1
    printed = capsys.readouterr()
    rows = rows_of(out)
    assert list(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == sorted(
        str(path) for path in new.rglob("*.png") if path.stem.isdigit()
    )
    spots = [row for row in rows if "spots" in row["path"]]
    assert [row["verdict"] for row in spots] == ["anomalous"] * 5
    model = load(model_folder)
    for row in rows:
        number = int(row["path"][-8:-4])
        image = part(number, spot="spots" in row["path"])
        own = model.predict(image[None, None])
        assert float(row["score"]) == pytest.approx(float(own.score[0]), rel=1e-8)
        assert float(row["p_value"]) == pytest.approx(own.p_value[0], rel=1e-5)
        assert (row["verdict"] == "anomalous") == own.is_anomaly[0]
    with (out / "unreadable.csv").open(newline="") as file:
        broken = {row["path"].rpartition("/")[2]: row["reason"] for row in csv.DictReader(file)}
    assert broken == {
        "empty.png": "an empty file",
        "text.png": "not a PNG, JPEG, TIFF or BMP image",
    }
    assert "cannot be read" in printed.err
    assert f"{sum(row['verdict'] == 'anomalous' for row in rows)} of 15 images are anomalous" in (
        printed.out
    )
    assert (out / "config.yaml").is_file()


def test_parquet_has_the_same_rows_as_numbers(model_folder, new, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    score_files(load(model_folder), [new], tmp_path / "out")
    table = parquet.read_table(tmp_path / "out/scores.parquet").to_pylist()
    rows = rows_of(tmp_path / "out")
    assert [one["score"] for one in table] == [float(row["score"]) for row in rows]
    assert {type(one["p_value"]) for one in table} == {float}


def test_the_box_contains_the_defect_in_pixels_of_the_file(tmp_path):
    good = write(tmp_path / "good", range(60), side=48)
    fit(FitConfig(path=str(good), resize="24"), tmp_path / "model")
    image = part(77, side=48)
    image[30:38, 10:18] = 255
    Image.fromarray(image).save(tmp_path / "bad.png")
    score_files(load(tmp_path / "model"), [tmp_path / "bad.png"], tmp_path / "out")
    (row,) = rows_of(tmp_path / "out")
    left, top, width, height = (int(row[f"region_{n}"]) for n in ("left", "top", "width", "height"))
    assert abs(left + width / 2 - 14) <= 4
    assert abs(top + height / 2 - 34) <= 4
    assert max(width, height) < 24


def test_pictures_of_each_image(model_folder, new, tmp_path):
    pytest.importorskip("tifffile")
    import tifffile

    config = ScoreConfig(heatmaps=True, maps="float16")
    out = tmp_path / "out"
    summary = score_files(load(model_folder), [new], out, config)
    assert (summary.images, summary.unreadable) == (15, 2)
    names = sorted(str(p.relative_to("/").with_suffix("")) for p in new.rglob("[0-9]*.png"))
    place = new.relative_to("/")
    for kind, ending in (("heatmaps", ".png"), ("masks", ".png"), ("maps", ".tiff")):
        written = sorted(str(p.relative_to(out / kind)) for p in (out / kind).rglob(f"*{ending}"))
        assert written == [name + ending for name in names]
    mask = np.asarray(Image.open(out / "masks" / place / "spots/0400.png"))
    assert mask.shape == (24, 24)
    assert set(np.unique(mask)) == {0, 255}
    values = tifffile.imread(out / "maps" / place / "spots/0400.tiff")
    assert values.dtype == np.float16
    expected = load(model_folder).predict(part(400, spot=True)[None, None])
    assert np.allclose(values, expected.maps[0], rtol=1e-3, atol=1e-4)
    assert np.array_equal(mask > 0, expected.masks[0])
    overlay = np.asarray(Image.open(out / "heatmaps" / place / "spots/0400.png"))
    assert overlay.shape == (256, 256, 3)


def test_scores_after_an_interruption_are_the_same_bytes(model_folder, new, tmp_path):
    model = load(model_folder)
    score_files(model, [new], tmp_path / "whole")
    whole = (tmp_path / "whole/scores.csv").read_bytes()
    journal = (tmp_path / "whole/.scores.journal").read_bytes()
    for cut in (1, 50, len(journal) // 3, len(journal) // 2, len(journal) - 3):
        out = tmp_path / f"cut{cut}"
        out.mkdir()
        (out / ".scores.journal").write_bytes(journal[:cut])
        score_files(model, [new], out)
        assert (out / "scores.csv").read_bytes() == whole
        assert (out / ".scores.journal").read_bytes().count(b"\n") == journal.count(b"\n")


def test_finished_rows_are_not_computed_again_and_changed_files_are(
    model_folder, new, tmp_path, capsys
):
    model = load(model_folder)
    out = tmp_path / "out"
    score_files(model, [new], out)
    before = rows_of(out)
    Image.fromarray(part(999, spot=True)).save(new / "0300.png")
    capsys.readouterr()
    score_files(model, [new], out)
    assert "16 of 17 files were scored before" in capsys.readouterr().out
    after = rows_of(out)
    changed = [one["path"] for one, two in zip(before, after, strict=True) if one != two]
    assert changed == [str(new / "0300.png")]


def test_other_options_need_another_folder_or_restart(model_folder, new, tmp_path):
    model = load(model_folder)
    out = tmp_path / "out"
    score_files(model, [new], out)
    other = ScoreConfig(false_alarms=0.2)
    with pytest.raises(InputError, match=r"with another false_alarms: .*--restart"):
        score_files(model, [new], out, other)
    score_files(model, [new], out, other, restart=True)


@pytest.mark.slow
def test_a_killed_process_continues_with_the_same_rows(model_folder, tmp_path):
    folder = write(tmp_path / "many", range(1_000, 3_000))
    words = [sys.executable, "-m", "anomalist", "score", str(model_folder), str(folder), "--out"]
    killed = tmp_path / "killed"
    process = subprocess.Popen([*words, str(killed)], stdout=subprocess.DEVNULL)
    journal = killed / ".scores.journal"
    for _ in range(1_200):
        if journal.is_file() and journal.stat().st_size > 10_000:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = journal.read_bytes().count(b"\n") - 1
    assert done > 0
    subprocess.run([*words, str(killed)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*words, str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    whole = (tmp_path / "whole/scores.csv").read_bytes()
    assert (killed / "scores.csv").read_bytes() == whole


def test_a_journal_of_something_else_is_not_overwritten(model_folder, new, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".scores.journal").write_text("{}\nsomething\n")
    with pytest.raises(InputError, match="damaged"):
        score_files(load(model_folder), [new], out)


def test_paths_are_checked_before_the_work(model_folder, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert cli.main(["score", str(model_folder), "nowhere.png", "--out", out]) == 2
    assert "there is no file or folder 'nowhere.png'" in capsys.readouterr().err
    (tmp_path / "void").mkdir()
    assert cli.main(["score", str(model_folder), str(tmp_path / "void"), "--out", out]) == 2
    assert "no image in" in capsys.readouterr().err
    assert cli.main(["score", str(model_folder), "--out", out]) == 2


def test_a_file_is_scored_once(tmp_path, monkeypatch):
    folder = write(tmp_path / "a", [1, 2])
    write(tmp_path / "b", [1])
    monkeypatch.chdir(tmp_path)
    again = [Path("a/0001.png"), folder / "0001.png", Path("a/../a/0002.png")]
    found = files_in([Path("a"), *again, Path("b")])
    assert [file.name for file in found] == ["a/0001.png", "a/0002.png", "b/0001.png"]


def test_pictures_of_different_files_have_different_names():
    paths = ["a.png", "a.jpg", "a.png.png", "a.jpg.png", "A.png", "a.PNG", "b/a.png", "../a.png"]
    paths += [
        "a\nb.png",
        "a\\nb.png",
        "x" * 240 + "1.png",
        "x" * 240 + "2.png",
        "/a.tif",
        "\udcff.png",
    ]
    names = [output_name(Path(path)) for path in paths]
    assert len(set(names)) == len(paths)
    assert names[:2] == ["a", "a.jpg"]
    assert names[6:8] == ["b/a", "__/a"]
    for name in names:
        assert name.isprintable()
        assert not name.startswith("/")
        assert max(len(part.encode()) for part in name.split("/")) < 140


def test_a_change_of_the_light_is_noticed_and_clean_images_are_not(model_folder, tmp_path, capsys):
    model = load(model_folder)
    clean = write(tmp_path / "clean", range(2_000, 2_060))
    assert score_files(model, [clean], tmp_path / "one").drift_at is None
    darker = tmp_path / "darker"
    darker.mkdir()
    for number in range(2_000, 2_060):
        Image.fromarray((part(number) * 0.8).astype(np.uint8)).save(darker / f"{number}.png")
    summary = score_files(model, [darker], tmp_path / "two")
    assert summary.drift_at is not None
    assert summary.drift_at <= 20
    assert "the images as a whole differ" in capsys.readouterr().err


def test_false_discoveries_are_a_column(model_folder, new, tmp_path):
    config = ScoreConfig(false_discoveries=0.3)
    score_files(load(model_folder), [new], tmp_path / "out", config)
    selected = {
        row["path"].rpartition("/")[2]: row["selected"] for row in rows_of(tmp_path / "out")
    }
    assert [selected[f"040{n}.png"] for n in range(5)] == ["yes"] * 5


def test_the_share_of_marked_pixels(model_folder, new, tmp_path):
    model = load(model_folder)
    strict = score_files(model, [new], tmp_path / "one", ScoreConfig(heatmaps=True))
    loose = ScoreConfig(heatmaps=True, marked_share=0.1)
    score_files(model, [new], tmp_path / "two", loose)
    marked = [
        np.mean(
            [np.asarray(Image.open(p)).mean() for p in (tmp_path / name / "masks").rglob("*.png")]
        )
        for name in ("one", "two")
    ]
    assert marked[1] > marked[0]
    assert strict.images == 15
    with pytest.raises(InputError, match="needs at least"):
        score_files(model, [new], tmp_path / "three", ScoreConfig(marked_share=0.001))


def test_a_model_without_calibration_ranks_images(tmp_path, new, capsys):
    one = write(tmp_path / "one", [3])
    fit(FitConfig(path=str(one)), tmp_path / "model")
    summary = score_files(load(tmp_path / "model"), [new], tmp_path / "out")
    assert summary.anomalous == 0
    assert {row["verdict"] for row in rows_of(tmp_path / "out")} == {""}
    assert "there are no verdicts" in capsys.readouterr().out
    with pytest.raises(InputError, match="has no calibration"):
        score_files(
            load(tmp_path / "model"), [new], tmp_path / "x", ScoreConfig(false_discoveries=0.1)
        )


def test_options_from_a_file_and_back(model_folder, new, tmp_path, capsys):
    file = tmp_path / "score.yaml"
    file.write_text("heatmaps: true\nfalse_alarms: 0.1\n")
    out = tmp_path / "out"
    words = ["score", str(model_folder), str(new), "--out", str(out), "--config", str(file)]
    assert cli.main(words) == 1
    assert (out / "masks").is_dir()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main([*words, "--print-config", "--false-alarms", "0.2"])
    printed = capsys.readouterr().out
    assert "false_alarms: 0.2" in printed
    file.write_text("heatmapz: true\n")
    assert cli.main(words) == 2
    assert "did you mean '--heatmaps'" in capsys.readouterr().err


def test_evaluate_a_folder_with_known_anomalies(model_folder, tmp_path, capsys):
    root = tmp_path / "known"
    write(root / "train/good", range(600, 602))
    write(root / "test/good", range(700, 720))
    write(root / "test/spot", range(800, 810), spot=True)
    out = tmp_path / "out"
    assert cli.main(["evaluate", str(model_folder), str(root), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "all anomalies" in printed
    decisions = json.loads((out / "decisions.json").read_text())
    assert sum(decisions["good"].values()) == 20
    assert decisions["spot"]["anomalous"] == 10
    with (out / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = {(row["anomaly"], row["metric"]): float(row["value"]) for row in rows}
    assert metrics["all anomalies", "auroc"] > 0.99
    assert metrics["all anomalies", "detection_rate"] == 1


def test_images_of_the_fit_are_refused_in_an_evaluation(model_folder, tmp_path, capsys):
    write(tmp_path / "known/ok", range(5))
    write(tmp_path / "known/nok", range(800, 805), spot=True)
    words = ["evaluate", str(model_folder), str(tmp_path / "known"), "--good", "ok", "--bad", "nok"]
    assert cli.main(words) == 2
    assert "5 of 10 images were used to fit or calibrate" in capsys.readouterr().err
    assert cli.main(["evaluate", str(model_folder)]) == 2
    assert cli.main(["evaluate"]) == 2


def test_hostile_names_are_kept_apart(model_folder, tmp_path):
    folder = tmp_path / "names"
    folder.mkdir()
    Image.fromarray(part(500)).save(folder / "a\\nb.png")
    Image.fromarray(part(501, spot=True)).save(folder / "a\nb.png")
    Image.fromarray(part(502)).save(folder / ("x" * 240 + ".png"))
    model = load(model_folder)
    for _ in range(2):
        score_files(model, [folder], tmp_path / "out", ScoreConfig(heatmaps=True))
        verdicts = [row["verdict"] for row in rows_of(tmp_path / "out")]
        assert sorted(verdicts) == ["anomalous", "normal", "normal"]
    assert len(list((tmp_path / "out/heatmaps").rglob("*.png"))) == 3


def test_results_are_not_scored_as_images(model_folder, tmp_path):
    folder = write(tmp_path / "new", range(300, 304))
    for _ in range(2):
        summary = score_files(
            load(model_folder), [folder], folder / "out", ScoreConfig(heatmaps=True)
        )
        assert summary.images == 4


@pytest.mark.parametrize("name", ["scores.csv", "config.yaml", "heatmaps"])
def test_files_of_others_are_not_overwritten(model_folder, new, tmp_path, name):
    out = tmp_path / "mine"
    (out / name).mkdir(parents=True)
    with pytest.raises(InputError, match=f"contains a {name}"):
        score_files(load(model_folder), [new], out)
    with pytest.raises(InputError, match="folder of a model"):
        score_files(load(model_folder), [new], model_folder)


def test_files_with_more_bits_than_those_of_the_fit(model_folder, tmp_path):
    """The same image with 8 and with 16 bits, and as numbers in [0, 1]."""
    model = load(model_folder)
    image = part(600)
    deep = image.astype(np.uint16) * 257 + 100  # not a multiple of 257
    Image.fromarray(image).save(tmp_path / "8.png")
    Image.fromarray(deep).save(tmp_path / "16.png")
    Image.fromarray(image.astype(np.float32) / 255).save(tmp_path / "32.tif")
    score_files(model, [tmp_path / n for n in ("8.png", "16.png", "32.tif")], tmp_path / "out")
    scores = [float(row["score"]) for row in rows_of(tmp_path / "out")]
    assert scores[1] == pytest.approx(scores[0], rel=0.05)
    assert scores[2] == pytest.approx(scores[0], rel=1e-6)


def test_false_discoveries_use_the_exact_p_values(tmp_path):
    """14 calibration images, three images, rate 0.2: p = 1 / 15 is just low enough."""
    good = write(tmp_path / "good", range(40))
    fit(FitConfig(path=str(good), held_out=14, false_alarms=0.1), tmp_path / "model")
    new = write(tmp_path / "new", [700, 701])
    write(tmp_path / "new", [702], spot=True)
    config = ScoreConfig(false_discoveries=0.2)
    score_files(load(tmp_path / "model"), [new], tmp_path / "out", config)
    assert [row["selected"] for row in rows_of(tmp_path / "out")][2] == "yes"


def test_options_are_checked_before_the_work(model_folder, new, tmp_path):
    model = load(model_folder)
    out = tmp_path / "out"
    for config in (ScoreConfig(marked_share=0.001), ScoreConfig(false_alarms=0.001)):
        with pytest.raises(InputError):
            score_files(model, [new], out, config)
    assert not out.exists()
    for threads in (0, -1, 100_000):
        with pytest.raises(InputError, match="threads"):
            score_files(model, [new], out, threads=threads)


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    from anomalist.deployment.files import FoundFile
    from anomalist.deployment.journal import Journal

    file = FoundFile(Path("a.png"), 1, 2, "")
    path = tmp_path / "journal"
    with Journal(path, "key", {}) as journal:
        journal.add([(file, {"score": 1.0})])
        whole = path.read_bytes()
        real = journal._file

        class Full:
            """A file whose disk is full after some bytes of a line."""

            def tell(self):
                return len(whole)

            def write(self, data):
                real.write(data[:4])

            def flush(self):
                real.flush()
                raise OSError("no space left")

        monkeypatch.setattr(journal, "_file", Full())
        with pytest.raises(OSError, match="no space"):
            journal.add([(file, {"score": 2.0})])
        monkeypatch.setattr(journal, "_file", real)
    assert path.read_bytes() == whole


def test_an_image_that_is_thin_has_a_small_overlay(model_folder, tmp_path):
    from anomalist.deployment.pictures import draw_overlay

    model = load(model_folder)
    reading = model.description.reading.model_copy(update={"size": (3, 1_500)})
    description = model.description.model_copy(update={"reading": reading})
    Image.fromarray(np.zeros((3, 1_500), np.uint8)).save(tmp_path / "thin.png")
    file = reading.read(tmp_path / "thin.png")
    heat = np.zeros((3, 1_500), np.float32)
    picture = draw_overlay(replace(model, description=description), file, heat, None)
    assert picture.size == (1_024, 2)


def test_words_after_two_dashes_are_paths(model_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path / "new", [1]))
    Path("0001.png").rename("--my_file.png")
    words = ["score", str(model_folder), "--out", str(tmp_path / "out"), "--", "--my_file.png"]
    assert cli.main(words) == 0

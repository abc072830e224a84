"""Training settings: the fastest that was measured here, and only where quality is known."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from anomalist import cli
from anomalist.baseline import settings
from anomalist.models import Autoencoder, Pca, parse

IMAGES = np.zeros((20_000, 1, 2, 2), np.float32)
ALL = settings.SMALL + settings.LARGE
FAST = settings.SMALL[-1]


@pytest.fixture(autouse=True)
def table(monkeypatch, tmp_path):
    """The user's table; that of the package is empty."""
    monkeypatch.setattr(settings, "_PACKAGED", tmp_path / "packaged.json")
    monkeypatch.setattr(settings.pooch, "os_cache", lambda name: tmp_path / name)

    def write(speeds, threads=2):
        path = settings.table_path()
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({settings.key(threads): speeds}))

    return write


def test_the_fastest_is_taken_and_its_epochs_count(table):
    table({one.label: 1000.0 for one in ALL} | {FAST.label: 1300.0})
    model, line = settings.fastest(parse("autoencoder:bottleneck=8"), IMAGES, 2, "cpu")
    assert model.bottleneck == 8
    assert model.batch_size == 256
    assert model.training_precision == "bfloat16"
    assert model.channels_last
    assert model.epochs == round(22 * 5 / 8)  # 3,400 steps of 128 are 22 epochs
    assert "2.1 times as fast" in line  # 1.3 times the images, 5 of 8 passes
    assert FAST.label in line


def test_a_slow_bfloat16_is_not_taken(table):
    speeds = {one.label: 100.0 for one in ALL}
    table(speeds | {settings.SMALL[0].label: 1000.0})
    assert settings.fastest(Autoencoder(), IMAGES, 2, "cpu") is None


@pytest.mark.parametrize(
    ("model", "images", "threads"),
    [
        (Autoencoder(batch_size=64), IMAGES, 2),
        (Autoencoder(learning_rate=1e-3), IMAGES, 2),
        (Autoencoder(training_precision="float32"), IMAGES, 2),
        (Autoencoder(loss="ssim"), IMAGES, 2),
        (Autoencoder(architecture="dense"), IMAGES, 2),
        (Autoencoder(), IMAGES[:19_999], 2),
        (Autoencoder(), IMAGES, 3),
        (Pca(), IMAGES, 2),
    ],
)
def test_the_model_stays_where_equal_quality_is_not_known(model, images, threads, table):
    table({one.label: 1000.0 for one in ALL} | {FAST.label: 9000.0})
    assert settings.fastest(model, images, threads, "cpu") is None
    assert settings.fastest(Autoencoder(), IMAGES, 2, "cpu") is not None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"other": {}}', "KEY", "[" * 100_000])
def test_an_absent_or_damaged_table_changes_nothing(text, table):
    table({})
    settings.table_path().write_text(text.replace("KEY", json.dumps({settings.key(2): 5})))
    assert settings.fastest(Autoencoder(), IMAGES, 2, "cpu") is None


def test_large_images_keep_their_batches(table):
    table({one.label: 10.0 for one in ALL} | {settings.LARGE[-1].label: 30.0})
    images = np.broadcast_to(np.float32(0), (50, 1, 80, 256))
    model, line = settings.fastest(Autoencoder(), images, 2, "cpu")
    assert model.batch_size is None
    assert model.epochs == Autoencoder().usual_epochs(images)
    assert model.training_precision == "bfloat16"
    assert "3.0 times as fast" in line


@pytest.mark.parametrize("rate", [0, -5, float("inf"), float("nan"), "1", None, [1]])
def test_a_speed_that_is_none_is_ignored(rate, table):
    table({one.label: 1000.0 for one in ALL} | {FAST.label: rate})
    assert settings.fastest(Autoencoder(), IMAGES, 2, "cpu") is None
    table({one.label: 1000.0 for one in ALL} | {settings.SMALL[0].label: rate})
    assert settings.fastest(Autoencoder(), IMAGES, 2, "cpu") is None


def test_epochs_that_were_chosen_stay_and_count(table):
    """Larger batches then take as many passes: 1,100 images a second are slower than 1,200."""
    labels = [one.label for one in settings.SMALL]
    table(dict(zip(labels, (1000.0, 1200.0, 1100.0), strict=True)))
    model, line = settings.fastest(Autoencoder(epochs=3), IMAGES, 2, "cpu")
    assert model.epochs == 3
    assert model.batch_size == 128
    assert "1.2 times as fast" in line


@pytest.mark.parametrize("threads", ["0", "-1", "100000"])
def test_tune_refuses_a_number_of_threads(threads, table, capsys):
    assert cli.main(["tune", "--threads", threads]) == 2
    assert "threads: " in capsys.readouterr().err


def test_tune_says_at_once_where_it_cannot_write(table, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(settings.pooch, "os_cache", lambda name: tmp_path / "file" / name)
    monkeypatch.setattr(settings, "_measure_group", None)  # is not reached
    assert cli.main(["tune"]) == 2
    assert "cache folder" in capsys.readouterr().err


def test_tune_measures_every_setting_and_keeps_other_processors(table, monkeypatch, capsys):
    monkeypatch.setattr(settings, "_MEASURED", {28: 256, 256: 2})
    table({"x": 1.0}, threads=7)
    assert cli.main(["tune", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    kept = json.loads(settings.table_path().read_text())
    assert kept[settings.key(7)] == {"x": 1.0}
    assert set(kept[settings.key(1)]) == {one.label for one in ALL}
    for one in ALL:
        assert one.label in printed


def test_the_packaged_table_names_settings_that_exist():
    packaged = json.loads((settings.Path(settings.__file__).parent / settings._TABLE).read_text())
    labels = {one.label for one in ALL}
    assert packaged
    assert all(set(speeds) == labels for speeds in packaged.values())


def test_the_reference_is_what_the_autoencoder_does_by_itself():
    reference = asdict(settings.SMALL[0])
    assert reference.pop("epoch_share") == 1
    assert reference.pop("batch_size") == Autoencoder.usual_batch
    assert reference.pop("training_precision") == "float32"
    plain = Autoencoder()
    assert reference == {name: getattr(plain, name) for name in reference}

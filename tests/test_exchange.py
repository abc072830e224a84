"""Frozen test sets: the same bytes, hashes that tell everything apart, and hostile files answered
in one line."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from anomalist import datasets, exchange, tasks
from anomalist.core.files import write_arrays
from refusals import refused

TASK = tasks.parse(
    "corrupted:dataset=digits,corruption=(stripes:lines=1,value=white),calibration=200,test=40"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "test.npz"
    exchange.export(TASK, 3, path)
    return path


@pytest.fixture(scope="module")
def test_set(file):
    return exchange.read(file)


def test_what_is_exported_is_the_test_set_of_the_trial(test_set):
    built = TASK.build(datasets.load("digits"), 3).test
    for name in ("images", "is_anomaly", "image_index", "masks"):
        np.testing.assert_array_equal(getattr(test_set.test, name), getattr(built, name))
    assert (test_set.seed, tasks.parse(test_set.task)) == (3, TASK)


def test_the_same_task_and_seed_give_the_same_bytes_and_another_seed_does_not(file, tmp_path):
    again, other = tmp_path / "again.npz", tmp_path / "other.npz"
    exchange.export(TASK, 3, again)
    assert again.read_bytes() == file.read_bytes()
    assert exchange.export(TASK, 4, other).sha256 != exchange.read(file).sha256


def test_the_hash_is_the_one_that_the_schema_describes(file, test_set):
    found = hashlib.sha256()
    with np.load(file) as arrays:
        for name in ("images", "labels", "masks", "source"):
            values = arrays[name]
            found.update(f"{name} {values.dtype.str} {list(values.shape)}\n".encode())
            found.update(values.tobytes())
        assert json.loads(str(arrays["about"]))["sha256"] == found.hexdigest() == test_set.sha256


def test_the_file_holds_plain_arrays_and_training_images_if_asked_for(tmp_path):
    task = tasks.parse("one_class:dataset=digits,normal_classes=3,calibration=20,labelled=0.1")
    exchange.export(task, 0, tmp_path / "with.npz", training=True)
    with np.load(tmp_path / "with.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {
            "about",
            "images",
            "labels",
            "source",
            "train_images",
            "calibration_images",
            "train_known",
        }
        assert len(arrays["calibration_images"]) == 20
        assert (arrays["train_known"] == -1).sum() == round(0.1 * len(arrays["train_images"]))
        assert json.loads(str(arrays["about"]))["task"] == str(task)
    assert exchange.read(tmp_path / "with.npz").test.masks is None


def test_a_task_s_hash_covers_its_options_and_its_data_but_not_where_they_lie():
    found = {"digits": "a", "folder:path=x": "a", "mnist": "b"}

    def named(text):
        return exchange.task_hash(tasks.parse(text), found)

    plain = named("one_class:dataset=digits")
    assert named("one_class:dataset=(folder:path=x)") == plain
    different = {
        named(text)
        for text in (
            "one_class:dataset=mnist",
            "one_class:dataset=digits,normal_classes=1",
            "one_class:dataset=digits,train=5",
            "foreign:dataset=digits,foreign=mnist",
            "foreign:dataset=mnist,foreign=digits",
        )
    }
    assert len({plain, *different}) == 6


def test_the_contents_of_a_data_set_are_told_apart():
    assert exchange.dataset_hash("digits") == exchange.dataset_hash("digits")
    assert exchange.dataset_hash("digits") != exchange.dataset_hash("textures:side=64")


def scores(path, test_set, **changes):
    n, _, h, w = test_set.test.images.shape
    arrays = {
        "method": np.array("mine"),
        "test_sha256": np.array(test_set.sha256),
        "image": np.linspace(0, 1, n),
        "pixel": np.zeros((n, h, w), np.float32),
    }
    write_arrays(
        path, {name: value for name, value in (arrays | changes).items() if value is not None}
    )
    return path


def test_scores_come_back(test_set, tmp_path):
    method, found = exchange.read_scores(scores(tmp_path / "a.npz", test_set), test_set)
    assert method == "mine"
    assert found.image[-1] == 1
    assert found.pixel.shape == test_set.test.masks.shape
    _, found = exchange.read_scores(scores(tmp_path / "b.npz", test_set, pixel=None), test_set)
    assert found.pixel is None
    whole = scores(tmp_path / "c.npz", test_set, image=np.arange(len(test_set.test)))
    assert exchange.read_scores(whole, test_set)[1].image[2] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": np.zeros(3)}, ["image must have the shape [80]", "got [3]"]),
        ({"image": np.full(80, np.nan)}, ["image contains NaN"]),
        ({"image": np.zeros((80, 1))}, ["image must be numbers in 1 dimension"]),
        ({"image": np.array(["a"] * 80)}, ["image must be numbers"]),
        ({"image": np.zeros(80, complex)}, ["image must be numbers"]),
        ({"image": None}, ["no array 'image'", "method, pixel, test_sha256"]),
        ({"pixel": np.zeros((80, 4, 4))}, ["pixel must have the shape [80, 8, 8]"]),
        ({"pixel": np.full((80, 8, 8), np.inf)}, ["pixel contains NaN or infinite"]),
        ({"test_sha256": np.array("0" * 64)}, ["the test set '0000000000000000', not of"]),
        ({"test_sha256": np.array(5)}, ["test_sha256 must be text"]),
        ({"method": np.array("")}, ["method must be a name"]),
        ({"method": np.array("a|b")}, ["method must be a name"]),
        ({"method": np.array("a\nb")}, ["method must be a name"]),
        ({"method": np.array("x" * 81)}, ["method must be a name"]),
    ],
)
def test_wrong_scores_are_one_clear_line(changes, words, test_set, tmp_path):
    path = scores(tmp_path / "scores.npz", test_set, **changes)
    with refused("scores.npz", *words):
        exchange.read_scores(path, test_set)


def pickled(path):
    np.savez(path, method=np.array([object()], object), allow_pickle=True)


def bomb(path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 27,)}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("method.npy", "w") as member,
    ):
        member.write(header.getvalue())
        for _ in range(1024):
            member.write(bytes(1 << 20))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), ["not a .npz file"]),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)), ["not a .npz file"]),
        (lambda path: path.mkdir(), ["cannot read", "directory"]),
        (lambda path: None, ["cannot read", "No such file"]),
        (pickled, ["object"]),
        pytest.param(
            bomb, ["method.npy has 1,073,741,", "more than necessary"], marks=pytest.mark.slow
        ),
    ],
)
def test_hostile_files_are_one_clear_line(make, words, test_set, tmp_path):
    path = tmp_path / "hostile.npz"
    make(path)
    for read in (exchange.read, lambda file: exchange.read_scores(file, test_set)):
        with refused(
            "hostile.npz", *(words if make is not pickled or read is not exchange.read else [])
        ):
            read(path)


def changed(path, file, name, value):
    with np.load(file, allow_pickle=False) as arrays:
        write_arrays(path, {**arrays, name: value(arrays[name])})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("images", lambda found: 1 - found, ["its hash differs"]),
        ("labels", lambda found: ~found, ["its hash differs"]),
        ("masks", lambda found: found[:-1], ["not of the same 80 images"]),
        ("images", lambda found: found.astype(np.uint8), ["images must be numbers in 4"]),
        ("images", lambda found: found + 1, ["takes images in [0, 1]"]),
        ("source", lambda found: found.astype(float), ["source must be integers"]),
        ("about", lambda found: np.array("{"), ["'about' does not describe"]),
        ("about", lambda found: np.array("[" * 9_000), ["'about' does not describe"]),
        ("about", lambda found: np.array("x" * 30_000), ["text of 30,000 characters"]),
        (
            "about",
            lambda found: np.array(str(found).replace('"schema": 1', '"schema": 2')),
            ["format 2"],
        ),
        (
            "about",
            lambda found: np.array(str(found).replace('"seed": 3', '"seed": "3"')),
            ["format 1"],
        ),
    ],
)
def test_an_altered_test_set_is_refused(name, value, words, file, tmp_path):
    changed(tmp_path / "altered.npz", file, name, value)
    with refused("altered.npz", *words):
        exchange.read(tmp_path / "altered.npz")


def test_a_truncated_test_set_is_refused_wherever_it_ends(file, tmp_path):
    whole = file.read_bytes()
    for share in np.linspace(0, 0.999, 23):
        (tmp_path / "cut.npz").write_bytes(whole[: int(share * len(whole))])
        with refused("cut.npz"):
            exchange.read(tmp_path / "cut.npz")


def test_only_npz_files_are_written(tmp_path):
    with refused("must end in .npz", "test.npy"):
        exchange.export(TASK, 0, tmp_path / "test.npy")


def test_the_files_of_a_folder_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for folder, count in (("train/good", 12), ("test/good", 3), ("test/dent", 2)):
        for number in range(count):
            path = tmp_path / "parts" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8)).astype(np.uint8)).save(path)
    task = tasks.parse(f"defects:dataset=(folder:path={tmp_path / 'parts'},resize=8),calibration=4")
    made = exchange.export(task, 0, tmp_path / "test.npz")
    with np.load(tmp_path / "test.npz", allow_pickle=False) as written:
        assert written["files"].tolist() == [
            *(f"test/good/{n}.png" for n in range(3)),
            "test/dent/0.png",
            "test/dent/1.png",
        ]
    assert exchange.read(tmp_path / "test.npz").sha256 == made.sha256

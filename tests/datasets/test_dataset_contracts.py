"""The contract of every data set, by name: those there are and those that will be."""

import hashlib
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalist import datasets
from anomalist.core import catalog
from anomalist.datasets import DatasetConfig, parse
from refusals import refused

NAMES = catalog.names("datasets")
X_RAYS = Path(__file__).parents[3] / "shared" / "data" / "pneumoniamnist.npz"


def make_arrays(folder):
    """Images of which some have a mark, which is masked."""
    draws = np.random.default_rng(0)
    parts = {}
    for split, n in (("train", 150), ("test", 120)):
        images = draws.integers(0, 256, (n, 9, 11)).astype(np.uint8)
        masks = np.zeros(images.shape, bool)
        masks[n // 2 :, 3:5, 4] = split == "test"
        images[masks] = 255
        parts |= {f"{split}_images": images, f"{split}_masks": masks}
        parts[f"{split}_labels"] = np.where(masks.any(axis=(1, 2)), "scratch", "good")
    np.savez(folder / "arrays.npz", **parts)
    return f"arrays:path={folder / 'arrays.npz'}"


def given_x_rays(folder):
    return f"medmnist:path={X_RAYS}" if X_RAYS.exists() else None


def make_folder(folder):
    """The MVTec AD layout: normal images, and some with a bright dent."""
    spec = f"folder:path={folder / 'parts'},resize=12;10"  # as its text is spelt
    if (folder / "parts").exists():
        return spec
    draws = np.random.default_rng(0)
    for kind, n in (("train/good", 40), ("test/good", 20), ("test/dent", 20)):
        (folder / "parts" / kind).mkdir(parents=True)
        for i in range(n):
            pixels = draws.integers(0, 200, (12, 10)).astype(np.uint8)
            if kind == "test/dent":
                mask = np.zeros(pixels.shape, np.uint8)
                mask[4:8, 3:6] = 255
                pixels[mask > 0] = 255
                truth = folder / "parts" / "ground_truth" / "dent"
                truth.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(truth / f"{i}_mask.png")
            Image.fromarray(pixels).save(folder / "parts" / kind / f"{i}.png")
    return spec


MAKERS = {
    "arrays": make_arrays,
    "folder": make_folder,
    "medmnist": given_x_rays,
}  # of what takes the user's own files


def is_large(name):
    digits = parse(name).size.split()[0].replace(",", "")
    return digits.isdigit() and int(digits) > 10_000


each_name = pytest.mark.parametrize("name", NAMES)
each_that_loads = pytest.mark.parametrize(
    "spec",
    [pytest.param(name, marks=pytest.mark.slow) if is_large(name) else name for name in NAMES],
    indirect=True,
)


@pytest.fixture(scope="module")
def own_files(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture
def spec(request, own_files):
    """The data set as it is where it is ready, else with files made or at hand."""
    name = request.param
    if parse(name).status().state == "ready":
        return name
    found = MAKERS[name](own_files) if name in MAKERS else None
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Neither a status nor the load of what is ready asks anybody."""

    def connect(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


@each_name
def test_it_says_what_it_is(name):
    config = parse(name)
    assert isinstance(config, DatasetConfig)
    assert config.name == str(config) == name
    for text in (config.licence, config.size, config.shape, config.home):
        assert text
        assert text.isprintable()
    assert all(info.description for info in type(config).model_fields.values())


@each_name
def test_its_text_and_its_values_are_read_back(name):
    config = parse(name)
    assert parse(str(config)) == parse({"name": name, **config.model_dump(mode="json")}) == config
    assert parse(config) is config
    with refused(f"unknown option of {name} 'nonsense'"):
        parse(f"{name}:nonsense=1")


@each_name
def test_its_status_is_told_at_a_glance_and_writes_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "data"))
    parse(name).status()  # what it imports is not counted
    start = time.process_time()
    status = parse(name).status()
    assert time.process_time() - start < 0.1
    assert status.state in ("ready", "fetchable", "manual")
    assert status.detail.isprintable()
    assert datasets.status(name) == status
    assert not list(tmp_path.iterdir())


@each_that_loads
def test_it_loads_whole_and_the_same_each_time(spec):
    dataset = datasets.load(spec)
    assert dataset.name == spec
    assert dataset.provenance
    assert dataset.train.class_names == dataset.test.class_names
    assert len(set(dataset.train.class_names)) == len(dataset.train.class_names)
    for images in (dataset.train, dataset.test):
        assert len(images) > 0
        assert images.class_index.dtype == np.int64
        np.testing.assert_array_equal(images.index, np.arange(len(images)))
        some = images.take(np.linspace(0, len(images) - 1, 100).astype(np.int64)).to_float()
        assert some.dtype == np.float32
        assert 0 <= some.min() < some.max() <= 1
        assert some.max() > 0.5  # the range of values is made use of
        if images.masks is not None:
            assert images.class_names[0] == "good"
            assert not images.masks[images.class_index == 0].any()
    assert dataset.train.images.shape[1:] == dataset.test.images.shape[1:]
    assert datasets.stats(datasets.load(spec)) == datasets.stats(dataset)


@each_that_loads
def test_no_image_is_in_both_splits(spec):
    dataset = datasets.load(spec)
    train, test = (
        {hashlib.sha256(image.tobytes()).digest() for image in split.images}
        for split in (dataset.train, dataset.test)
    )
    assert not train & test


@each_that_loads
def test_its_name_alone_loads_it_again(spec):
    dataset = datasets.load(spec)
    assert datasets.stats(datasets.load(dataset.name)) == datasets.stats(dataset)
    assert parse({"name": parse(spec).name, **parse(spec).model_dump(mode="json")}) == parse(spec)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mnits", ["unknown data set 'mnits'", "did you mean 'mnist'?"]),
        ("", ["unknown data set ''"]),
        ("textures:side", ["'side' lacks a value"]),
        ("../mnist", ["unknown data set"]),
        (3, ["a data set must be a name", "got 3"]),
        (None, ["a data set must be a name", "got None"]),
        ({"side": 3}, ["unknown data set ''"]),
    ],
)
def test_text_that_names_no_data_set_is_refused(given, words):
    for ask in (parse, datasets.load, datasets.status):
        with refused(*words):
            ask(given)


def test_the_table_is_aligned_and_tells_all_in_no_time():
    datasets.table()  # what it imports is not counted
    start = time.process_time()
    lines = datasets.table()
    assert time.process_time() - start < 0.5
    assert [line.split()[0] for line in lines[1:]] == NAMES
    for word, text in (
        ("status", "state"),
        ("size", "size"),
        ("shape", "shape"),
        ("licence", "licence"),
    ):
        at = lines[0].index(word)
        for name, line in zip(NAMES, lines[1:], strict=True):
            value = parse(name).status().state if text == "state" else getattr(parse(name), text)
            assert line[at:].startswith(f"{value}  ")


@each_name
def test_the_details_tell_all_about_it(name):
    text = "\n".join(datasets.details(name))
    config = parse(name)
    for part in (config.home, config.licence, config.size, catalog.describe("datasets", name)):
        assert part in text
    for option, info in type(config).model_fields.items():
        assert f"option {option}" in text
        assert info.description in text

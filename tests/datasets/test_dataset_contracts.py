"""The contract of every data set, by name: those there are and those that will be."""

import hashlib
import socket
import time

import numpy as np
import pytest

from anomalist import catalog, datasets
from anomalist.dataset import DatasetConfig, parse
from refusals import refused

NAMES = catalog.names("datasets")
READY = [name for name in NAMES if parse(name).status().state == "ready"]
LARGE = {name for name in READY if int(parse(name).size.split()[0].replace(",", "")) > 10_000}

each_name = pytest.mark.parametrize("name", NAMES)
each_ready = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in READY]
)


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
    start = time.perf_counter()
    status = parse(name).status()
    assert time.perf_counter() - start < 0.1
    assert status.state in ("ready", "fetchable", "put here")
    assert status.detail.isprintable()
    assert datasets.status(name) == status
    assert not list(tmp_path.iterdir())


@each_ready
def test_it_loads_whole_and_the_same_each_time(name):
    dataset = datasets.load(name)
    assert dataset.name == name
    assert dataset.source
    assert dataset.train.kinds == dataset.test.kinds
    assert len(set(dataset.train.kinds)) == len(dataset.train.kinds)
    for images in (dataset.train, dataset.test):
        assert len(images) > 0
        assert images.labels.dtype == np.int64
        np.testing.assert_array_equal(images.index, np.arange(len(images)))
        some = images.take(np.linspace(0, len(images) - 1, 100).astype(np.int64)).to_float()
        assert some.dtype == np.float32
        assert 0 <= some.min() < some.max() <= 1
        assert some.max() > 0.5  # the range of values is made use of
        if images.masks is not None and "good" in images.kinds:
            assert not images.masks[images.labels == images.kinds.index("good")].any()
    assert dataset.train.images.shape[1:] == dataset.test.images.shape[1:]
    assert datasets.stats(datasets.load(name)) == datasets.stats(dataset)


@each_ready
def test_no_image_is_in_both_splits(name):
    dataset = datasets.load(name)
    train, test = (
        {hashlib.sha256(image.tobytes()).digest() for image in split.images} for split in (dataset.train, dataset.test)
    )
    assert not train & test

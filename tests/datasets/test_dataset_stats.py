"""Statistics of a data set: against values computed by hand."""

import hashlib
import json

import numpy as np
import pytest

from anomalist import datasets
from anomalist.datasets import _stats
from anomalist.images import Dataset, ImageSet


def toy(source="here"):
    train = np.array([0, 255, 255, 255], np.uint8).reshape(2, 1, 1, 2)
    test = np.array([51, 51], np.uint8).reshape(1, 1, 1, 2)
    kinds = ("a", "b", "c")
    return Dataset(
        "toy",
        ImageSet(train, np.array([2, 0]), kinds),
        ImageSet(test, np.array([1]), kinds),
        source,
    )


def test_stats_are_those_computed_by_hand():
    assert datasets.stats(toy()) == {
        "name": "toy",
        "kinds": ["a", "b", "c"],
        "train": {
            "count": 2,
            "shape": [1, 1, 2],
            "dtype": "uint8",
            "per_kind": {"a": 1, "b": 0, "c": 1},
            "mean": 0.75,
            "std": 0.433013,  # sqrt(3) / 4
            "sha256": {
                "images": hashlib.sha256(b"\x00\xff\xff\xff").hexdigest(),
                "labels": hashlib.sha256(b"\x02\x00").hexdigest(),
            },
        },
        "test": {
            "count": 1,
            "shape": [1, 1, 2],
            "dtype": "uint8",
            "per_kind": {"a": 0, "b": 1, "c": 0},
            "mean": 0.2,
            "std": 0.0,
            "sha256": {
                "images": hashlib.sha256(b"\x33\x33").hexdigest(),
                "labels": hashlib.sha256(b"\x01").hexdigest(),
            },
        },
    }


def test_stats_do_not_depend_on_where_the_data_came_from_and_are_json():
    first, second = (
        json.dumps(datasets.stats(toy(source)), allow_nan=False) for source in ("here", "there")
    )
    assert first == second


def test_stats_do_not_depend_on_the_chunk(monkeypatch):
    rng = np.random.default_rng(0)
    images = ImageSet(
        rng.integers(0, 65536, (50, 3, 4, 5), dtype=np.uint16),
        rng.integers(0, 300, 50),
        ("k",) * 300,
    )
    images = ImageSet(images.images, images.class_index, tuple(str(kind) for kind in range(300)))
    dataset = Dataset("toy", images, images.take(np.arange(0)), "here")
    whole = datasets.stats(dataset)
    monkeypatch.setattr(_stats, "_CHUNK", 7)
    assert datasets.stats(dataset) == whole
    assert whole["train"]["sha256"]["images"] == hashlib.sha256(images.images.tobytes()).hexdigest()
    assert (
        whole["train"]["sha256"]["labels"]
        == hashlib.sha256(images.class_index.astype("<i8").tobytes()).hexdigest()
    )
    assert whole["train"]["mean"] == pytest.approx(images.images.mean() / 65535, abs=1e-6)
    assert whole["train"]["std"] == pytest.approx(images.images.std() / 65535, abs=1e-6)
    assert whole["test"]["mean"] is None
    assert whole["test"]["count"] == 0

"""medmnist: the official files, and any file of the same format given by path."""

import hashlib
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from anomalist import datasets
from anomalist.datasets import medmnist, parse
from refusals import refused
from web_server import Server

REAL = Path(__file__).parents[3] / "shared" / "data" / "pneumoniamnist.npz"
SETS = get_args(medmnist.Set)


def arrays(name, side=28, n=(7, 3, 5)):
    """What a file of the set holds: images of one value each, 10 x its number, labels in turn."""
    facts, found, first = medmnist.FACTS[name], {}, 0
    for part, count in zip(("train", "val", "test"), n, strict=True):
        shape = (count, side, side) if facts.channels == 1 else (count, side, side, facts.channels)
        images = np.zeros(shape, np.uint8)
        images[...] = (first + np.arange(count)).reshape(-1, *[1] * (len(shape) - 1)) * 10
        if facts.channels == 3:
            images[..., 2] += 1  # blue differs
        found[f"{part}_images"] = images
        if name == "chestmnist":
            labels = np.zeros((count, 14), np.uint8)
            labels[1, 0] = labels[2, 13] = labels[2, 3] = 1
        else:
            labels = ((first + np.arange(count)) % len(facts.class_names)).astype(np.uint8)[:, None]
        found[f"{part}_labels"] = labels
        first += count
    return found


def write(path, name, **changes):
    found = {key: value for key, value in (arrays(name) | changes).items() if value is not None}
    np.savez_compressed(path, **found)
    return path


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_read_from_a_file_of_its_format(name, tmp_path, capsys):
    path = write(tmp_path / f"{name}.npz", name)
    spec = (
        f"medmnist:set={name},path={path}" if name != "pneumoniamnist" else f"medmnist:path={path}"
    )
    assert datasets.status(spec) == ("ready", str(path))
    dataset = datasets.load(spec)
    facts = medmnist.FACTS[name]
    assert dataset.name == spec
    assert parse(dataset.name) == parse(spec)
    assert dataset.train.class_names == dataset.test.class_names == facts.class_names
    assert dataset.train.images.shape == (
        10,
        facts.channels,
        28,
        28,
    )  # training and validation images
    assert dataset.test.images.shape == (5, facts.channels, 28, 28)
    assert dataset.train.images[:, 0, 3, 4].tolist() == list(range(0, 100, 10))
    assert dataset.test.images[:, 0, 27, 0].tolist() == list(range(100, 150, 10))
    if facts.channels == 3:
        assert (dataset.train.images[:, 2] == dataset.train.images[:, 0] + 1).all()
    if name == "chestmnist":
        kinds = [facts.class_names[label] for label in dataset.test.class_index]
        assert kinds == [
            "no finding",
            "atelectasis",
            "several findings",
            "no finding",
            "no finding",
        ]
    else:
        assert dataset.test.class_index.tolist() == [
            number % len(facts.class_names) for number in range(10, 15)
        ]
    assert "is not the official" in capsys.readouterr().err
    assert dataset.provenance == f"{path}, not the official file (different MD5)"


def test_other_official_sizes_are_taken_by_path(tmp_path):
    path = tmp_path / "bloodmnist_64.npz"
    np.savez(path, **arrays("bloodmnist", side=64))
    dataset = datasets.load(f"medmnist:set=bloodmnist,path={path}")
    assert dataset.train.images.shape == (10, 3, 64, 64)


def test_the_official_file_is_fetched_or_put_by_hand_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    content = write(tmp_path / "breastmnist.npz", "breastmnist").read_bytes()
    server = Server()
    try:
        monkeypatch.setattr(medmnist, "MIRRORS", (server.base,))
        server.how["/breastmnist.npz"] = server.file(content)
        with refused(
            "medmnist could not be fetched",
            "wrong hash",
            "breastmnist.npz (md5:750601b1f35ba3300ea97c75c52",
        ):
            datasets.load("medmnist:set=breastmnist")
        facts = medmnist.FACTS["breastmnist"]._replace(md5=hashlib.md5(content).hexdigest())
        monkeypatch.setitem(medmnist.FACTS, "breastmnist", facts)
        folder = tmp_path / "data" / "medmnist"
        assert datasets.status("medmnist:set=breastmnist").state == "fetchable"
        assert datasets.load("medmnist:set=breastmnist").provenance == server.base
        assert datasets.status("medmnist:set=breastmnist") == ("ready", str(folder))
        assert datasets.status("medmnist:set=bloodmnist").state == "fetchable"
        assert (
            datasets.load("medmnist:set=breastmnist").provenance
            == f"the official files in {folder}"
        )
        spec = f"medmnist:set=breastmnist,path={folder / 'breastmnist.npz'}"
        assert datasets.load(spec).provenance.endswith(", the official file")
    finally:
        server.close()


@pytest.mark.skipif(
    not REAL.exists(), reason="shared/data/pneumoniamnist.npz is not beside this repository"
)
def test_real_x_rays_are_read():
    dataset = datasets.load(f"medmnist:path={REAL}")
    assert dataset.train.class_names == ("normal", "pneumonia")
    assert np.bincount(dataset.test.class_index).tolist() == [234, 390]  # as the authors publish
    assert (
        np.bincount(dataset.train.class_index)[0] == 388 + 135
    )  # 388: see the file's README; 135 of validation
    assert dataset.test.images.shape == (624, 1, 28, 28)
    assert 0.5 < dataset.train.to_float().mean() < 0.65
    assert "not the official file" in dataset.provenance


PNEUMONIA = "pneumoniamnist"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"val_images": None}, ["has no array 'val_images'", "only train_images"]),
        ({"test_labels": None}, ["has no array 'test_labels'"]),
        (
            {"train_images": np.zeros((7, 28, 28, 3), np.uint8)},
            ["uint8 [N, H, W], got uint8 [7, 28, 28, 3]", "set"],
        ),
        ({"train_images": np.zeros((7, 28, 28))}, ["got float64 [7, 28, 28]"]),
        ({"test_images": np.zeros((0, 28, 28), np.uint8)}, ["got uint8 [0, 28, 28]"]),
        ({"train_labels": np.zeros(7, np.uint8)}, ["integers [N, 1], got uint8 [7]"]),
        ({"train_labels": np.full((7, 1), 9, np.uint8)}, ["class_index must lie in 0..1"]),
        ({"train_labels": np.zeros((6, 1), np.uint8)}, ["class_index must be [10]"]),
        ({"val_images": np.zeros((3, 64, 64), np.uint8)}, ["val_images are 64 x 64", "28 x 28"]),
    ],
)
def test_a_file_of_another_format_is_refused_in_one_line(changes, words, tmp_path):
    path = write(tmp_path / "pneumoniamnist.npz", PNEUMONIA, **changes)
    with refused(*words):
        datasets.load(f"medmnist:path={path}")


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\3\4" + bytes(99)])
def test_a_file_that_is_no_npz_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "pneumoniamnist.npz").write_bytes(content)
    with refused("pneumoniamnist.npz is not a .npz file"):
        datasets.load(f"medmnist:path={tmp_path / 'pneumoniamnist.npz'}")


def test_a_path_that_is_not_there_or_of_another_set_is_refused(tmp_path):
    missing = tmp_path / "none.npz"
    assert datasets.status(f"medmnist:path={missing}") == ("manual", str(missing))
    with refused("medmnist.path: there is no file", str(missing)):
        datasets.load(f"medmnist:path={missing}")
    path = write(tmp_path / "breastmnist.npz", "breastmnist")
    with refused("named like breastmnist, but medmnist.set is pneumoniamnist"):
        datasets.load(f"medmnist:path={path}")
    with refused("medmnist.set: input should be 'bloodmnist'"):
        datasets.load("medmnist:set=brainmnist")

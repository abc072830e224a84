"""digits and textures: inside libraries, there in an instant."""

import importlib.util

import numpy as np
import pytest

from anomalist import datasets, tasks
from anomalist.datasets import textures
from refusals import refused


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    dataset, found = datasets.load("digits"), load_digits()
    assert (len(dataset.train), len(dataset.test)) == (1200, 597)
    both = np.concatenate([dataset.train.to_float(), dataset.test.to_float()])
    np.testing.assert_array_equal(both[:, 0], (found.images / 16).astype(np.float32))
    labels = np.concatenate([dataset.train.class_index, dataset.test.class_index])
    np.testing.assert_array_equal(labels, found.target)
    assert dataset.train.class_names == tuple("0123456789")


def test_digits_make_a_task_at_once():
    task = tasks.make_one_class(datasets.load("digits"), 3, calibration=30)
    assert task.train.images.shape == (91, 1, 8, 8)
    assert int(task.test.is_anomaly.sum()) == 535


skimage = pytest.mark.skipif(
    importlib.util.find_spec("skimage") is None, reason="scikit-image is not installed"
)


@skimage
@pytest.mark.parametrize("side", [8, 32, 33, 64, 100, 256])
def test_textures_are_disjoint_crops_in_order(side):
    from skimage import data

    dataset = datasets.load(f"textures:texture=grass;brick,side={side}")
    rows = 512 // side
    first = min(max(1, round(0.7 * rows)), rows - 1)
    assert len(dataset.train) == 2 * first * rows
    assert len(dataset.test) == 2 * (rows - first) * rows
    assert dataset.train.class_names == ("grass", "brick")
    for kind, photograph in enumerate((data.grass(), data.brick())):
        parts = [
            split.images[split.class_index == kind].reshape(-1, rows, side, side)
            for split in (dataset.train, dataset.test)
        ]
        whole = np.concatenate(parts).transpose(0, 2, 1, 3).reshape(rows * side, rows * side)
        np.testing.assert_array_equal(
            whole, photograph[: rows * side, : rows * side]
        )  # each pixel in one crop alone


@skimage
def test_coloured_tissue_comes_in_three_channels():
    from skimage import data

    dataset = datasets.load("textures:texture=ihc,side=64")
    assert dataset.train.images.shape == (48, 3, 64, 64)
    np.testing.assert_array_equal(
        dataset.train.images[1], data.immunohistochemistry()[:64, 64:128].transpose(2, 0, 1)
    )


@skimage
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("textures:texture=ihc;grass", ["ihc is in colour", "use it alone"]),
        ("textures:texture=grass;grass", ["give each texture only once"]),
        (
            "textures:texture=wood",
            ["textures.texture", "'brick', 'grass', 'gravel' or 'ihc'", "'wood'"],
        ),
        ("textures:texture=", ["textures.texture"]),
        ("textures:side=7", ["textures.side", "greater than or equal to 8"]),
        ("textures:side=257", ["textures.side", "less than or equal to 256"]),
    ],
)
def test_wrong_options_are_refused(spec, words):
    with refused(*words):
        datasets.load(spec)


def test_without_scikit_image_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(textures, "find_spec", lambda name: None)
    assert datasets.status("textures") == ("fetchable", "pip install 'anomalist[textures]'")
    with refused("scikit-image, which is not installed", "pip install 'anomalist[textures]'"):
        datasets.load("textures")


@skimage
def test_a_damaged_photograph_is_said(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "brick.png").write_bytes(b"\x89PNG")
    (tmp_path / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location(
        "skimage", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(textures, "find_spec", lambda name: spec)
    with refused("brick.png cannot be read", "reinstall scikit-image"):
        datasets.load("textures")

"""The contract of every saved detector, by name: it comes back bit by bit, and nothing else is
taken for one."""

import hashlib
import json

import pytest
from small_models import NAMES, SIZES, each_name, each_variant, fitted, same

from anomalist import models
from refusals import refused
from toys import blobs


@each_variant
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_a_saved_detector_comes_back_bit_by_bit(variant, size, tmp_path):
    detector, test = fitted(variant, size), blobs(20, size, seed=1)
    detector.save(tmp_path / "new" / "folder")
    read = models.load(str(tmp_path / "new" / "folder"))
    assert type(read) is type(detector)
    assert read.model_dump() == detector.model_dump()
    assert read.history == detector.history
    assert same(read.score(test), detector.score(test))
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "arrays.safetensors",
        "detector.json",
    ]
    read.save(tmp_path / "again")
    for name in ("arrays.safetensors", "detector.json"):
        assert (tmp_path / "again" / name).read_bytes() == (
            tmp_path / "new" / "folder" / name
        ).read_bytes()


@pytest.fixture(params=NAMES)
def saved(request, tmp_path):
    fitted((request.param,)).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["detector.json", "arrays.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "garbage", "one bit"])
def test_a_damaged_file_is_refused(saved, file, damage):
    path = saved / file
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "one bit":
        data[1 if file == "detector.json" else len(data) // 2] ^= 0x80
    if damage != "missing":
        path.write_bytes(
            {"empty": b"", "cut": data[:-40], "garbage": b"\x80\x04garbage"}.get(damage, data)
        )
    with refused(str(saved), file):
        models.load(saved)


@pytest.mark.parametrize("arrays", [b"", b"\x80\x04garbage", b"\x02\0\0\0\0\0\0\0{}"])
def test_arrays_that_are_not_the_detectors_are_refused_even_with_the_right_hash(saved, arrays):
    described = json.loads((saved / "detector.json").read_text())
    described["arrays_sha256"] = hashlib.sha256(arrays).hexdigest()
    (saved / "detector.json").write_text(json.dumps(described))
    (saved / "arrays.safetensors").write_bytes(arrays)
    with refused(str(saved), "save it again"):
        models.load(saved)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, ["format 2"]),
        ({"detector": "autoencodr"}, ["unknown model 'autoencodr'", "did you mean 'autoencoder'?"]),
        ({"detector": "../trial"}, ["unknown model"]),
        ({"detector": None}, ["unknown model"]),
        ({"config": {"no_such_option": 1}}, ["unknown option"]),
        ({"config": []}, ["save it again"]),
        ({"shape": [1, 12]}, ["save it again"]),
        ({"shape": [1, 19, 23]}, ["save it again"]),
        ({"shape": "big"}, ["save it again"]),
        ({"shape": None}, ["save it again"]),
    ],
)
def test_a_changed_description_is_refused(saved, changes, words):
    described = json.loads((saved / "detector.json").read_text())
    (saved / "detector.json").write_text(json.dumps({**described, **changes}))
    with refused(*words):
        models.load(saved)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"format": 1}', "NaN"])
def test_a_description_of_something_else_is_refused(saved, text):
    (saved / "detector.json").write_text(text)
    with refused("detector.json", "save it again"):
        models.load(saved)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with refused("no detector in", "nowhere"):
        models.load(tmp_path / "nowhere")


@each_name
def test_a_folder_that_cannot_be_written_is_refused(name, tmp_path):
    (tmp_path / "file").write_text("mine")
    with refused("model folder", "choose another"):
        fitted((name,)).save(tmp_path / "file" / "below")

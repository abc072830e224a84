"""Files: whole or not at all, and never a temporary left behind."""

import json

import numpy as np
import pytest

from anomalist.core import files
from anomalist.core.files import atomic_write, make_folder, write_arrays, write_json
from refusals import refused


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_appears_under_its_name_alone(tmp_path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
        assert temporary.name != "a.txt"
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
        made = temporary.stat().st_ino
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"
    assert (tmp_path / "a.txt").stat().st_ino == made  # renamed, not written a second time
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_an_exception_leaves_the_old_file_and_no_temporary(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(UnicodeEncodeError),
        atomic_write(path) as temporary,
        temporary.open("w") as file,
    ):
        file.write("half" * 10_000 + "\ud800")
    assert names(tmp_path) == ["a.txt"]
    assert path.read_text() == "old"


def test_an_interruption_counts_as_an_exception(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a.txt"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_rename_that_fails_leaves_no_temporary(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"), atomic_write(tmp_path / "folder"):
        pass
    assert names(tmp_path) == ["folder"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as first, atomic_write(path) as second:
        assert first != second
        first.write_text("1")
        second.write_text("2")
    assert path.read_text() == "1"  # the one that ended last
    assert names(tmp_path) == ["a.txt"]


def test_json_is_readable_and_keeps_letters(tmp_path):
    write_json(tmp_path / "a.json", {"kind": "größer", "values": [1, 0.1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "kind": "größer",\n  "values": [\n    1,\n    0.1\n  ]\n}\n'
    assert json.loads(text) == {"kind": "größer", "values": [1, 0.1]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [-float("inf")]}])
def test_json_refuses_what_it_has_no_word_for(tmp_path, value):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", value)
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "1\n"


def test_arrays_come_back_and_the_same_arrays_give_the_same_bytes(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as read:
        assert sorted(read) == ["a", "b"]
        for key, value in arrays.items():
            np.testing.assert_array_equal(read[key], value)


def test_arrays_of_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "a.npz", {"a": np.array([None], dtype=object)})
    assert names(tmp_path) == []


def test_a_folder_is_made_with_its_parents_and_may_be_there_already(tmp_path):
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == folder
    assert make_folder(folder) == folder
    assert names(folder) == []


@pytest.mark.parametrize("tail", ["", "below", "far/below"])
def test_a_file_in_the_way_is_refused_in_one_line(tmp_path, tail):
    (tmp_path / "file").write_text("mine")
    with refused("model folder", str(tmp_path / "file"), "choose another"):
        make_folder(tmp_path / "file" / tail, "model folder")
    assert (tmp_path / "file").read_text() == "mine"


def test_the_home_folder_is_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setattr(files.Path, "home", lambda: tmp_path)
    assert files.abbreviate_home(tmp_path / "cache" / "a") == "~/cache/a"
    assert files.abbreviate_home(tmp_path.parent / "a") == str(tmp_path.parent / "a")

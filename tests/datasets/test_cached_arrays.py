"""The cache: filled once from the first source that serves, verified on every load."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pooch
import pytest

from anomalist.core.data_home import data_folder
from anomalist.core.errors import InputError
from anomalist.datasets._download.cache import Part, Source, load_arrays, state

ARRAYS = {"x": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "y": np.array([1, 0], np.uint8)}
PARTS = {name: Part(a.shape, hashlib.sha256(a.tobytes()).hexdigest()) for name, a in ARRAYS.items()}
SIZE = 26


class Counted:
    """A source that counts how often it was read."""

    def __init__(self, result, name="there"):
        self.count, self.result, self.name = 0, result, name

    def read(self):
        self.count += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    @property
    def source(self):
        return Source(self.name, self.read)


def load(folder, *sources):
    return load_arrays("toy", PARTS, [source.source for source in sources], folder, "toy.gz")


def assert_right(arrays):
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_it_is_fetched_once_and_then_cached(tmp_path, capsys):
    folder, there = tmp_path / "deep" / "toy", Counted(ARRAYS)
    arrays, source = load(folder, there)
    assert_right(arrays)
    assert source == "there"
    assert capsys.readouterr().err == "anomalist: fetching toy from there\n"
    arrays, source = load(folder, there)
    assert_right(arrays)
    assert source == f"the cache, {folder / 'toy.uint8'}"
    assert there.count == 1
    assert [path.name for path in folder.iterdir()] == ["toy.uint8"]  # nothing temporary is left
    assert capsys.readouterr() == ("", "")


def damage_flip(file):
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")


@pytest.mark.parametrize(
    "damage",
    [
        damage_flip,
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes() + b"\0"),
        lambda file: file.write_bytes(b""),
    ],
)
def test_a_damaged_cache_is_noticed_and_fetched_again(tmp_path, capsys, damage):
    there = Counted(ARRAYS)
    load(tmp_path, there)
    damage(tmp_path / "toy.uint8")
    capsys.readouterr()
    assert_right(load(tmp_path, there)[0])
    warning, fetching = capsys.readouterr().err.splitlines()
    assert "fetching the cached file again" in warning
    assert "changed" in warning
    assert fetching.endswith("fetching toy from there")
    assert there.count == 2
    assert load(tmp_path)[1].startswith("the cache")


def test_the_cached_file_is_replaced_never_overwritten(tmp_path):
    (tmp_path / "toy.uint8").write_bytes(b"?" * SIZE)
    with (tmp_path / "toy.uint8").open("rb") as reader:
        load(tmp_path, Counted(ARRAYS))
        assert reader.read() == b"?" * SIZE
    assert load(tmp_path)[1].startswith("the cache")


def test_sources_are_asked_in_order_once_each_until_one_serves(tmp_path, capsys):
    down, false = (
        Counted(InputError("is down"), "first"),
        Counted(ARRAYS | {"y": ARRAYS["y"][::-1]}, "second"),
    )
    good, spare = Counted(ARRAYS, "third"), Counted(ARRAYS, "fourth")
    assert load(tmp_path, down, false, good, spare)[1] == "third"
    assert [source.count for source in (down, false, good, spare)] == [1, 1, 1, 0]
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == [
        "anomalist: fetching toy from second (first: is down)",
        "anomalist: fetching toy from third (second: y have the wrong sha256)",
    ]


@pytest.mark.parametrize("wrong", [ARRAYS["x"].astype(np.int64), ARRAYS["x"].reshape(2, 4, 3)])
def test_arrays_of_another_type_or_shape_are_refused(tmp_path, wrong):
    with pytest.raises(InputError, match=r"x are (int64|uint8) \[2, .*\], not uint8 \[2, 3, 4\]"):
        load(tmp_path, Counted(ARRAYS | {"x": wrong}))
    assert not list(tmp_path.iterdir())


def test_where_nothing_serves_one_line_names_sources_folder_and_files(tmp_path):
    with pytest.raises(InputError) as caught:
        load(
            tmp_path,
            Counted(InputError("is\n  down"), "first"),
            Counted(PermissionError(13, "no"), "second"),
        )
    reasons = "first: is down; second: [Errno 13] no"
    assert (
        str(caught.value)
        == f"toy could not be fetched; {reasons}; put these files into {tmp_path}: toy.gz"
    )


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    there = Counted(ARRAYS)
    with pytest.raises(InputError, match=r"cannot write to the data folder .*ANOMALIST_DATA"):
        load(tmp_path / "file" / "toy", there)
    assert there.count == 0  # nothing is fetched that could not be kept
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "toy.uint8").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*toy.uint8.*ANOMALIST_DATA"):
        load(tmp_path, Counted(ARRAYS))
    assert [path.name for path in tmp_path.iterdir()] == ["toy.uint8"]


def test_state_says_ready_only_of_a_file_of_the_right_size(tmp_path):
    assert state("toy", PARTS, tmp_path / "none") == ("fetchable", str(tmp_path / "none"))
    load(tmp_path, Counted(ARRAYS))
    assert state("toy", PARTS, tmp_path) == ("ready", str(tmp_path))
    file = tmp_path / "toy.uint8"
    for content in (file.read_bytes()[:-1], file.read_bytes() + b"\0", b""):
        file.write_bytes(content)
        assert state("toy", PARTS, tmp_path) == ("fetchable", str(tmp_path))


def test_the_data_folder_is_the_platforms_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path))
    assert data_folder("toy") == tmp_path / "toy"
    monkeypatch.setenv("ANOMALIST_DATA", "~/data")
    assert data_folder("toy") == Path.home() / "data" / "toy"
    for unset in (
        lambda: monkeypatch.setenv("ANOMALIST_DATA", ""),
        lambda: monkeypatch.delenv("ANOMALIST_DATA"),
    ):
        unset()
        assert data_folder("toy") == Path(pooch.os_cache("anomalist")) / "toy"


RACE = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_cached_arrays import ARRAYS, PARTS, assert_right
from anomalist.datasets._download.cache import Source, load_arrays

folder = Path(sys.argv[1])

def read():  # both have found the cache empty before either may fill it
    (folder / f"started-{os.getpid()}").touch()
    deadline = time.monotonic() + 30
    while len(list(folder.glob("started-*"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return ARRAYS

arrays, source = load_arrays("toy", PARTS, [Source("there", read)], folder / "toy", "")
assert_right(arrays)
assert source == "there", source
"""


def test_two_processes_that_start_together_on_an_empty_cache_both_succeed(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path), str(Path(__file__).parent)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert_right(load(tmp_path / "toy")[0])
    assert [path.name for path in (tmp_path / "toy").iterdir()] == ["toy.uint8"]

"""The reader of .npy and .npz: what NumPy wrote is read, what it did not is refused."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from anomalist.core import npy as _npy
from anomalist.core.errors import InputError
from anomalist.core.npy import read_npy, read_npz
from refusals import refused

ARRAYS = {
    "a": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "b": np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)),
    "c": np.array(["good", "crack"]),
    "d": np.zeros((0, 3), np.int64),
    "e": np.array(7),
}


def npy(array=None, header=None, version=b"\1\0", values=None):
    if header is None:
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()
    text = header.encode("latin1")
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + (values or b"")


def head(descr="|u1", shape="(2, 3)", order=False):
    return f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}}}\n"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_read_like_numpy_does(tmp_path, save):
    save(tmp_path / "x.npz", **ARRAYS)
    readers = read_npz(tmp_path / "x.npz")
    assert list(readers) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(readers[name](), array)
        assert readers[name]().dtype == array.dtype


@pytest.mark.parametrize("name", list(ARRAYS))
def test_npy_is_read_like_numpy_does(tmp_path, name):
    np.save(tmp_path / "x.npy", ARRAYS[name])
    np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), ARRAYS[name])


def test_what_lies_in_one_piece_is_not_read_into_memory(tmp_path):
    big = np.ones((64, 1000, 1000), np.uint8)
    np.save(tmp_path / "x.npy", big)
    np.savez(tmp_path / "x.npz", first=np.arange(3), big=big)
    del big
    tracemalloc.start()
    try:
        for array in (read_npy(tmp_path / "x.npy"), read_npz(tmp_path / "x.npz")["big"]()):
            assert isinstance(array, np.memmap)
            assert not array.flags.writeable
            assert array[63, 999, 999] == 1
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


HOSTILE = {
    "empty": (b"", "not an array of numpy.save"),
    "text": (b"<html>not found</html>", "not an array of numpy.save"),
    "magic alone": (b"\x93NUMPY\1\0", "not an array of numpy.save"),
    "truncated": (npy(ARRAYS["a"])[:-1], "must contain 24 bytes, it contains 23"),
    "longer": (npy(ARRAYS["a"]) + b"\0", "must contain 24 bytes, it contains 25"),
    "header cut": (npy(ARRAYS["a"])[:40], "not an array of numpy.save"),
    "pickle": (npy(np.array([{}], object)), "only numbers"),
    "fields": (
        npy(header=head("[('a', '<f4')]").replace('"', ""), values=bytes(24)),
        "only numbers",
    ),
    "absurd": (
        npy(header=head(shape="(4000000000, 4000000000, 9)"), values=bytes(9)),
        "must contain 144000000000000000000",
    ),
    "negative": (npy(header=head(shape="(-2, -3)"), values=bytes(6)), "its header says [-2, -3]"),
    "nested": (npy(header="(" * 9000), "not an array of numpy.save"),
    "code": (
        npy(header=head(shape="(__import__('os').getpid(),)")),
        "not an array of numpy.save",
    ),
    "no key": (npy(header="{'descr': '|u1'}\n"), "not an array of numpy.save"),
    "no tuple": (npy(header=head(shape="7"), values=bytes(7)), "not an array of numpy.save"),
    "no dtype": (npy(header=head("what")), "not an array of numpy.save"),
    "huge text": (npy(header=head("<U9999999"), values=bytes(6)), "must contain"),
    "long header": (
        b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b"{",
        "not an array of plain numbers",
    ),
    "version 9": (b"\x93NUMPY\x09\0" + bytes(99), "not an array of plain numbers"),
    "unclosed": (npy(header="{'descr': '|u1', 'shape': ('"), "not an array of numpy.save"),
    "zeros": (bytes(1000), "not an array of numpy.save"),
}
each_hostile = pytest.mark.parametrize("name", list(HOSTILE))


@each_hostile
def test_a_hostile_npy_is_refused_in_one_line(tmp_path, name):
    content, words = HOSTILE[name]
    (tmp_path / "x.npy").write_bytes(content)
    with refused(str(tmp_path / "x.npy"), words):
        read_npy(tmp_path / "x.npy")


@each_hostile
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_hostile_member_of_npz_is_refused_in_one_line(tmp_path, name, packing, monkeypatch):
    monkeypatch.setattr(
        _npy, "MOST_BYTES", 1 << 62
    )  # what is claimed must be found wrong by itself
    content, words = HOSTILE[name]
    if packing == zipfile.ZIP_DEFLATED:
        monkeypatch.setattr(_npy, "MOST_BYTES", 1 << 20)
        words = words.replace("it contains 23", "").replace("it contains 25", "").rstrip(", ")
        if name in ("absurd", "huge text"):
            words = "of memory, the limit is"
    with zipfile.ZipFile(tmp_path / "x.npz", "w", packing) as archive:
        archive.writestr("x.npy", content)
    with refused("x.npz: x.npy", words):
        read_npz(tmp_path / "x.npz")["x"]()


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path, monkeypatch):
    monkeypatch.setattr(_npy, "MOST_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "honest.npz", x=np.zeros(1 << 25, np.uint8))
    with zipfile.ZipFile(tmp_path / "liar.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros(5, np.uint8)) + bytes(1 << 25))
    tracemalloc.start()
    try:
        with refused("needs 0.0312 GiB of memory", "numpy.save"):
            read_npz(tmp_path / "honest.npz")["x"]()
        with refused("must contain 5 bytes"):
            read_npz(tmp_path / "liar.npz")["x"]()
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_a_damaged_npz_is_refused_in_one_line(tmp_path):
    path, messages = tmp_path / "x.npz", []
    for save in (np.savez, np.savez_compressed):
        save(path, x=np.random.default_rng(0).integers(0, 9, 5000, np.uint8))
        good = path.read_bytes()
        for content in (b"", b"PK", good[:-30], good[: len(good) // 2], b"\0" * 99):
            path.write_bytes(content)
            with refused(str(path), "is not a .npz file, or is damaged"):
                read_npz(path)
        for place in range(0, 120, 7):  # the member's own header and the beginning of its data
            broken = bytearray(good)
            broken[place] ^= 255
            path.write_bytes(bytes(broken))
            try:
                np.testing.assert_array_equal(read_npz(path)["x"]().shape, 5000)
            except InputError as error:
                messages.append(str(error))
    assert len(messages) > 10
    assert all("\n" not in message and str(path) in message for message in messages)


def test_members_packed_otherwise_are_refused(tmp_path):
    for packing in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "x.npz", "w", packing) as archive:
            archive.writestr("x.npy", npy(ARRAYS["a"]))
        with refused("x.npy is encrypted, or compressed by another method"):
            read_npz(tmp_path / "x.npz")["x"]()


def test_other_members_are_passed_over(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("evil.pkl", b"cos\nsystem\n.")
        archive.writestr("x.npy", npy(ARRAYS["a"]))
    assert list(read_npz(tmp_path / "x.npz")) == ["x"]

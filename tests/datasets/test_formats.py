"""The readers of IDX files and pickled arrays: what is right is read, what is wrong is refused."""

import collections
import gzip
import io
import os
import pickle
import struct

import numpy as np
import pytest

from anomalist.core.errors import InputError
from anomalist.datasets._formats import check_sha256, read_idx, unpickle_arrays

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(values=VALUES, magic=None, sizes=None):
    magic = bytes([0, 0, 8, values.ndim]) if magic is None else magic
    return magic + struct.pack(f">{values.ndim}I", *(sizes or values.shape)) + values.tobytes()


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["x", "x.gz"])  # browsers unzip files and keep the name
def test_idx_is_read_zipped_or_plain_whatever_its_name(tmp_path, wrap, name):
    (tmp_path / name).write_bytes(wrap(idx()))
    array = read_idx(tmp_path / name, VALUES.shape)
    assert array.dtype == np.uint8
    assert array.flags.writeable
    np.testing.assert_array_equal(array, VALUES)


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"<html>403 Forbidden</html>", "not an IDX file"),
        (idx(magic=bytes([0, 0, 9, 3])), "not an IDX file of uint8"),
        (idx(magic=bytes([0, 0, 8, 2])), "not an IDX file of uint8 in 3 dimensions"),
        (idx()[:9], "ends within its header"),
        (idx(sizes=(2, 3, 5)), r"must be \[2, 3, 4\], its header says \[2, 3, 5\]"),
        (idx(sizes=(2**32 - 1,) * 3), "its header says"),
        (idx()[:-1], "must hold 24 values, it holds 23"),
        (idx() + b"\0", "must hold 24 values, it holds more"),
    ],
)
def test_wrong_idx_is_refused(tmp_path, wrap, content, message):
    (tmp_path / "x").write_bytes(wrap(content))
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / "x", VALUES.shape)


def test_damaged_gzip_is_refused(tmp_path):
    whole = gzip.compress(idx())
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # in the checksum
    for content in (whole[:-9], whole[:12], bytes(flipped), whole[:10] + b"\xff" * 30):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(InputError, match="damaged gzip file"):
            read_idx(tmp_path / "x", VALUES.shape)


def test_no_more_is_inflated_than_the_shape_asks_for(tmp_path, monkeypatch):
    read = []

    class Counting(gzip.GzipFile):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    monkeypatch.setattr(gzip, "GzipFile", Counting)
    (tmp_path / "bomb").write_bytes(gzip.compress(idx() + bytes(10_000_000)))
    with pytest.raises(InputError, match="more"):
        read_idx(tmp_path / "bomb", VALUES.shape)
    assert min(read) >= 0
    assert sum(read) == 16 + 24 + 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_in_plain_containers_are_unpickled(protocol):
    value = [(np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(3))]
    if protocol == 5:  # out-of-band buffers name a helper of NumPy that no carrier of ours needs
        with pytest.raises(InputError, match="_frombuffer"):
            unpickle_arrays(io.BytesIO(pickle.dumps(value, protocol)))
        return
    if protocol < 3:  # Python 3 writes bytes there through a helper, Python 2 does not
        with pytest.raises(InputError, match=r"_codecs\.encode"):
            unpickle_arrays(io.BytesIO(pickle.dumps(value, protocol)))
        return
    ((images, labels),) = unpickle_arrays(io.BytesIO(pickle.dumps(value, protocol)))
    np.testing.assert_array_equal(images, value[0][0])
    np.testing.assert_array_equal(labels, value[0][1])
    assert images.dtype == np.float32


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_arrays_that_python_2_pickled_are_unpickled(module):
    text = (
        b"\x80\x02c"
        + module
        + b"\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
    )
    text += b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ"
    text += b"\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = unpickle_arrays(io.BytesIO(text + b"\x89U\x02\x07\x09tb."))
    assert array.dtype == np.uint8
    assert array.tolist() == [7, 9]


class Evil:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        Evil(os.mkdir, "evil"),
        Evil(exec, "import os; os.mkdir('evil')"),
        Evil(getattr, os, "mkdir"),
        collections.OrderedDict(),
        [np.zeros(2), Evil(os.mkdir, "evil")],
    ],
)
def test_anything_but_arrays_is_refused_before_it_runs(tmp_path, monkeypatch, value, protocol):
    monkeypatch.chdir(tmp_path)
    try:
        text = pickle.dumps(value, protocol)
    except TypeError:  # a module cannot be pickled: name it by hand
        text = b"cbuiltins\ngetattr\n(cos\n__dict__\nVmkdir\ntR."
    with pytest.raises(InputError, match="it names "):
        unpickle_arrays(io.BytesIO(text))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "text",
    [
        b"cnumpy\nfromfile\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        b"cnumpy.core.multiarray\nload\n.",
    ],
)
def test_other_names_of_numpy_are_refused(text):
    with pytest.raises(InputError, match="it names numpy"):
        unpickle_arrays(io.BytesIO(text))


@pytest.mark.parametrize(
    "text", [b"", b"\x80\x04", b"not a pickle", pickle.dumps(np.zeros(9), 4)[:-5]]
)
def test_damaged_pickle_is_refused(text):
    with pytest.raises(InputError, match="not a pickle of NumPy arrays"):
        unpickle_arrays(io.BytesIO(text))


def test_sha256_is_checked():
    good = (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", FIPS 180-2
    )
    check_sha256(b"abc", good, "x")
    with pytest.raises(InputError, match=r"^x has the wrong sha256$"):
        check_sha256(b"abd", good, "x")

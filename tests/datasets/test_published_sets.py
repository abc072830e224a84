"""fashion_mnist, kmnist, emnist and cifar10: from files in the official formats.

The real files are not here, so a test makes its own, of the full size or of a small one, and puts
their hashes in the place of the published ones.
"""

import gzip
import hashlib
import io
import struct
import tarfile
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from anomalist import datasets
from anomalist.datasets import cifar10, emnist, fashion_mnist, kmnist
from anomalist.datasets._download import mnist_like as _mnist_like
from refusals import refused
from web_server import Server

NOWHERE = "http://127.0.0.1:1/"


def pattern(n, height=28, width=28):
    """Images that are all told apart by their first row, and that compress in no time."""
    images = np.zeros((n, height, width), np.uint8)
    images[:, 0, :4] = np.arange(n, dtype=">u4").view(np.uint8).reshape(n, 4)
    images[:, 1, 0] = 255
    return images


def idx(values, sizes=None):
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *(sizes or values.shape))
    return head + np.ascontiguousarray(values).tobytes()


def zipped(content):
    return gzip.compress(content, 1, mtime=0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Write a module's files where they belong, and take their hashes for the published ones."""
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def put(module, files, home=NOWHERE):
        name = module.__name__.rpartition(".")[2]
        (tmp_path / name).mkdir(exist_ok=True)
        hashes = {}
        for file, content in files.items():
            hashes[file] = "md5:" + hashlib.md5(content).hexdigest()
            if home == NOWHERE:
                (tmp_path / name / file).write_bytes(content)
        assert set(hashes) == set(module.FILES.hashes)
        monkeypatch.setattr(module, "FILES", replace(module.FILES, hashes=hashes, mirrors=(home,)))
        return tmp_path / name

    return put


@pytest.fixture
def small(monkeypatch):
    """The same formats with few images."""
    monkeypatch.setattr(_mnist_like, "_COUNTS", {"train": 60, "t10k": 10})
    monkeypatch.setattr(emnist, "COUNTS", {"train": 52, "test": 26})
    monkeypatch.setattr(cifar10, "_COUNT", 20)
    monkeypatch.setattr(cifar10, "_MOST", 1 << 19)


def mnist_like(train=60, test=10):
    files = {}
    for split, n in (("train", train), ("t10k", test)):
        files[f"{split}-images-idx3-ubyte.gz"] = zipped(idx(pattern(n)))
        files[f"{split}-labels-idx1-ubyte.gz"] = zipped(idx((np.arange(n) % 10).astype(np.uint8)))
    return {name: files[name] for name in fashion_mnist.FILES.hashes}


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), [(fashion_mnist, "fashion_mnist"), (kmnist, "kmnist")])
def test_four_idx_files_are_read(module, name, place):
    folder = place(module, mnist_like(60_000, 10_000))
    assert datasets.status(name) == ("ready", str(folder))
    dataset = datasets.load(name)
    assert dataset.name == name
    assert dataset.provenance == f"the official files in {folder}"
    assert dataset.train.class_names == dataset.test.class_names == module.KINDS
    for images, n in ((dataset.train, 60_000), (dataset.test, 10_000)):
        np.testing.assert_array_equal(images.images, pattern(n)[:, None], strict=True)
        np.testing.assert_array_equal(images.class_index, np.arange(n) % 10)


def test_files_are_fetched_from_their_home(place, small):
    server, files = Server(), mnist_like()
    try:
        server.how = {f"/{name}": server.file(content) for name, content in files.items()}
        folder = place(kmnist, files, server.base)
        assert datasets.status("kmnist").state == "fetchable"
        assert datasets.load("kmnist").provenance == server.base
        assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    finally:
        server.close()


@pytest.mark.parametrize("module", [fashion_mnist, kmnist, emnist, cifar10])
def test_the_published_hash_decides_before_anything_is_read(module, tmp_path, monkeypatch):
    name = module.__name__.rpartition(".")[2]
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "FILES", replace(module.FILES, mirrors=(NOWHERE,)))
    (tmp_path / name).mkdir()
    for file in module.FILES.hashes:
        (tmp_path / name / file).write_bytes(zipped(b"something else"))
    last = list(module.FILES.hashes.items())[-1]
    with refused(
        f"{name} could not be fetched",
        "is not the official file: its md5 is",
        f"{last[0]} ({last[1]})",
    ):
        datasets.load(name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped(idx(pattern(9))), ["must be [60, 28, 28], its header says [9, 28, 28]"]),
        (zipped(idx(pattern(9), (60, 28, 28))), ["must hold 47040 values, it holds 7056"]),
        (zipped(idx(pattern(60)) + bytes(1 << 24)), ["must hold 47040 values, it holds more"]),
        (
            zipped(idx(pattern(9), (2**32 - 1,) * 3)),
            ["its header says [4294967295, 4294967295, 4294967295]"],
        ),
        (zipped(b"\0\0\x0b\3" + bytes(90)), ["is not an IDX file of uint8"]),
        (zipped(idx(pattern(60)))[:-20], ["damaged gzip file"]),
        (b"", ["is not an IDX file"]),
    ],
)
def test_a_hostile_idx_file_is_refused_in_one_line_even_with_the_right_hash(
    content, words, place, small
):
    place(fashion_mnist, mnist_like() | {"train-images-idx3-ubyte.gz": content})
    with refused("train-images-idx3-ubyte.gz", *words):
        datasets.load("fashion_mnist")


def letters(**members):
    files = {}
    for split, n in emnist.COUNTS.items():
        files[f"{split}-images-idx3"] = idx(pattern(n))
        files[f"{split}-labels-idx1"] = idx((1 + np.arange(n) % 26).astype(np.uint8))
    names = {key: f"gzip/emnist-letters-{key}-ubyte.gz" for key in files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gzip/emnist-digits-train-images-idx3-ubyte.gz", b"not looked at")
        for key, content in files.items():
            packed = members.get(key, zipped(content))
            if packed is not None:
                archive.writestr(names[key], packed)
    return buffer.getvalue()


@pytest.mark.slow
def test_emnists_letters_are_read_and_stand_upright(place):
    place(emnist, {"gzip.zip": letters()})
    dataset = datasets.load("emnist")
    assert dataset.train.class_names == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for images, n in ((dataset.train, 124_800), (dataset.test, 20_800)):
        np.testing.assert_array_equal(
            images.images[:, 0], pattern(n).transpose(0, 2, 1), strict=True
        )
        np.testing.assert_array_equal(images.class_index, np.arange(n) % 26)


BOMB = zipped(zipped(bytes(1 << 26)))  # 64 MB in a few hundred bytes


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"train-images-idx3": None}, ["has no gzip/emnist-letters-train-images-idx3-ubyte.gz"]),
        ({"train-images-idx3": zipped(idx(pattern(3)))}, ["its header says [3, 28, 28]"]),
        ({"train-images-idx3": zipped(idx(pattern(3), (52, 28, 28)))}, ["must hold 40768 values"]),
        (
            {"train-labels-idx1": zipped(idx(pattern(3)))},
            ["is not an IDX file of uint8 in 1 dimensions"],
        ),
        ({"train-labels-idx1": BOMB}, ["is not an IDX file"]),
        ({"train-labels-idx1": b"no gzip"}, ["damaged gzip file"]),
    ],
)
def test_a_hostile_emnist_archive_is_refused_in_one_line(members, words, place, small):
    place(emnist, {"gzip.zip": letters(**members)})
    with refused(*words):
        datasets.load("emnist")


def test_a_damaged_emnist_archive_is_refused_in_one_line(place, small):
    good = letters()
    middle = bytearray(good)
    middle[good.index(b"letters-train-images") + 100] ^= 255
    for content in (good[:-30], b"PK\5\6" + bytes(18), b"", bytes(middle)):
        place(emnist, {"gzip.zip": content})
        with refused("gzip"):
            datasets.load("emnist")


def cifar(sizes=None, names=None):
    count = cifar10._COUNT
    sizes = sizes or (count * 3073,) * 6
    names = names or [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:") as archive:
        for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
            records = np.zeros((count, 3073), np.uint8)
            records[:, 0] = np.arange(count) % 10
            records[:, 1] = number
            records[:, 1 + 1024], records[:, 1 + 2048 + 33] = 100, 200
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = size
            archive.addfile(
                member, io.BytesIO(records.tobytes() + bytes(max(0, size - records.nbytes)))
            )
    return zipped(buffer.getvalue())


@pytest.mark.slow
def test_cifar10s_records_are_read_plane_by_plane(place):
    place(cifar10, {cifar10.ARCHIVE: cifar()})
    dataset = datasets.load("cifar10")
    assert dataset.train.images.shape == (50_000, 3, 32, 32)
    assert dataset.test.images.shape == (10_000, 3, 32, 32)
    assert dataset.train.images.dtype == np.uint8
    np.testing.assert_array_equal(dataset.train.images[:, 0, 0, 0], np.repeat(np.arange(5), 10_000))
    assert (dataset.test.images[:, 0, 0, 0] == 5).all()
    assert (dataset.train.images[:, 1, 0, 0] == 100).all()
    assert (dataset.train.images[:, 2, 1, 1] == 200).all()
    assert int((dataset.test.images > 0).sum()) == 30_000
    np.testing.assert_array_equal(dataset.train.class_index, np.arange(50_000) % 10)
    assert dataset.train.class_names[6] == "frog"


def hostile_tar(size):
    """A tar whose extended header claims ``size`` bytes of a name."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, size
    return zipped(member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 18))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: cifar((3073,) * 6), ["data_batch_1.bin must hold 61460 bytes, it holds 3073"]),
        (lambda: cifar(names="abcdef"), ["'cifar-10-batches-bin/data_batch_1.bin' not found"]),
        (lambda: cifar()[:-100], ["is a damaged archive"]),
        (lambda: zipped(b"no tar"), ["is a damaged archive"]),
        (lambda: b"no gzip at all", ["is a damaged archive"]),
        (lambda: zipped(bytes(1 << 20)), ["unpacks to more than CIFAR-10"]),
        (lambda: hostile_tar(1 << 33), ["is a damaged archive"]),
        (lambda: hostile_tar(1 << 17), ["cifar-10-binary.tar.gz"]),
    ],
    ids=["short", "names", "truncated", "no tar", "no gzip", "bomb", "huge header", "large header"],
)
def test_a_hostile_cifar_archive_is_refused_in_one_line(content, words, place, small):
    place(cifar10, {cifar10.ARCHIVE: content()})
    with refused(*words):
        datasets.load("cifar10")


@pytest.mark.parametrize("module", [fashion_mnist, emnist, cifar10])
def test_a_bomb_takes_no_more_memory_than_the_data_set(module, place, small):
    bomb = zipped(idx(pattern(60)) + bytes(1 << 27))
    if module is fashion_mnist:
        place(module, mnist_like() | {"train-images-idx3-ubyte.gz": bomb})
    elif module is emnist:
        place(module, {"gzip.zip": letters(**{"train-images-idx3": bomb})})
    else:
        place(module, {cifar10.ARCHIVE: bomb})
    tracemalloc.start()
    try:
        with refused("more") if module is not emnist else refused("its header says [60, 28, 28]"):
            datasets.load(module.__name__.rpartition(".")[2])
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()

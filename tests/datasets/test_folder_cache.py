"""Folder: what is decoded once is used again, and decoded anew where files have changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from folders import cached, hash_of, put, refuse_to_decode

import anomalist
from anomalist.core.data_home import data_folder
from anomalist.datasets import parse
from anomalist.datasets.folder import Folder
from picture_files import noise
from refusals import refused

pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_second_start_reads_no_file(flat, monkeypatch):
    from anomalist.image_files import cache as _folder_cache

    first = Folder(path=str(flat)).load()
    monkeypatch.setattr(_folder_cache, "_spread", None)  # what reads them
    again = Folder(path=str(flat)).load()
    np.testing.assert_array_equal(first.train.images, again.train.images)
    np.testing.assert_array_equal(first.test.images, again.test.images)


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path):
    for number in range(5):
        put(tmp_path / "a" / f"{number}.bmp", kind="BMP")
    Folder(path=str(tmp_path / "a"), resize=(20, 24)).load()
    for path in (tmp_path / "a").iterdir():
        before = path.stat()
        put(path, np.full((20, 24), 7, np.uint8), "BMP")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
    assert (Folder(path=str(tmp_path / "a"), resize=(20, 24)).load().train.images == 7).all()


def test_touched_files_are_checked_by_their_contents_and_not_decoded_again(flat, monkeypatch):
    first = Folder(path=str(flat)).load()
    for path in flat.rglob("*.png"):
        os.utime(path, (1, 1))
    refuse_to_decode(monkeypatch)
    again = Folder(path=str(flat)).load()
    np.testing.assert_array_equal(first.train.images, again.train.images)


def test_a_copy_of_the_folder_shares_its_cache(flat, tmp_path, monkeypatch):
    Folder(path=str(flat)).load()
    shutil.copytree(flat, tmp_path / "copy")
    refuse_to_decode(monkeypatch)
    assert len(Folder(path=str(tmp_path / "copy")).load().train) == 8


def test_changed_contents_of_the_same_size_are_decoded_anew(tmp_path):
    for number in range(5):
        put(tmp_path / "a" / f"{number}.bmp", kind="BMP")
    one = Folder(path=str(tmp_path / "a"), resize=(20, 24)).load()
    kept = one.train.images.copy()
    for number in range(5):
        put(tmp_path / "a" / f"{number}.bmp", np.full((20, 24), number, np.uint8), "BMP")
    two = Folder(path=str(tmp_path / "a"), resize=(20, 24)).load()
    assert two.train.images.max() <= 4
    np.testing.assert_array_equal(one.train.images, kept)  # what is mapped stays what it was
    assert len(cached()) == 1


@pytest.mark.parametrize("damage", ["images.npy", "masks.npy", "meta.json"])
@pytest.mark.parametrize(
    "how", [lambda data: data[:-1], lambda data: b"", lambda data: b"{}" + data[2:]]
)
def test_a_damaged_cache_is_made_again(mvtec, damage, how):
    first = Folder(path=str(mvtec), resize=8).load()
    kept = first.test.images.copy(), first.test.masks.copy()
    (file,) = data_folder("folder").glob(f"*/{damage}")
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(how(data))
    again = Folder(path=str(mvtec), resize=8).load()
    np.testing.assert_array_equal(again.test.images, kept[0])
    np.testing.assert_array_equal(again.test.masks, kept[1])


def test_what_a_killed_process_left_is_cleared_away(flat):
    Folder(path=str(flat)).load()
    (name,) = cached()
    shutil.rmtree(data_folder("folder") / name)
    (data_folder("folder") / f".{name}-killed").mkdir()
    Folder(path=str(flat)).load()
    assert cached() == [name]


def test_a_cache_that_cannot_be_written_is_refused(flat, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "file"))
    with refused("data folder", "ANOMALIST_DATA"):
        Folder(path=str(flat)).load()


def test_images_that_do_not_fit_on_the_disk_are_refused_beforehand(flat, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 10))
    with refused("GB", "resize", "ANOMALIST_DATA"):
        Folder(path=str(flat)).load()
    assert cached() == []


@pytest.mark.slow
def test_many_files_are_decoded_by_processes_and_two_at_once_do_no_harm(tmp_path):
    root = tmp_path / "many"
    for number in range(150):
        put(root / f"{number:03}.png")
    (root / "broken.png").write_bytes(b"broken")
    code = (
        "import sys, hashlib\nfrom anomalist.datasets import parse\nif __name__ == '__main__':\n"
        "    found = parse({'name': 'folder', 'path': sys.argv[1], 'resize': '20x24'}).load()\n"
        "    print(hashlib.sha256(found.train.images.tobytes() + "
        "found.test.images.tobytes()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(anomalist.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(root)]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    one, two = (process.communicate(timeout=120)[0] for process in both)
    assert one == two != ""
    found = parse({"name": "folder", "path": str(root), "resize": "20x24"}).load()
    everything = {
        image.tobytes() for image in np.concatenate([found.train.images, found.test.images])
    }
    assert everything == {
        noise((20, 24), seed=hash_of(f"{number:03}.png")).tobytes() for number in range(150)
    }
    assert len(cached()) == 1


def test_a_cache_that_can_only_be_read_is_read(mvtec, monkeypatch):
    """As on a read-only medium; file permissions do not hold root back, so writing is made to
    fail."""
    expected = Folder(path=str(mvtec)).load()

    def fail(*_, **__):
        raise OSError(30, "Read-only file system")

    for name in ("tempfile.TemporaryFile", "tempfile.mkstemp", "tempfile.mkdtemp"):
        monkeypatch.setattr(name, fail)
    again = Folder(path=str(mvtec)).load()
    np.testing.assert_array_equal(again.train.images, expected.train.images)
    with refused("cannot write to the data folder", "Read-only file system"):
        Folder(path=str(mvtec), resize=99).load()

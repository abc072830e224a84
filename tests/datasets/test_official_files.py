"""Official files: used where they lie, fetched where they do not, verified always."""

import hashlib
from dataclasses import replace

import pytest

from anomalist.datasets._download.official import Official, ensure, status, wrong
from refusals import refused
from web_server import Server

FILES = {"small.gz": b"s" * 100, "large.gz": bytes(range(256)) * 1000}
HASHES = {
    "small.gz": "md5:" + hashlib.md5(FILES["small.gz"]).hexdigest(),
    "large.gz": "sha256:" + hashlib.sha256(FILES["large.gz"]).hexdigest(),
}
NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    server.how = {f"/{name}": server.file(content) for name, content in FILES.items()}
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "data" / "toy"


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(FILES[name])


def test_they_are_fetched_once_and_lie_verified_in_the_data_folder(server, folder, capsys):
    official = Official(HASHES, (server.base,))
    assert status("toy", official) == ("fetchable", f"{folder} (from {server.base})")
    assert ensure("toy", official) == (folder, server.base)
    assert {
        path.name: path.read_bytes() for path in folder.iterdir()
    } == FILES  # nothing temporary is left
    assert capsys.readouterr().err == f"anomalist: fetching toy from {server.base}\n"
    assert status("toy", official) == ("ready", str(folder))
    assert ensure("toy", official) == (folder, f"the official files in {folder}")
    assert server.asked == ["/small.gz", "/large.gz"]
    assert capsys.readouterr().err == ""


def test_files_put_by_hand_are_used_and_only_the_missing_ones_fetched(server, folder):
    put(folder, "small.gz")
    assert status("toy", Official(HASHES, (server.base,))).state == "fetchable"
    ensure("toy", Official(HASHES, (server.base,)))
    assert server.asked == ["/large.gz"]


def test_files_put_by_hand_need_no_network_and_no_writing(folder):
    put(folder, *FILES)
    folder.chmod(0o500)
    try:
        assert ensure("toy", Official(HASHES, (NOWHERE,)))[1] == f"the official files in {folder}"
    finally:
        folder.chmod(0o700)


def test_a_file_with_another_hash_is_said_and_replaced_by_the_right_one(server, folder, capsys):
    put(folder, *FILES)
    (folder / "large.gz").write_bytes(b"<html>please log in</html>")
    ensure("toy", Official(HASHES, (server.base,)))
    assert (folder / "large.gz").read_bytes() == FILES["large.gz"]
    assert server.asked == ["/large.gz"]
    said = capsys.readouterr().err
    assert f"{folder / 'large.gz'} is not the official file: its sha256 is " in said


def test_without_network_one_line_names_the_folder_the_files_and_what_is_wrong_and_nothing_is_lost(
    folder,
):
    put(folder, "large.gz")
    (folder / "small.gz").write_bytes(b"mine")
    words = (
        NOWHERE,
        "refused",
        "is not the official file",
        f"put these files into {folder}: small.gz (md5:",
    )
    with refused("toy could not be fetched", *words):
        ensure("toy", Official(HASHES, (NOWHERE,)))
    assert (folder / "small.gz").read_bytes() == b"mine"
    assert sorted(path.name for path in folder.iterdir()) == ["large.gz", "small.gz"]


def test_the_next_home_is_asked_where_one_serves_other_files(server, folder, capsys):
    server.how["/bad/small.gz"] = server.file(b"<html>moved</html>")
    official = Official(HASHES, (NOWHERE, server.base + "bad/", server.base))
    assert ensure("toy", official)[1] == server.base
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "refused" in lines[1]
    assert "wrong hash" in lines[2]


def test_a_home_that_says_nothing_costs_no_more_than_its_deadline(server, folder):
    server.how["/small.gz"] = server.silent
    with refused("small.gz did not arrive within 0.2 s"):
        ensure("toy", replace(Official(HASHES, (server.base,)), probe_seconds=0.2))


def test_a_data_folder_that_cannot_be_made_is_said(folder):
    folder.parent.mkdir()
    folder.write_text("in the way")
    with refused("cannot write to the data folder", "ANOMALIST_DATA"):
        ensure("toy", Official(HASHES, (NOWHERE,)))


def test_a_folder_in_a_files_place_is_wrong(tmp_path):
    assert "Is a directory" in wrong(tmp_path, "md5:0")
    assert wrong(tmp_path / "none", "md5:0") == "none is missing"


def test_no_hash_but_a_published_one_is_known():
    from anomalist.datasets import cifar10, emnist, fashion_mnist, kmnist, medmnist

    sets = [module.FILES.hashes for module in (cifar10, emnist, fashion_mnist, kmnist)]
    sets += [{f"{name}.npz": f"md5:{facts.md5}"} for name, facts in medmnist.FACTS.items()]
    hashes = [known for hashes in sets for known in hashes.values()]
    assert len(hashes) == len(set(hashes)) == 1 + 1 + 4 + 4 + 12
    assert all(len(known) == len("md5:") + 32 and int(known[4:], 16) for known in hashes)

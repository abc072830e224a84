"""Fetching from a local web server: every way it can go wrong is bounded."""

import contextlib
import hashlib
import logging
import socket
import sys
import threading
import time

import pooch
import pytest

from anomalist.core.errors import InputError
from anomalist.datasets._download import fetch as _fetch
from anomalist.datasets._download.fetch import fetch_mirror
from web_server import Server

FILES = {"small": b"s" * 100, "large": bytes(range(256)) * 1000}
HASHES = {
    "small": "md5:" + hashlib.md5(FILES["small"]).hexdigest(),
    "large": "sha256:" + hashlib.sha256(FILES["large"]).hexdigest(),
}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    server.how = {f"/{name}": server.file(content) for name, content in FILES.items()}
    yield server
    server.close()


def test_good_files_arrive_whole_and_are_asked_for_once(server, tmp_path, capsys):
    fetch_mirror(server.base, HASHES, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == FILES
    assert server.asked == ["/small", "/large"]
    assert capsys.readouterr() == ("", "")  # away from a terminal there is no bar


def test_the_bar_is_shown_on_a_terminal(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch_mirror(server.base, HASHES, tmp_path)
    assert "100%" in capsys.readouterr().err


def test_poochs_logger_is_silent_meanwhile_and_heard_again_after(server, tmp_path, monkeypatch):
    lines, handler = [], logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(record.getMessage()))
    monkeypatch.setattr(pooch.get_logger(), "handlers", [handler])
    pooch.get_logger().info("before")
    fetch_mirror(server.base, HASHES, tmp_path)
    pooch.get_logger().info("after")
    assert lines == ["before", "after"]


FAILURES = {
    "wrong hash": (lambda server: server.file(b"<html>please log in</html>"), "wrong hash"),
    "not found": (lambda server: server.missing, "HTTP status 404"),
    "forbidden": (lambda server: server.refusing, "HTTP status 403"),
    "truncated": (
        lambda server: server.file(b"s" * 50, length=100),
        "small: .*(wrong hash|IncompleteRead|50)",
    ),
    "silent": (lambda server: server.silent, "small did not arrive within 0.5 s"),
    "trickle": (lambda server: server.trickle, "small did not arrive within 0.5 s"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_mirror_that_fails_its_first_file_is_not_asked_again(server, tmp_path, kind):
    how, message = FAILURES[kind]
    server.how["/small"] = how(server)
    start = time.monotonic()
    with pytest.raises(InputError, match=message):
        fetch_mirror(server.base, HASHES, tmp_path, probe_seconds=0.5)
    assert time.monotonic() - start < 2
    assert server.asked == ["/small"]
    assert not (tmp_path / "small").exists()


def test_a_later_file_is_tried_once_more(server, tmp_path):
    good = server.how["/large"]

    def first_bad(request):
        server.how["/large"] = good
        server.missing(request)

    server.how["/large"] = first_bad
    fetch_mirror(server.base, HASHES, tmp_path)
    assert server.asked == ["/small", "/large", "/large"]
    assert (tmp_path / "large").read_bytes() == FILES["large"]


def test_a_later_file_that_stays_wrong_is_refused(server, tmp_path):
    server.how["/large"] = server.file(FILES["large"][:-1] + b"?")
    with pytest.raises(InputError, match=r"large: .*wrong hash"):
        fetch_mirror(server.base, HASHES, tmp_path)
    assert server.asked == ["/small", "/large", "/large"]
    assert not (tmp_path / "large").exists()


def test_a_later_file_has_a_deadline_too(server, tmp_path):
    server.how["/large"] = server.trickle
    start = time.monotonic()
    with pytest.raises(InputError, match=r"large did not arrive within 0.3 s"):
        fetch_mirror(server.base, HASHES, tmp_path, file_seconds=0.3)
    assert time.monotonic() - start < 2


def test_a_closed_port_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(InputError, match=r"small: .*refused"):
        fetch_mirror(f"http://127.0.0.1:{port}/", HASHES, tmp_path)


def test_a_host_that_does_not_take_up_the_connection_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_fetch, "CONNECT_SECONDS", 0.3)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # more than its queue holds: the next one's packets are dropped
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        with pytest.raises(InputError, match=r"^small: timed out$"):
            fetch_mirror(f"http://127.0.0.1:{listener.getsockname()[1]}/", HASHES, tmp_path)


def test_an_unknown_host_is_told_within_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
    with pytest.raises(
        InputError, match=r"small.*(resolve.*nowhere\.invalid|did not arrive within 2 s)"
    ):
        fetch_mirror("http://nowhere.invalid/", HASHES, tmp_path, probe_seconds=2)


def test_a_name_server_that_never_answers_is_bounded(tmp_path, monkeypatch):
    release = threading.Event()

    def hang(*_, **__):
        release.wait(30)
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    with pytest.raises(InputError, match=r"small did not arrive within 0.3 s"):
        fetch_mirror("http://nowhere.invalid/", HASHES, tmp_path, probe_seconds=0.3)
    assert time.monotonic() - start < 2
    release.set()


def test_the_time_outs_are_as_short_as_promised(server, tmp_path, monkeypatch):
    seen = []
    real = pooch.HTTPDownloader

    def spy(**options):
        seen.append(options["timeout"])
        return real(**options)

    monkeypatch.setattr(pooch, "HTTPDownloader", spy)
    fetch_mirror(server.base, HASHES, tmp_path)
    assert seen == [(3, 5)]
    assert _fetch.PROBE_SECONDS <= 5

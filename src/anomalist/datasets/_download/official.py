"""The official files of a data set: from the data folder or downloaded, always verified."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anomalist.core.console import announce
from anomalist.core.data_home import FOLDER_VARIABLE, data_folder
from anomalist.core.errors import InputError
from anomalist.core.files import abbreviate_home, make_folder
from anomalist.datasets._base import Status
from anomalist.datasets._download.fetch import fetch_mirror

__all__ = ["Official", "ensure", "status", "wrong"]


@dataclass(frozen=True)
class Official:
    """The files that the authors publish.

    Attributes:
        hashes: ``"md5:…"`` or ``"sha256:…"`` by file name, as published; the smallest file first.
        mirrors: addresses of folders that contain all of these files, in the order to be tried.
        probe_seconds: the deadline of the first file, which tests the mirror; short if it is small.
        file_seconds: the deadline of each other file.
    """

    hashes: Mapping[str, str]
    mirrors: tuple[str, ...]
    probe_seconds: float = 10.0
    file_seconds: float = 300.0


def status(name: str, official: Official) -> Status:
    """Return "ready" and the folder if all files exist, without reading them; else "fetchable"."""
    folder = data_folder(name)
    if all((folder / file).is_file() for file in official.hashes):
        return Status("ready", str(folder))
    return Status("fetchable", f"{folder} (from {official.mirrors[0]})")


def ensure(name: str, official: Official) -> tuple[Path, str]:
    """Download the official files that are missing in the data folder, and verify all files.

    Files that the user put there are used like downloaded ones. A file with a wrong hash is
    replaced after the right one has been downloaded.

    Returns:
        The folder, and a description of the source of the files.

    Raises:
        InputError: all mirrors fail, or the folder cannot be written to.
    """
    folder = data_folder(name)
    failures = {
        file: reason
        for file, known in official.hashes.items()
        if (reason := wrong(folder / file, known))
    }
    if not failures:
        return folder, f"the official files in {folder}"
    try:
        make_folder(folder, "data folder")
    except InputError as error:
        raise InputError(f"{error} in the environment variable {FOLDER_VARIABLE}") from None
    reasons = [reason for reason in failures.values() if "missing" not in reason]
    for mirror in official.mirrors:
        announce(f"fetching {name} from {mirror}" + (f" ({reasons[-1]})" if reasons else ""))
        try:
            _fetch(mirror, {file: official.hashes[file] for file in failures}, folder, official)
        except (InputError, OSError) as error:
            reasons.append(f"{mirror}: {error}")
            continue
        return folder, mirror
    files = ", ".join(f"{file} ({official.hashes[file]})" for file in failures)
    why = "; ".join(reasons)
    where = abbreviate_home(folder)
    raise InputError(f"{name} could not be fetched; {why}; put these files into {where}: {files}")


def wrong(file: Path, known: str) -> str | None:
    """Return why ``file`` does not have the hash ``known`` (``"md5:…"``), or None if it does."""
    algorithm, _, expected = known.partition(":")
    try:
        with file.open("rb") as stream:
            actual = hashlib.file_digest(stream, algorithm).hexdigest()
    except FileNotFoundError:
        return f"{file.name} is missing"
    except OSError as error:
        return f"{file}: {error.strerror}"
    if actual == expected:
        return None
    return f"{file} is not the official file: its {algorithm} is {actual}"


def _fetch(
    mirror: str,
    hashes: Mapping[str, str],
    folder: Path,
    official: Official,
) -> None:
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        fetch_mirror(
            mirror,
            hashes,
            Path(scratch),
            probe_seconds=official.probe_seconds,
            file_seconds=official.file_seconds,
        )
        for file in hashes:
            (Path(scratch) / file).replace(folder / file)

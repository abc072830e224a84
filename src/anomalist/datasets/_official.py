"""The files of a data set as its authors publish them: found in the data folder or fetched, and always verified."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anomalist.dataset import Status
from anomalist.datasets._cache import FOLDER_VARIABLE, data_folder, say
from anomalist.datasets._fetch import fetch_mirror
from anomalist.errors import InputError
from anomalist.files import make_folder, tilde

__all__ = ["Official", "ensure", "status", "wrong"]


@dataclass(frozen=True)
class Official:
    """What the authors publish.

    Attributes:
        hashes: ``"md5:…"`` or ``"sha256:…"`` by file name, as published; the smallest file first.
        homes: addresses of folders that hold all of these files, in the order to be asked.
        probe_seconds: the deadline of the first file, which shows whether anybody is there; short
            if it is small.
        file_seconds: the deadline of each other file.
    """

    hashes: Mapping[str, str]
    homes: tuple[str, ...]
    probe_seconds: float = 10.0
    file_seconds: float = 300.0


def status(name: str, official: Official) -> Status:
    """Return "ready" and the folder where all files are there, whatever they hold, else "fetchable"."""
    folder = data_folder(name)
    if all((folder / file).is_file() for file in official.hashes):
        return Status("ready", str(folder))
    return Status("fetchable", f"{folder} (from {official.homes[0]})")


def ensure(name: str, official: Official) -> tuple[Path, str]:
    """Make sure that the official files lie in the data folder, every byte of them; fetch those that do not.

    Files that a user put there are used like fetched ones. A file with another hash is replaced,
    once the right one has arrived.

    Returns:
        The folder, and the words for where the files came from.

    Raises:
        InputError: no home serves them, or the folder cannot be written to.
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
    said = [reason for reason in failures.values() if "missing" not in reason]
    for home in official.homes:
        say(f"fetching {name} from {home}" + (f" ({said[-1]})" if said else ""))
        try:
            _fetch(home, {file: official.hashes[file] for file in failures}, folder, official)
        except (InputError, OSError) as error:
            said.append(f"{home}: {error}")
            continue
        return folder, home
    files = ", ".join(f"{file} ({official.hashes[file]})" for file in failures)
    raise InputError(
        f"{name} could not be fetched; {'; '.join(said)}; put into {tilde(folder)} by hand: {files}"
    )


def wrong(file: Path, known: str) -> str | None:
    """Return why ``file`` is not the one with the hash ``known`` (``"md5:…"``), or None where it is."""
    algorithm, _, expected = known.partition(":")
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        return (
            f"{file.name} is missing"
            if isinstance(error, FileNotFoundError)
            else f"{file}: {error.strerror}"
        )
    return (
        None
        if found == expected
        else f"{file} is not the official file: its {algorithm} is {found}"
    )


def _fetch(home: str, hashes: Mapping[str, str], folder: Path, official: Official) -> None:
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        fetch_mirror(
            home,
            hashes,
            Path(scratch),
            probe_seconds=official.probe_seconds,
            file_seconds=official.file_seconds,
        )
        for file in hashes:
            (Path(scratch) / file).replace(folder / file)

"""The cache of decoded folders: ``images.npy`` and ``masks.npy``, memory-mapped when used.

The name of a cache is a hash of the options, the file names and the file sizes. It contains a hash
of the files' times and one of their contents. If the times are the same, the cache is used at once.
If they differ, the files are hashed, and decoded again if their contents have changed.

A cache is created by renaming a complete folder, under a lock that readers hold too. Two processes
therefore wait for each other, and a killed process leaves no partial cache.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import PIL
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.typing import NDArray
from tqdm import tqdm

from anomalist.core.console import is_live
from anomalist.core.data_home import FOLDER_VARIABLE
from anomalist.core.errors import InputError
from anomalist.core.files import atomic_folder, make_folder, write_json
from anomalist.core.hashing import json_hash
from anomalist.core.locking import locked
from anomalist.image_files.entries import Entry
from anomalist.image_files.jobs import (
    DecodeRequest,
    DecodeResult,
    Job,
    Rows,
    Target,
    decode_files,
    hash_files,
    look_at,
)

__all__ = ["Decoding", "decoded"]

_VERSION = 2  # of the cache layout and the decoder: raised when one of them changes
_CHUNK = 32  # files per task of a process
_FEW = 64  # with at most this many files, no processes are started
_META = "meta.json"
_IMAGES = "images.npy"
_MASKS = "masks.npy"
_BUSY = "folder: waiting for another process that decodes the same folder"

Result = TypeVar("Result")


@dataclass
class Decoding:
    """The decoded files.

    Attributes:
        folder: folder of the cache.
        images: ``[N, C, H, W]``, the files that could be read, in order; memory-mapped, read-only.
        masks: bool ``[M, H, W]``, the masks of the test images, or None without masks.
        kept: positions of the files that could be read.
        faults: reasons why the other files could not be read, by position.
        faded: positions of images whose mask is empty at this size.
        turned: number of images that were rotated by their EXIF orientation.
    """

    folder: Path
    images: NDArray[np.generic]
    masks: NDArray[np.bool_] | None
    kept: list[int]
    faults: dict[int, str]
    faded: list[int]
    turned: int


class _Cached(NamedTuple):
    """A cache on disk.

    Attributes:
        decoding: the decoded files.
        meta: the metadata on disk.
    """

    decoding: Decoding
    meta: dict[str, Any]


def decoded(
    root: Path,
    entries: Sequence[Entry],
    request: DecodeRequest,
    masked: bool,
    caches: Path,
) -> Decoding:
    """Return the decoded files from the cache, and decode them first if necessary.

    Args:
        root: the folder that the names are relative to.
        entries: the files, training ones first.
        request: the decoding options.
        masked: whether masks are kept.
        caches: the folder of all caches.

    Raises:
        InputError: the cache cannot be written, or a decoding process was killed.
    """
    files = [(entry.name, entry.test, entry.mask, entry.sizes) for entry in entries]
    key = json_hash([_VERSION, PIL.__version__, request, masked, files], digits=32)
    folder = caches / key
    stamp = json_hash([entry.times for entry in entries])
    jobs = list(enumerate(entries))
    try:
        make_folder(caches, "data folder")
    except InputError as error:
        cached = _open(folder)  # a read-only cache can still be used
        if cached is not None and cached.meta["stamp"] == stamp:
            return cached.decoding
        raise InputError(f"{error} in the environment variable {FOLDER_VARIABLE}") from None
    with locked(caches / f"{key}.lock", _BUSY):
        cached = _open(folder)
        if cached is not None and cached.meta["stamp"] != stamp:
            cached = _renew_stamp(root, jobs, folder, cached, stamp)
        if cached is None:
            for stale in (folder, *caches.glob(f".{key}-*")):  # left by killed processes
                shutil.rmtree(stale, ignore_errors=True)
            _build(root, jobs, request, masked, stamp, folder)
            cached = _open(folder)
            assert cached is not None
        return cached.decoding


def _renew_stamp(
    root: Path,
    jobs: list[Job],
    folder: Path,
    cached: _Cached,
    stamp: str,
) -> _Cached | None:
    """Return the cache with a new stamp if the files' contents have not changed, else None."""
    digests = _spread("checking", hash_files, root, jobs)
    if json_hash([digests[row] for row, _ in jobs]) != cached.meta["contents"]:
        return None
    write_json(folder / _META, cached.meta | {"stamp": stamp})
    return cached


def _build(
    root: Path,
    jobs: list[Job],
    request: DecodeRequest,
    masked: bool,
    stamp: str,
    folder: Path,
) -> None:
    """Decode all files into a new cache, ``folder``."""
    headers = _spread("looking", look_at, root, jobs)
    good = [job for job in jobs if not headers[job[0]].fault]
    trained = sum(not entry.test for _, entry in jobs)
    with atomic_folder(folder) as temporary:
        results: dict[int, DecodeResult] = {}
        if good:
            spec = request.settle(headers[row] for row, _ in good)
            shape = (3 if spec.colour else 1, *spec.size)
            images = Rows(temporary / _IMAGES, spec.dtype, len(jobs), shape)
            masks = None
            if masked:
                masks = Rows(temporary / _MASKS, "bool", len(jobs) - trained, spec.size)
            results = _decode(root, good, Target(spec, images, masks, trained))
        faults = {row: headers[row].fault or results[row].fault for row, _ in jobs}
        digests = [
            results[row].digest if row in results else headers[row].digest for row, _ in jobs
        ]
        meta = {
            "stamp": stamp,
            "contents": json_hash(digests),
            "kept": [row for row, fault in faults.items() if not fault],
            "faults": [(row, fault) for row, fault in faults.items() if fault],
            "turned": sum(headers[row].turned for row, _ in good),
            "faded": sorted(row for row, result in results.items() if result.faded),
            "masked": masked and any(not faults[row] for row, entry in jobs if entry.test),
        }
        write_json(temporary / _META, meta)


def _decode(
    root: Path,
    jobs: list[Job],
    target: Target,
) -> dict[int, DecodeResult]:
    """Decode files into the target's rows, and remove the rows of broken files."""
    _check_space(target)
    target.images.create()
    if target.masks:
        target.masks.create()
    results = _spread("decoding", decode_files, root, jobs, target)
    kept = sorted(row for row, result in results.items() if not result.fault)
    target.images.close_gaps(kept)
    if target.masks:
        target.masks.close_gaps([row - target.trained for row in kept if row >= target.trained])
    return results


def _open(folder: Path) -> _Cached | None:
    """Return the cache if it exists and has the right size."""
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        images = np.zeros((0, 1, 1, 1), np.uint8)
        if meta["kept"]:
            images = np.asarray(np.load(folder / _IMAGES, mmap_mode="r", allow_pickle=False))
        masks = None
        if meta["masked"]:
            masks = np.asarray(np.load(folder / _MASKS, mmap_mode="r", allow_pickle=False))
        if len(images) != len(meta["kept"]):
            return None
        decoding = Decoding(
            folder=folder,
            images=images,
            masks=masks,
            kept=meta["kept"],
            faults=dict(meta["faults"]),
            faded=meta["faded"],
            turned=meta["turned"],
        )
        return _Cached(decoding, meta)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _check_space(target: Target) -> None:
    needed = sum(rows.total * rows.row for rows in (target.images, target.masks) if rows)
    place = target.images.path.parent.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise InputError(
            f"folder: the decoded images need {needed / 1e9:.1f} GB, but {str(place)!r} has "
            f"{free / 1e9:.1f} GB left; choose a smaller resize, or another folder in the "
            f"environment variable {FOLDER_VARIABLE}"
        )


def _spread(
    verb: str,
    function: Callable[..., list[tuple[int, Result]]],
    root: Path,
    jobs: list[Job],
    *more: Any,
) -> dict[int, Result]:
    """Return the results of ``function`` by row, computed in chunks by one process per core."""
    chunks = [jobs[first : first + _CHUNK] for first in range(0, len(jobs), _CHUNK)]
    results: dict[int, Result] = {}
    with tqdm(
        total=len(jobs),
        desc=verb,
        unit="image",
        disable=not is_live(),
    ) as bar:
        for result in _each(function, [(root, chunk, *more) for chunk in chunks], len(jobs)):
            results.update(result)
            bar.update(len(result))
    return results


def _each(
    function: Callable[..., list[tuple[int, Result]]],
    calls: list[tuple[Any, ...]],
    count: int,
) -> Iterator[list[tuple[int, Result]]]:
    if count <= _FEW or cpu_count() == 1:
        yield from (function(*call) for call in calls)
        return
    try:
        yield from Parallel(n_jobs=cpu_count(), return_as="generator_unordered")(
            delayed(function)(*call) for call in calls
        )
    except TerminatedWorkerError:
        raise InputError(
            "folder: a decoding process was killed, because memory ran out or a file crashed the "
            "decoder"
        ) from None

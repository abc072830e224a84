"""The cache of decoded folders: one ``images.npy`` and one ``masks.npy`` each, mapped into memory when used.

A cache's name is a hash of the options, the file names and the sizes. Within it lie a hash of the
files' times and one of their contents: where the times are the same the cache is used at once;
where they differ the files are read and hashed, and decoded anew if their contents differ. A cache
appears whole, by renaming a folder, under a lock that its reader holds too, so two processes at
once wait for each other, and one that was killed leaves nothing in the way.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import PIL
from filelock import FileLock, Timeout
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.typing import NDArray
from tqdm import tqdm

from anomalist.console import is_live
from anomalist.datasets._cache import FOLDER_VARIABLE, say
from anomalist.datasets._folder_files import Entry
from anomalist.datasets._folder_work import (
    Done,
    Job,
    Rows,
    Target,
    Wish,
    decode_files,
    hash_files,
    look_at,
)
from anomalist.errors import InputError
from anomalist.files import make_folder, write_json

__all__ = ["Decoding", "decoded"]

_VERSION = 2  # of the cache's layout and of the decoder: raised when either changes
_CHUNK = 32  # files that a process is given at a time
_FEW = 64  # so few files are not worth starting processes for
_META, _IMAGES, _MASKS = "meta.json", "images.npy", "masks.npy"

Result = TypeVar("Result")


@dataclass
class Decoding:
    """What the cache holds of a list of files.

    Attributes:
        folder: of the cache.
        images: ``[N, C, H, W]`` of the files that could be read, in order; mapped into memory,
            read-only.
        masks: bool ``[M, H, W]`` of those that are tested on, or None where there are no masks.
        kept: the positions of the files that could be read.
        faults: why each of the others could not, by position.
        faded: the positions of images whose mask marks no pixel at this size.
        turned: how many images were turned as their EXIF data say.
    """

    folder: Path
    images: NDArray[np.generic]
    masks: NDArray[np.bool_] | None
    kept: list[int]
    faults: dict[int, str]
    faded: list[int]
    turned: int


_Found = tuple[Decoding, dict[str, Any]]  # with what is written beside it


def decoded(
    root: Path, entries: Sequence[Entry], wish: Wish, masked: bool, caches: Path
) -> Decoding:
    """Return the decoded files, from the cache or decoded now.

    Args:
        root: the folder that the names are relative to.
        entries: the files, training ones first.
        wish: how they are decoded.
        masked: whether masks are kept.
        caches: the folder of all caches.

    Raises:
        InputError: the cache cannot be written, or a decoding process was killed.
    """
    key = _hash(
        [
            _VERSION,
            PIL.__version__,
            wish,
            masked,
            [(e.name, e.test, e.mask, e.sizes) for e in entries],
        ]
    )[:32]
    folder, stamp = caches / key, _hash([entry.times for entry in entries])
    jobs = list(enumerate(entries))
    try:
        make_folder(caches, "data folder")
    except InputError as error:
        found = _open(folder)  # what is there can be read all the same
        if found is not None and found[1]["stamp"] == stamp:
            return found[0]
        raise InputError(f"{error} in the environment variable {FOLDER_VARIABLE}") from None
    with _alone(caches / f"{key}.lock"):
        found = _open(folder)
        if found is not None and found[1]["stamp"] != stamp:
            found = _stamp_anew(root, jobs, folder, found, stamp)
        if found is None:
            for stale in (folder, *caches.glob(f".{key}-*")):  # those of processes that were killed
                shutil.rmtree(stale, ignore_errors=True)
            _build(root, jobs, wish, masked, stamp, folder)
            found = _open(folder)
            assert found is not None
        return found[0]


def _stamp_anew(
    root: Path, jobs: list[Job], folder: Path, found: _Found, stamp: str
) -> _Found | None:
    """Return ``found`` if the files' contents are what they were, else None."""
    digests = _spread("checking", hash_files, root, jobs)
    if _hash([digests[row] for row, _ in jobs]) != found[1]["contents"]:
        return None
    write_json(folder / _META, found[1] | {"stamp": stamp})
    return found


def _build(root: Path, jobs: list[Job], wish: Wish, masked: bool, stamp: str, folder: Path) -> None:
    """Decode all files into a new cache, ``folder``."""
    seen = _spread("looking", look_at, root, jobs)
    good = [job for job in jobs if not seen[job[0]].fault]
    trained = sum(not entry.test for _, entry in jobs)
    with _temporary(folder) as temporary:
        done: dict[int, Done] = {}
        if good:
            look = wish.settle(seen[row] for row, _ in good)
            images = Rows(
                temporary / _IMAGES, look.dtype, len(jobs), (3 if look.colour else 1, *look.size)
            )
            masks = (
                Rows(temporary / _MASKS, "bool", len(jobs) - trained, look.size) if masked else None
            )
            done = _decode(root, good, Target(look, images, masks, trained))
        faults = {row: seen[row].fault or done[row].fault for row, _ in jobs}
        meta = {
            "stamp": stamp,
            "contents": _hash(
                [done[row].digest if row in done else seen[row].digest for row, _ in jobs]
            ),
            "kept": [row for row, fault in faults.items() if not fault],
            "faults": [(row, fault) for row, fault in faults.items() if fault],
            "turned": sum(seen[row].turned for row, _ in good),
            "faded": sorted(row for row, result in done.items() if result.faded),
            "masked": masked and any(not faults[row] for row, entry in jobs if entry.test),
        }
        write_json(temporary / _META, meta)


def _decode(root: Path, jobs: list[Job], target: Target) -> dict[int, Done]:
    """Decode files into the target's rows, and close the gaps that broken ones leave."""
    _check_space(target)
    target.images.create()
    if target.masks:
        target.masks.create()
    done = _spread("decoding", decode_files, root, jobs, target)
    kept = sorted(row for row, result in done.items() if not result.fault)
    target.images.close_gaps(kept)
    if target.masks:
        target.masks.close_gaps([row - target.trained for row in kept if row >= target.trained])
    return done


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock; say so where another process has it."""
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        say("folder: waiting for another process that reads the same folder")
        held.acquire()
    try:
        yield
    finally:
        held.release()


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Yield a new folder that becomes ``folder`` at the end, or vanishes."""
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes folders private
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _open(folder: Path) -> _Found | None:
    """Return the cache if it is there and whole in size."""
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        images = np.zeros((0, 1, 1, 1), np.uint8)
        if meta["kept"]:
            images = np.asarray(np.load(folder / _IMAGES, mmap_mode="r", allow_pickle=False))
        masks = (
            np.asarray(np.load(folder / _MASKS, mmap_mode="r", allow_pickle=False))
            if meta["masked"]
            else None
        )
        faults = dict(meta["faults"])
        if len(images) != len(meta["kept"]):
            return None
        return Decoding(
            folder, images, masks, meta["kept"], faults, meta["faded"], meta["turned"]
        ), meta
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _check_space(target: Target) -> None:
    needed = sum(rows.total * rows.row for rows in (target.images, target.masks) if rows)
    place = target.images.path.parent.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise InputError(
            f"folder: the decoded images take {needed / 1e9:.1f} GB, {str(place)!r} has "
            f"{free / 1e9:.1f} GB left; "
            "choose a smaller resize, or another place in the environment variable "
            f"{FOLDER_VARIABLE}"
        )


def _spread(
    verb: str,
    function: Callable[..., list[tuple[int, Result]]],
    root: Path,
    jobs: list[Job],
    *more: Any,
) -> dict[int, Result]:
    """Return what ``function`` says of each row, asked a chunk at a time in as many processes as there are cores."""
    chunks = [jobs[first : first + _CHUNK] for first in range(0, len(jobs), _CHUNK)]
    results: dict[int, Result] = {}
    with tqdm(total=len(jobs), desc=verb, unit="image", disable=not is_live()) as bar:
        for result in _each(function, [(root, chunk, *more) for chunk in chunks], len(jobs)):
            results.update(result)
            bar.update(len(result))
    return results


def _each(
    function: Callable[..., list[tuple[int, Result]]], calls: list[tuple[Any, ...]], count: int
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
            "folder: a process that decoded images was killed, for want of memory or by a file "
            "that breaks its decoder"
        ) from None


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()

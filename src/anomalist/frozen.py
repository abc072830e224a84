"""Frozen: a task's test set as one shareable file with a hash, and other software's scores of it.

The formats are described for readers of other software in docs/scores-schema.md.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist import datasets
from anomalist.datasets._npy import Readers, read_npz
from anomalist.detector import Scores
from anomalist.errors import InputError
from anomalist.files import make_folder, write_arrays
from anomalist.images import check_images
from anomalist.split import Split
from anomalist.task import TaskConfig

__all__ = ["Frozen", "contents", "export", "read", "read_scores", "task_hash"]

SCHEMA = 1
_DIGITS = 16  # of a task's hash
_MOST_TEXT = 20_000  # characters of a text in a file
_MOST_NAME = 80  # of a method's name


@dataclass(frozen=True)
class Frozen:
    """A test set as it was exported.

    Attributes:
        test: images, labels, sources and masks.
        sha256: of these arrays.
        task: the task's text.
        label: its short name.
        task_sha256: what tells the task from others, see :func:`task_hash`.
        seed: of the trial that it is the test set of.
    """

    test: Split
    sha256: str
    task: str
    label: str
    task_sha256: str
    seed: int


def contents(spec: str) -> str:
    """Return a hash of everything in a data set: images, labels, kinds and masks of both splits, wherever they lie.

    Raises:
        InputError: the data set is not here.
    """
    dataset = datasets.load(spec)
    arrays: dict[str, NDArray[Any]] = {}
    for name, part in (("train", dataset.train), ("test", dataset.test)):
        arrays |= {f"{name} images": part.images, f"{name} labels": part.labels}
        arrays[f"{name} range"] = np.array(part.value_range, np.float64)
        arrays[f"{name} kinds"] = np.frombuffer("\n".join(part.kinds).encode(), np.uint8)
        if part.masks is not None:
            arrays[f"{name} masks"] = part.masks
    return _digest(arrays)


def task_hash(task: TaskConfig, found: Mapping[str, str]) -> str:
    """Return what tells a task from others: a hash of its options and of what its data sets hold.

    Options that are the defaults are left out, and the names of data sets, which may be paths, do
    not count.

    Args:
        task: the task.
        found: the hash of the contents of each data set that it uses, see :func:`contents`.
    """
    options = task.model_dump(mode="json", exclude_defaults=True)
    options |= {"kind": task.name} | {name: found[getattr(task, name)] for name in task.DATA}
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def export(task: TaskConfig, seed: int, path: Path, *, training: bool = False) -> Frozen:
    """Write a task's test set as an uncompressed ``.npz``; the same task, seed and data give the same bytes.

    Args:
        task: the task.
        seed: of the trial that it is the test set of.
        path: the file, ending in ``.npz``.
        training: whether the training and the calibration images are written too.

    Raises:
        InputError: a data set is not here, the task cannot be built, or the file cannot be written.
    """
    if path.suffix != ".npz":
        raise InputError(f"a test set is written as a .npz file, got {str(path)!r}")
    dataset = datasets.load(task.dataset)
    built = task.build(dataset, seed)
    arrays = _arrays(built.test)
    found = Frozen(
        built.test,
        _digest(arrays),
        str(task),
        task.label,
        task_hash(task, {spec: contents(spec) for spec in task.sources}),
        seed,
    )
    about: dict[str, Any] = {
        "schema": SCHEMA,
        "sha256": found.sha256,
        "task": found.task,
        "label": found.label,
    }
    about |= {"task_sha256": found.task_sha256, "seed": seed, "duplicates": built.duplicates}
    if training:
        more: dict[str, NDArray[Any]] = {
            "train_images": built.train.images,
            "calibration_images": built.calibration.images,
        }
        if built.train.known is not None:
            more["train_known"] = built.train.known
        about["training_sha256"] = _digest(more)
        arrays |= more
    files, source = dataset.test.files, built.test.source
    if files is not None and source.max() < len(files):
        arrays["files"] = files[source]
    make_folder(path.parent, "folder")
    write_arrays(path, {"about": np.array(json.dumps(about)), **arrays})
    return found


def read(path: Path) -> Frozen:
    """Return a test set, after checking that it is the one that was exported.

    Raises:
        InputError: it is no such file, it is damaged or altered, or it holds Python objects.
    """
    readers = _open(path)
    _refuse_larger(path, {f"{name}.npy": path.stat().st_size for name in readers})
    try:
        about = json.loads(_text(readers, "about", path))
        kept = {name: about[name] for name in ("sha256", "task", "label", "task_sha256")}
        schema, seed = about["schema"], about["seed"]
        right = all(isinstance(value, str) for value in kept.values()) and type(seed) is int
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: 'about' does not say what the test set is; export it again"
        ) from None
    if schema != SCHEMA or not right:
        raise InputError(f"{path} has test set format {schema!r}; this version reads {SCHEMA}")
    masks = _array(readers, "masks", path, "b", 3) if "masks" in readers else None
    images = _array(readers, "images", path, "f", 4)
    labels, source = (
        _array(readers, "labels", path, "b", 1),
        _array(readers, "source", path, "i", 1),
    )
    n, _, height, width = images.shape
    if (
        labels.shape != (n,)
        or source.shape != (n,)
        or (masks is not None and masks.shape != (n, height, width))
    ):
        raise InputError(f"{path}: images, labels, source and masks are not of the same {n} images")
    check_images(images, str(path))
    test = Split(images, labels, source, masks)
    if _digest(_arrays(test)) != kept["sha256"]:
        raise InputError(
            f"{path} is not the test set that was exported: its hash differs; get it anew"
        )
    return Frozen(test, seed=seed, **kept)


def read_scores(path: Path, frozen: Frozen) -> tuple[str, Scores]:
    """Return the method's name and its scores of a test set.

    Args:
        path: a ``.npz`` file: ``method`` and ``test_sha256`` (text), ``image`` ``[N]`` and, where
            the method has maps, ``pixel`` ``[N, H, W]``: numbers, higher = more anomalous.
        frozen: the test set that was scored.

    Raises:
        InputError: it is no such file, it is damaged or holds Python objects, or the scores are of
            other images, of another number of them, or not finite.
    """
    readers = _open(path)
    n, _, height, width = frozen.test.images.shape
    shapes: dict[str, tuple[int, ...]] = {"image": (n,), "pixel": (n, height, width)}
    _refuse_larger(
        path, {f"{name}.npy": 16 * int(np.prod(shape)) + 4_096 for name, shape in shapes.items()}
    )
    method, scored = (
        _text(readers, "method", path).strip(),
        _text(readers, "test_sha256", path).strip(),
    )
    if not 0 < len(method) <= _MOST_NAME or not method.isprintable() or "|" in method:
        raise InputError(
            f"{path}: method must be a name of 1 to {_MOST_NAME} printable characters without |"
        )
    if scored != frozen.sha256:
        raise InputError(
            f"{path}: these are scores of the test set {scored[:16]!r}, not of "
            f"{frozen.sha256[:16]!r}"
        )
    arrays = {}
    for name, shape in shapes.items():
        if name in readers or name == "image":
            values = _array(readers, name, path, "fiu", len(shape))
            if values.shape != shape:
                raise InputError(
                    f"{path}: {name} must be {list(shape)}, one score each, got "
                    f"{list(values.shape)}"
                )
            if not np.isfinite(values).all():
                raise InputError(
                    f"{path}: {name} holds NaN or infinite scores; every one must be a number"
                )
            arrays[name] = values
    return method, Scores(arrays["image"], arrays.get("pixel"))


def _arrays(test: Split) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "images": test.images,
        "labels": test.labels,
        "source": test.source,
    }
    return arrays if test.masks is None else {**arrays, "masks": test.masks}


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the sha256 of arrays, by name: each one's name, type and shape as text, then its little-endian values."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        found.update(f"{name} {values.dtype.str} {list(values.shape)}\n".encode())
        found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _open(path: Path) -> Readers:
    try:
        return read_npz(path)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _array(readers: Readers, name: str, path: Path, kinds: str, dimensions: int) -> NDArray[Any]:
    if name not in readers:
        raise InputError(
            f"{path} has no array {name!r}: it has {', '.join(sorted(readers)[:10]) or 'none'}"
        )
    values = readers[name]()
    if values.dtype.kind not in kinds or values.ndim != dimensions:
        wanted = {"b": "truth values", "i": "whole numbers", "U": "text"}.get(kinds, "numbers")
        shape = list(values.shape)
        raise InputError(
            f"{path}: {name} must be {wanted} in {dimensions} dimension(s), got {values.dtype} "
            f"{shape}"
        )
    return values


def _text(readers: Readers, name: str, path: Path) -> str:
    if len(text := str(_array(readers, name, path, "U", 0))) > _MOST_TEXT:
        raise InputError(
            f"{path}: {name} is a text of {len(text):,} characters, the most is {_MOST_TEXT:,}"
        )
    return text


def _refuse_larger(path: Path, most: Mapping[str, int]) -> None:
    """Raise InputError where a member would inflate to more than it can need."""
    with zipfile.ZipFile(path) as opened:
        for info in opened.infolist():
            if info.file_size > most.get(info.filename, _MOST_TEXT * 4):
                raise InputError(
                    f"{path}: {info.filename} holds {info.file_size:,} bytes, more than it can need"
                )

"""Export a task's test set as one file, and read other software's scores of it.

docs/guide/scores_schema.md describes both formats for other software.
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
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_arrays
from anomalist.core.hashing import json_hash
from anomalist.core.named import old_spelling
from anomalist.core.npy import Readers, read_npz
from anomalist.images import check_images
from anomalist.models import Scores
from anomalist.split import Split
from anomalist.tasks import Task, TaskSplits

__all__ = ["ExportedTestSet", "dataset_hash", "export", "read", "read_scores", "task_hash"]

SCHEMA = 1
_TASK_DIGITS = 16
_MAX_TEXT = 20_000  # longest text in a file, in characters
_MAX_NAME = 80  # longest name of a method, in characters
_DTYPE_NAMES = {"b": "booleans", "i": "integers", "U": "text"}


@dataclass(frozen=True)
class ExportedTestSet:
    """An exported test set.

    Attributes:
        test: images, labels, source images and masks.
        sha256: the hash of these arrays.
        task: the spec of the task.
        label: the short name of the task.
        task_sha256: the identity of the task, see :func:`task_hash`.
        seed: seed of the trial with this test set.
    """

    test: Split
    sha256: str
    task: str
    label: str
    task_sha256: str
    seed: int


def dataset_hash(spec: str) -> str:
    """Return a hash of the contents of a data set, independent of where it is stored.

    It includes images, classes, class names and masks of both splits.

    Raises:
        InputError: the data set is not available.
    """
    dataset = datasets.load(spec)
    arrays: dict[str, NDArray[Any]] = {}
    for name, part in (("train", dataset.train), ("test", dataset.test)):
        names = "\n".join(part.class_names).encode()
        arrays[f"{name} images"] = part.images
        arrays[f"{name} labels"] = part.class_index
        arrays[f"{name} range"] = np.array(part.value_range, np.float64)
        arrays[f"{name} kinds"] = np.frombuffer(names, np.uint8)
        if part.masks is not None:
            arrays[f"{name} masks"] = part.masks
    return _digest(arrays)


def task_hash(task: Task, dataset_hashes: Mapping[str, str]) -> str:
    """Return the identity of a task: a hash of its options and its data.

    Options with default values are excluded. Instead of the names of data sets, which may be paths,
    the hash includes their contents.

    Args:
        task: the task.
        dataset_hashes: the :func:`dataset_hash` of each data set of the task, by spec.
    """
    options = old_spelling(task, task.model_dump(mode="json", exclude_defaults=True))
    options["kind"] = task.name
    for field in task.dataset_fields:
        options[field] = dataset_hashes[getattr(task, field)]
    return json_hash(options, digits=_TASK_DIGITS)


def export(
    task: Task,
    seed: int,
    path: Path,
    *,
    training: bool = False,
) -> ExportedTestSet:
    """Write a task's test set as an uncompressed ``.npz``.

    The same task, seed and data give the same bytes.

    Args:
        task: the task.
        seed: seed of the trial with this test set.
        path: the file, ending in ``.npz``.
        training: whether to include the training and calibration images.

    Raises:
        InputError: a data set is missing, the task is impossible, or the file cannot be written.
    """
    if path.suffix != ".npz":
        raise InputError(f"the file of a test set must end in .npz, got {str(path)!r}")
    dataset = datasets.load(task.dataset)
    splits = task.build(dataset, seed)
    arrays = _test_arrays(splits.test)
    hashes = {spec: dataset_hash(spec) for spec in task.dataset_specs}
    exported = ExportedTestSet(
        splits.test, _digest(arrays), task.spec, task.label, task_hash(task, hashes), seed
    )
    about: dict[str, Any] = {
        "schema": SCHEMA,
        "sha256": exported.sha256,
        "task": exported.task,
        "label": exported.label,
        "task_sha256": exported.task_sha256,
        "seed": seed,
        "duplicates": splits.leaks,
    }
    if training:
        more = _training_arrays(splits)
        about["training_sha256"] = _digest(more)
        arrays |= more
    files = dataset.test.files
    image_index = splits.test.image_index
    if files is not None and image_index.max() < len(files):
        arrays["files"] = files[image_index]
    make_folder(path.parent, "folder")
    write_arrays(path, {"about": np.array(json.dumps(about)), **arrays})
    return exported


def read(path: Path) -> ExportedTestSet:
    """Return an exported test set, after checking that it was not changed.

    Raises:
        InputError: the file is no test set, is damaged or changed, or contains Python objects.
    """
    readers = _open(path)
    _refuse_larger(path, {f"{name}.npy": path.stat().st_size for name in readers})
    about = _read_about(readers, path)
    masks = _array(readers, "masks", path, "b", 3) if "masks" in readers else None
    images = _array(readers, "images", path, "f", 4)
    is_anomaly = _array(readers, "labels", path, "b", 1)
    image_index = _array(readers, "source", path, "i", 1)
    n, _, height, width = images.shape
    masks_fit = masks is None or masks.shape == (n, height, width)
    if is_anomaly.shape != (n,) or image_index.shape != (n,) or not masks_fit:
        raise InputError(f"{path}: images, labels, source and masks are not of the same {n} images")
    check_images(images, str(path))
    test = Split(images, is_anomaly, image_index, masks)
    if _digest(_test_arrays(test)) != about["sha256"]:
        raise InputError(f"{path} is not the test set that was exported: its hash differs")
    return ExportedTestSet(test, **about)


def read_scores(path: Path, exported: ExportedTestSet) -> tuple[str, Scores]:
    """Return the name of a method and its scores of a test set.

    Args:
        path: a ``.npz`` file with ``method`` and ``test_sha256`` (text), ``image`` ``[N]`` and, if
            the method has maps, ``pixel`` ``[N, H, W]``: numbers, higher = more anomalous.
        exported: the test set that was scored.

    Raises:
        InputError: the file is damaged or contains Python objects, or the scores belong to another
            test set, have a wrong shape, or are not finite.
    """
    readers = _open(path)
    n, _, height, width = exported.test.images.shape
    shapes: dict[str, tuple[int, ...]] = {"image": (n,), "pixel": (n, height, width)}
    sizes = {f"{name}.npy": 16 * int(np.prod(shape)) + 4_096 for name, shape in shapes.items()}
    _refuse_larger(path, sizes)
    method = _text(readers, "method", path).strip()
    scored = _text(readers, "test_sha256", path).strip()
    if not 0 < len(method) <= _MAX_NAME or not method.isprintable() or "|" in method:
        raise InputError(
            f"{path}: method must be a name of 1 to {_MAX_NAME} printable characters without |"
        )
    if scored != exported.sha256:
        raise InputError(
            f"{path}: these are scores of the test set {scored[:16]!r}, not of "
            f"{exported.sha256[:16]!r}"
        )
    arrays: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        if name in readers or name == "image":
            arrays[name] = _scores(readers, name, path, shape)
    return method, Scores(arrays["image"], arrays.get("pixel"))


def _read_about(readers: Readers, path: Path) -> dict[str, Any]:
    """Return a file's description of its test set, as fields of :class:`ExportedTestSet`."""
    text = _text(readers, "about", path)
    try:
        about = json.loads(text)
        fields = {name: about[name] for name in ("sha256", "task", "label", "task_sha256")}
        schema = about["schema"]
        seed = about["seed"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InputError(
            f"{path}: 'about' does not describe the test set; export it again"
        ) from None
    is_text = all(isinstance(value, str) for value in fields.values())
    if schema != SCHEMA or not is_text or type(seed) is not int:
        raise InputError(f"{path} has test set format {schema!r}; this version reads {SCHEMA}")
    return {**fields, "seed": seed}


def _test_arrays(test: Split) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "images": test.images,
        "labels": test.is_anomaly,
        "source": test.image_index,
    }
    if test.masks is not None:
        arrays["masks"] = test.masks
    return arrays


def _training_arrays(splits: TaskSplits) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "train_images": splits.train.images,
        "calibration_images": splits.calibration.images,
    }
    if splits.train.train_labels is not None:
        arrays["train_known"] = splits.train.train_labels
    return arrays


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the sha256 of arrays, by name.

    For each array, the hash covers its name, type and shape as text, and its little-endian values.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {values.dtype.str} {list(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _open(path: Path) -> Readers:
    try:
        return read_npz(path)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _array(
    readers: Readers,
    name: str,
    path: Path,
    dtype_kinds: str,
    dimensions: int,
) -> NDArray[Any]:
    if name not in readers:
        there = ", ".join(sorted(readers)[:10]) or "none"
        raise InputError(f"{path} has no array {name!r}: it has {there}")
    values = readers[name]()
    if values.dtype.kind not in dtype_kinds or values.ndim != dimensions:
        wanted = _DTYPE_NAMES.get(dtype_kinds, "numbers")
        got = f"{values.dtype} {list(values.shape)}"
        raise InputError(f"{path}: {name} must be {wanted} in {dimensions} dimension(s), got {got}")
    return values


def _scores(
    readers: Readers,
    name: str,
    path: Path,
    shape: tuple[int, ...],
) -> NDArray[Any]:
    values = _array(readers, name, path, "fiu", len(shape))
    if values.shape != shape:
        raise InputError(
            f"{path}: {name} must have the shape {list(shape)}, got {list(values.shape)}"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {name} contains NaN or infinite scores; all must be finite")
    return values


def _text(readers: Readers, name: str, path: Path) -> str:
    text = str(_array(readers, name, path, "U", 0))
    if len(text) > _MAX_TEXT:
        raise InputError(
            f"{path}: {name} is a text of {len(text):,} characters, the limit is {_MAX_TEXT:,}"
        )
    return text


def _refuse_larger(path: Path, most: Mapping[str, int]) -> None:
    """Check that no member of a file would decompress to more bytes than necessary.

    Args:
        path: the file.
        most: largest number of bytes, by member.
    """
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.file_size > most.get(info.filename, _MAX_TEXT * 4):
                raise InputError(
                    f"{path}: {info.filename} has {info.file_size:,} bytes, more than necessary"
                )

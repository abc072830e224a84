"""Score image files with a model, and write what was found."""

from __future__ import annotations

import hashlib
import shutil
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.core.console import announce, progress, say
from anomalist.core.errors import InputError, escaped
from anomalist.core.files import make_folder
from anomalist.core.hashing import json_hash
from anomalist.core.locking import locked
from anomalist.deployment import pictures, storage
from anomalist.deployment.files import FoundFile, files_in, output_name
from anomalist.deployment.journal import Journal
from anomalist.deployment.model import CalibratedModel, Predictions
from anomalist.deployment.reading import ImageFile
from anomalist.deployment.regions import Region, largest_region, mask_in_file
from anomalist.deployment.result_row import result_row
from anomalist.deployment.score_results import (
    EXACT,
    FAULT,
    FIRST,
    PICTURES,
    WRITTEN,
    ScoreConfig,
    Summary,
    say_results,
    say_summary,
    summarise,
    write_rows,
)
from anomalist.deployment.thumbnail import scale_of, thumbnails_of, write_scoring
from anomalist.image_files.decode import reason
from anomalist.thumbnails import ThumbnailFile

__all__ = ["ScoreConfig", "Summary", "score_files"]

_JOURNAL = ".scores.journal"
_AHEAD = 2  # batches that are read while one is scored
_READERS = 2  # threads that read files


def score_files(
    model: CalibratedModel,
    paths: Sequence[Path],
    out: Path,
    config: ScoreConfig | None = None,
    *,
    threads: int | None = None,
    restart: bool = False,
) -> Summary:
    """Score files, and write ``scores.csv`` and what the options ask for to a folder.

    Finished rows are kept after an interruption: the same call continues where it stopped.

    Args:
        model: the result of :func:`anomalist.deployment.load`.
        paths: files and folders.
        out: the folder to write to.
        config: the options.
        threads: number of processor threads; by default one per core.
        restart: whether to replace scores of another model that are in the folder.

    Raises:
        InputError: a path does not exist, or there are too few calibration images for a rate.
    """
    options = config or ScoreConfig()
    model.check_rate(options.false_alarms)
    _check_discoveries(model, options)
    model.check_marked_share(options.marked_share)
    if options.maps != "none":
        pictures.check_maps()
    if not model.description.has_maps and (options.heatmaps or options.maps != "none"):
        announce(f"{model.description.detector} draws no maps, so there are no heatmaps")
    files = files_in(paths, out)
    make_folder(out)
    _check_out(out)
    given = options.model_dump(mode="json", exclude_none=True)
    busy = f"another process is writing to {str(out)!r}: wait for it, or choose another folder"
    with locked(out / ".score.lock", busy, wait=False):
        if restart and (out / _JOURNAL).exists():
            (out / _JOURNAL).unlink()
            for name in PICTURES:
                _remove(out / name)
        journal = Journal(out / _JOURNAL, _key(model), given)
        job = _Job(model, options, out, files, journal)
        try:
            # Decoders warn about files; the filters must not be changed in the reading threads.
            with model.threads(threads), warnings.catch_warnings(action="ignore"):
                job.run()
        except KeyboardInterrupt:
            write_rows(out, options, files, journal.rows)
            say(f"interrupted: {len(journal.rows):,} of {len(files):,} files are finished")
            say("run the same command again to continue")
            raise
        rows, faults = write_rows(out, options, files, journal.rows)
        write_scoring(out, model, model.check_rate(options.false_alarms), given)
    summary = summarise(model, options, rows, faults)
    job.say_speed()
    say_summary(summary, model.check_rate(options.false_alarms), rows, faults)
    say_results(out)
    return summary


class _Job:
    """One call of :func:`score_files`."""

    def __init__(
        self,
        model: CalibratedModel,
        config: ScoreConfig,
        out: Path,
        files: Sequence[FoundFile],
        journal: Journal,
    ) -> None:
        self._model = model
        self._config = config
        self._out = out
        self._files = files
        self._journal = journal
        self._scale = scale_of(model, model.check_rate(config.false_alarms))
        self._thumbnails = ThumbnailFile(out, [self._scale]) if config.heatmaps else None

    def run(self) -> None:
        """Score the files that have no row yet."""
        missing = self._journal.missing(self._files)
        if len(missing) < len(self._files):
            done = len(self._files) - len(missing)
            say(f"{done:,} of {len(self._files):,} files were scored before")
        start = time.perf_counter()
        with self._journal, progress(len(missing), "scoring", "image") as advance:
            for places, images in self._read_ahead(missing):
                self._journal.add(self._rows(places, images))
                advance(len(places))
        self._seconds = time.perf_counter() - start
        self._scored = len(missing)

    def say_speed(self) -> None:
        """Print how many files were scored in which time."""
        if self._scored:
            speed = self._scored / max(self._seconds, 1e-9)
            say(f"scored {self._scored:,} files in {self._seconds:.1f} s, {speed:,.0f} files/s")

    def _read_ahead(
        self, missing: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], list[ImageFile | str]]]:
        """Yield batches of images, or reasons why they cannot be read, while others are read."""
        size = self._model.batch_size()
        batches = [missing[first : first + size] for first in range(0, len(missing), size)]
        waiting: deque[tuple[Sequence[int], list[Future[ImageFile | str]]]] = deque()
        pool = ThreadPoolExecutor(_READERS)
        try:
            for places in batches:
                waiting.append((places, [pool.submit(self._read, place) for place in places]))
                if len(waiting) > _AHEAD:
                    ready, futures = waiting.popleft()
                    yield ready, [future.result() for future in futures]
            while waiting:
                ready, futures = waiting.popleft()
                yield ready, [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, place: int) -> ImageFile | str:
        file = self._files[place]
        if file.fault:
            return file.fault
        try:
            return self._model.description.reading.read(file.path)
        except Exception as error:  # a hostile file may raise any exception in a decoder
            return reason(error)

    def _rows(
        self, places: Sequence[int], images: Sequence[ImageFile | str]
    ) -> list[tuple[FoundFile, dict[str, Any]]]:
        """Score a batch, write its pictures, and return its rows."""
        rows: list[tuple[FoundFile, dict[str, Any]]] = []
        read: list[tuple[int, ImageFile]] = []
        for place, one in zip(places, images, strict=True):
            if isinstance(one, str):
                rows.append((self._files[place], {FAULT: one}))
            else:
                read.append((place, one))
        if read:
            arrays = np.stack([file.image for _, file in read])
            predictions = self._model.predict(
                arrays, self._config.false_alarms, self._config.marked_share
            )
            self._keep_thumbnails(predictions, arrays, [place for place, _ in read])
            for number, (place, file) in enumerate(read):
                row = self._row(predictions, number, place, file)
                rows.append((self._files[place], row))
        return rows

    def _keep_thumbnails(
        self, predictions: Predictions, images: NDArray[Any], places: Sequence[int]
    ) -> None:
        """Write the thumbnails of a batch, if the options ask for pictures."""
        if self._thumbnails is None:
            return
        names = [escaped(self._files[place].key) for place in places]
        small = thumbnails_of(self._model, self._scale, images, predictions, names)
        self._thumbnails.add(small)

    def _row(
        self, predictions: Predictions, number: int, place: int, file: ImageFile
    ) -> dict[str, Any]:
        region = None
        if predictions.masks is not None:
            region = largest_region(predictions.masks[number], file.frame)
        self._draw(predictions, number, place, file, region)
        known = self._model.calibration.image.count > 0
        row = result_row(predictions, number, file, region, is_calibrated=known)
        row[EXACT] = float(predictions.p_value[number]) if known else None
        row[FIRST] = float(predictions.first[number])
        return row

    def _draw(
        self,
        predictions: Predictions,
        number: int,
        place: int,
        file: ImageFile,
        region: Region | None,
    ) -> None:
        """Write the pictures of one image."""
        if predictions.maps is None or predictions.masks is None:
            return
        name = output_name(self._files[place].path)
        if self._config.heatmaps:
            heat = predictions.maps[number]
            overlay = pictures.draw_overlay(self._model, file, heat, region)
            pictures.write_picture(overlay, self._out / "heatmaps" / f"{name}.png")
            mask = mask_in_file(predictions.masks[number], file.frame, file.size)
            pictures.write_mask(self._out / "masks" / f"{name}.png", mask)
        if self._config.maps != "none":
            path = self._out / "maps" / f"{name}.tiff"
            pictures.write_map(path, predictions.maps[number], self._config.maps)


def _key(model: CalibratedModel) -> str:
    """Return the identity of a model and its calibration."""
    digest = hashlib.sha256()
    for name, values in sorted(storage.arrays_of(model.calibration).items()):
        digest.update(name.encode() + values.tobytes())
    described = model.description.model_dump(mode="json")
    kind = type(model.scorer).__name__
    return json_hash([kind, described, digest.hexdigest()])


def _check_out(out: Path) -> None:
    """Check that a folder can take results.

    Raises:
        InputError: it is a model, or contains files with the names of results, but not from a
            scoring.
    """
    if (out / storage.DESCRIPTION).exists():
        raise InputError(f"--out {str(out)!r} is the folder of a model: choose another")
    if (out / _JOURNAL).exists():
        return
    strange = [name for name in (*WRITTEN, *PICTURES) if (out / name).exists()]
    if strange:
        raise InputError(
            f"--out {str(out)!r} contains a {strange[0]} that was not written by a scoring: choose "
            "another folder"
        )


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; it may be missing."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_discoveries(model: CalibratedModel, config: ScoreConfig) -> None:
    """Check that p-values exist if false discoveries are limited.

    Raises:
        InputError: the model has no calibration.
    """
    if config.false_discoveries is not None and not model.calibration.image.count:
        raise InputError("false_discoveries needs p-values: the model has no calibration images")

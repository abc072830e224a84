"""Micro-batches: images of different requests that arrive together are scored together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.deployment.model import CalibratedModel, Predictions
from anomalist.deployment.reading import ImageFile
from anomalist.service.counters import Counters

__all__ = ["Batcher", "Scored"]


class Scored(NamedTuple):
    """One image of a scored batch.

    Attributes:
        predictions: of the whole batch.
        images: the images of the batch, ``[n, C, H, W]``.
        number: the place of the image in it.
    """

    predictions: Predictions
    images: NDArray[Any]
    number: int


class Batcher:
    """Scores images in batches, one batch at a time, in a thread of its own."""

    def __init__(
        self,
        model: CalibratedModel,
        latency_s: float,
        threads: int | None,
        counters: Counters,
    ) -> None:
        """Prepare; :meth:`run` scores.

        Args:
            model: the model.
            latency_s: longest time that an image waits for others.
            threads: processor threads that score; None: one per core.
            counters: counts the batches.
        """
        self._model = model
        self._latency_s = latency_s
        # Entered in the thread that scores: the number of threads belongs to it.
        self._with_threads = model.threads(threads)
        self._counters = counters
        self._size = model.batch_size()
        self._waiting: asyncio.Queue[tuple[ImageFile, asyncio.Future[Scored]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")

    async def score(self, image: ImageFile) -> Scored:
        """Return the result of an image, as soon as its batch is scored.

        Raises:
            InputError: the model gives no finite score.
        """
        answer: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((image, answer))
        return await answer

    async def prepare(self) -> None:
        """Score images of zeros, because the first batches of a network are slow."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._warm_up)

    async def run(self) -> None:
        """Score batches until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next_batch()
            self._counters.batch_size.observe(len(batch))
            with self._counters.batch_seconds.time():
                images = [image for image, _ in batch]
                results = await loop.run_in_executor(self._thread, self._predict, images)
            for (_, answer), result in zip(batch, results, strict=True):
                if answer.done():  # the request took too long
                    continue
                if isinstance(result, Scored):
                    answer.set_result(result)
                else:
                    answer.set_exception(result)

    def close(self) -> None:
        """Wait for the batch that is being scored."""
        self._thread.submit(self._with_threads.__exit__, None, None, None)
        self._thread.shutdown()

    async def _next_batch(self) -> list[tuple[ImageFile, asyncio.Future[Scored]]]:
        """Return the images that wait, after at most the latency."""
        batch = [await self._next()]
        loop = asyncio.get_running_loop()
        end = loop.time() + self._latency_s
        while len(batch) < self._size:
            if not self._waiting.empty():
                one = self._waiting.get_nowait()
                if not one[1].done():
                    batch.append(one)
                continue
            left = end - loop.time()
            if left <= 0:
                break
            try:
                batch.append(await asyncio.wait_for(self._next(), left))
            except TimeoutError:
                break
        return batch

    async def _next(self) -> tuple[ImageFile, asyncio.Future[Scored]]:
        """Return the next image whose request still waits for it."""
        while True:
            image, answer = await self._waiting.get()
            if not answer.done():
                return image, answer

    def _warm_up(self) -> None:
        self._with_threads.__enter__()
        reading = self._model.description.reading
        if reading.size is None:
            return
        for count in (1, self._size):
            images = np.zeros((count, reading.channels, *reading.size), reading.dtype)
            with contextlib.suppress(InputError), self._model.scorer.small_batches():
                self._model.predict(images)

    def _predict(self, files: Sequence[ImageFile]) -> list[Scored | Exception]:
        """Return the result of each image, or the error that it causes.

        If a batch fails, its images are scored one by one, so that an image does not fail others.
        """
        try:
            return list(self._scored(files))
        except Exception as error:
            if len(files) == 1:
                return [error]
        return [result for file in files for result in self._predict([file])]

    def _scored(self, files: Sequence[ImageFile]) -> list[Scored]:
        images = np.stack([file.image for file in files])
        with self._model.scorer.small_batches():
            predictions = self._model.predict(images)
        return [Scored(predictions, images, number) for number in range(len(files))]

"""Scoring of uploads: admission, decoding, micro-batches, and the counts of what happened."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from fastapi import HTTPException

from anomalist.core.errors import InputError
from anomalist.deployment.model import CalibratedModel
from anomalist.deployment.reading import ImageFile
from anomalist.deployment.thumbnail import scale_of
from anomalist.service.answers import Result, answer_of, overlay_of, pictures_of
from anomalist.service.batching import Batcher, Scored
from anomalist.service.config import ServeConfig
from anomalist.service.counters import Counters
from anomalist.service.decoders import Decoders
from anomalist.service.uploads import Upload

__all__ = ["ScoringService"]

_RETRY_S = 1  # when a client should try again
_LARGE = 1 << 14  # pixels
_MOST_HELD = 1 << 29  # bytes of all requests together


class ScoringService:
    """One model with its decoders and its batches.

    Attributes:
        model: the model.
        config: the limits.
        counters: what was counted.
        scale: of the small maps that pages draw; None without maps.
        decoders: the decoding processes.
    """

    def __init__(self, model: CalibratedModel, config: ServeConfig) -> None:
        self.model = model
        self.config = config
        self.counters = Counters()
        self.scale = scale_of(model, model.description.false_alarms)
        self.decoders = Decoders(
            model.description.reading, config.decoders, config.max_pixels, config.max_seconds
        )
        self.counters.deaths.set_function(lambda: self.decoders.deaths)
        self._batcher = Batcher(model, config.latency_ms / 1000, config.threads, self.counters)
        self._threads = ThreadPoolExecutor(config.decoders, thread_name_prefix="decoding")
        self._waiting = 0
        self._held = 0  # bytes of requests that are not answered
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to score."""
        await self._batcher.prepare()
        self._task = asyncio.get_running_loop().create_task(self._batcher.run())

    def close(self) -> None:
        """Stop, after all requests are answered."""
        if self._task is not None:
            self._task.cancel()
        self._batcher.close()
        self.decoders.close()  # which ends the work of the threads
        self._threads.shutdown()

    @property
    def is_full(self) -> bool:
        """Whether no further image is taken."""
        return self._waiting >= self.config.queue

    @contextmanager
    def admitted(self, images: int) -> Iterator[None]:
        """Count images as waiting within the context.

        Raises:
            HTTPException: 503, if more images would wait than the queue holds.
        """
        if self._waiting + images > self.config.queue:
            raise HTTPException(
                503,
                f"the queue is full: {self._waiting} images are waiting, the limit is "
                f"{self.config.queue}",
                headers={"Retry-After": str(_RETRY_S)},
            )
        self._waiting += images
        self.counters.waiting.set(self._waiting)
        try:
            yield
        finally:
            self._waiting -= images
            self.counters.waiting.set(self._waiting)

    @contextmanager
    def receiving(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that counts received bytes until the context ends.

        The function raises HTTPException 503 if all requests together hold too many bytes.
        """
        held = 0

        def take(count: int) -> None:
            nonlocal held
            if self._held + count > max(_MOST_HELD, self.config.max_bytes):
                raise HTTPException(
                    503, "too many bytes are waiting", headers={"Retry-After": str(_RETRY_S)}
                )
            held += count
            self._held += count

        try:
            yield take
        finally:
            self._held -= held

    async def read_and_score(self, upload: Upload) -> tuple[ImageFile, Scored] | InputError:
        """Return a file and its scores, or why it cannot be read.

        Raises:
            HTTPException: 503, if it takes too long.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(2 * self.config.max_seconds):
                file = await loop.run_in_executor(
                    self._threads, self.decoders.decode, upload.data, upload.name
                )
                return file, await self._batcher.score(file)
        except InputError as error:
            return error
        except TimeoutError:
            raise HTTPException(
                503, "scoring took too long", headers={"Retry-After": str(_RETRY_S)}
            ) from None

    async def results(self, uploads: Sequence[Upload], pictures: bool) -> list[Result]:
        """Return a result for each file, in order.

        Args:
            uploads: the files.
            pictures: whether the results have small pictures.
        """
        answers = await asyncio.gather(*(self.read_and_score(upload) for upload in uploads))
        # Regions and pictures of large images take a while; a thread for small ones takes longer.
        pixels = self.model.description.reading.size
        if pictures or pixels is None or math.prod(pixels) > _LARGE:
            return await asyncio.to_thread(self._results, uploads, answers, pictures)
        return self._results(uploads, answers, pictures)

    async def picture(self, upload: Upload) -> bytes:
        """Return the heatmap of one file as PNG.

        Raises:
            HTTPException: 422, if it cannot be read.
        """
        answer = await self.read_and_score(upload)
        if isinstance(answer, InputError):
            self.counters.images.labels("unreadable").inc()
            raise HTTPException(422, str(answer))
        return await asyncio.to_thread(overlay_of, self.model, *answer)

    def _results(
        self,
        uploads: Sequence[Upload],
        answers: Sequence[tuple[ImageFile, Scored] | InputError],
        pictures: bool,
    ) -> list[Result]:
        results = []
        for upload, answer in zip(uploads, answers, strict=True):
            if isinstance(answer, InputError):
                self.counters.images.labels("unreadable").inc()
                results.append(Result(file=upload.name, fault=str(answer)))
                continue
            file, scored = answer
            result = answer_of(self.model, upload.name, file, scored)
            self.counters.images.labels(result.verdict or "scored").inc()
            if pictures:
                with self.model.scorer.small_batches():
                    result.pictures = pictures_of(self.model, self.scale, upload.name, scored)
            results.append(result)
        return results

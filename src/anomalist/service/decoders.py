"""The processes that decode uploads; a process that dies or hangs is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from anomalist.core.errors import InputError
from anomalist.deployment.reading import ImageFile, Reading
from anomalist.service.decoder import decode_uploads, received

__all__ = ["Decoders"]

_START_S = 120.0  # in which a process must be ready
_BUFFERED = 1 << 15  # bytes that can always be sent to a process that waits
_TRIES = 2  # processes that may die on a file before it is rejected


class Decoders:
    """A fixed number of decoding processes.

    Attributes:
        deaths: number of processes that died or were stopped, since the start.
    """

    def __init__(
        self,
        reading: Reading,
        count: int,
        max_pixels: int,
        max_seconds: float,
    ) -> None:
        """Start the processes.

        Args:
            reading: the format of the model's images.
            count: number of processes.
            max_pixels: most pixels of an image.
            max_seconds: longest time for one image.
        """
        self.deaths = 0
        self._max_seconds = max_seconds
        self._free: queue.Queue[_Worker] = queue.Queue()
        options = reading.model_dump_json()

        def start() -> _Worker:
            return _Worker(options, max_pixels)

        self._start: Callable[[], _Worker] = start
        self._workers = [start() for _ in range(count)]
        for worker in self._workers:
            self._free.put(worker)

    def decode(self, data: bytes, name: str) -> ImageFile:
        """Return the image in a file; waits for a free process.

        Args:
            data: the content of the file.
            name: its name; only the ending is used, no file of this name is opened.

        Raises:
            InputError: the file cannot be read, takes too long, or crashes its process twice.
        """
        worker = self._free.get()
        try:
            for _ in range(_TRIES):
                try:
                    return worker.decode(data, name, self._max_seconds)
                except TimeoutError:  # which is an OSError too
                    worker = self._replaced(worker)
                    raise InputError(
                        f"decoding took more than {self._max_seconds:g} seconds"
                    ) from None
                except (EOFError, OSError):  # it died, possibly for another reason
                    worker = self._replaced(worker)
        finally:
            self._free.put(worker)
        raise InputError("the file crashes the decoder: it may be damaged")

    @property
    def processes(self) -> list[int]:
        """The numbers of the processes."""
        return [worker.process.pid or 0 for worker in self._workers]

    def close(self) -> None:
        """Stop the processes."""
        for worker in self._workers:
            worker.stop()

    def _replaced(self, worker: _Worker) -> _Worker:
        self.deaths += 1
        worker.stop()
        new = self._start()
        self._workers[self._workers.index(worker)] = new
        return new


class _Worker:
    """One process, and the connection to it."""

    def __init__(self, options: str, max_pixels: int) -> None:
        # A process that is forked would inherit the sockets of the service.
        context = multiprocessing.get_context("spawn")
        self._connection: Connection
        self._connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=decode_uploads, args=(other, options, max_pixels), daemon=True
        )
        self.process.start()
        self._is_ready = False
        other.close()

    def decode(self, data: bytes, name: str, max_seconds: float) -> ImageFile:
        """Return the image in a file.

        Raises:
            InputError: the file cannot be read.
            TimeoutError: it takes too long.
            EOFError, OSError: the process has died.
        """
        if not self._is_ready:
            # A new process takes a while to start, which is not the fault of the file.
            if not self._connection.poll(_START_S):
                raise TimeoutError
            self._connection.recv_bytes()
            self._is_ready = True
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.process.kill()

        # A halted process does not even receive what is larger than the buffer.
        timer = threading.Timer(max_seconds, expire)
        if len(data) > _BUFFERED:
            timer.start()
        try:
            self._connection.send_bytes(name.encode("utf-8", "replace"))
            self._connection.send_bytes(data)
            if not self._connection.poll(max_seconds):
                raise TimeoutError
            return received(self._connection)
        except TimeoutError:  # which is an OSError too
            raise
        except (EOFError, OSError):
            if expired.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()

    def stop(self) -> None:
        """Stop the process at once."""
        self._connection.close()
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.join(timeout=5)

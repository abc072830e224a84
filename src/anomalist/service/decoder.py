"""The process that decodes uploads: a file that crashes it does not crash the service.

It receives the bytes of one file at a time and returns plain values and bytes, never pickled
objects, so that a compromised decoder cannot run code in the service.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import warnings
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from anomalist.core.errors import InputError
from anomalist.deployment.reading import ImageFile, Reading
from anomalist.image_files.decode import image_size, reason
from anomalist.image_files.frame import Frame

__all__ = ["decode_uploads", "received"]

_MEMORY = 4 << 30  # bytes of memory that decoding may take


def decode_uploads(connection: Connection, options: str, max_pixels: int) -> None:
    """Decode files until the connection is closed; runs in a process of its own.

    Args:
        connection: gives the name and the content of each file, and takes the answer.
        options: the :class:`Reading` as JSON.
        max_pixels: most pixels of an image.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service decides when to stop
    _limit_memory()
    reading = Reading(**json.loads(options))
    warnings.simplefilter("ignore")  # decoders warn about damaged files
    connection.send_bytes(b"ready")
    while True:
        try:
            name = connection.recv_bytes().decode("utf-8")
            data = connection.recv_bytes()
        except (EOFError, OSError):
            return
        head, body = _answer(reading, name, data, max_pixels)
        connection.send_bytes(json.dumps(head).encode("ascii"))
        connection.send_bytes(body)


def received(connection: Connection) -> ImageFile:
    """Return the answer of the process.

    Raises:
        InputError: the file cannot be read; the message says why.
        EOFError, OSError: the process has died.
    """
    head = json.loads(connection.recv_bytes())
    body = connection.recv_bytes()
    if "fault" in head:
        raise InputError(head["fault"])
    image = np.frombuffer(body, head["dtype"]).reshape(head["shape"])
    box, inner, left, top = head["frame"]
    place = Frame(tuple(box), tuple(inner), left, top)
    return ImageFile(image, tuple(head["size"]), place)


def _answer(
    reading: Reading, name: str, data: bytes, max_pixels: int
) -> tuple[dict[str, Any], bytes]:
    """Return the values and the bytes that describe a decoded file, or the reason of a fault."""
    try:
        width, height = image_size(io.BytesIO(data), name)
        if width * height > max_pixels:
            text = f"has {width:,} x {height:,} pixels; at most {max_pixels:,} are accepted"
            return {"fault": text}, b""
        file = reading.decode(io.BytesIO(data), name)
    except Exception as error:  # a hostile file may raise any exception in a decoder
        return {"fault": reason(error)}, b""
    image = np.ascontiguousarray(file.image)
    head = {"dtype": image.dtype.str, "shape": image.shape, "size": file.size, "frame": file.frame}
    return head, image.tobytes()


def _limit_memory() -> None:
    """Let the system refuse memory to a file that claims too much, where it can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))

"""Connections with limits: of their number, of the time until a request, and of its header."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["limited_protocol"]

_MOST = 1_000  # connections at once
_LONGEST_HEADER = 1 << 16  # bytes
_CHUNK = 1 << 18  # bytes that arrive at once, of which the last may belong to the body
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"


class _LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1 that closes a connection whose header does not come in time, or is too long."""

    max_seconds: ClassVar[float]
    most: ClassVar[int]
    _deadline: asyncio.TimerHandle | None = None
    _header = 0  # bytes of an incomplete header

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if not self._is_answering():
            self._header += len(data)
        if self._header > _LONGEST_HEADER + _CHUNK:
            self.transport.write(_TOO_LONG)
            self.transport.close()
            return
        super().data_received(data)
        if self._is_answering():
            self._header = 0
            self._stop_waiting()
        elif self._deadline is None:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_request(self) -> None:
        self._deadline = self.loop.call_later(self.max_seconds, self._close_if_waiting)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_if_waiting(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.transport.close()


def limited_protocol(max_seconds: float) -> type[HttpToolsProtocol]:
    """Return the protocol of a service.

    Args:
        max_seconds: longest time from a connection, or from the last answer, to a whole header.
    """
    values = {"max_seconds": max_seconds, "most": min(_MOST, _files_allowed() // 2)}
    return type("LimitedProtocol", (_LimitedProtocol,), values)


def _files_allowed() -> int:
    """Return how many files, and connections, this process may have open."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 2 * _MOST
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

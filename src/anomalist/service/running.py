"""Run the service until a signal stops it; accepted requests are answered first."""

from __future__ import annotations

import contextlib
import gc
import math
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from anomalist.core.console import say
from anomalist.core.errors import InputError
from anomalist.deployment import load
from anomalist.deployment.of_run import is_run
from anomalist.service.app import make_app
from anomalist.service.config import ServeConfig
from anomalist.service.connections import limited_protocol
from anomalist.service.guard import token_for
from anomalist.service.playground import Playground

__all__ = ["serve"]

_BACKLOG = 128  # connections that wait to be accepted
_IDLE_S = 15  # until an unused connection is closed


def serve(path: Path, config: ServeConfig, playground: Path | None = None) -> None:
    """Serve a model until SIGINT or SIGTERM.

    Args:
        path: the folder of a model or of a run, or an .onnx file.
        config: the address and the limits.
        playground: the folder of a run whose test images the page corrupts; by default ``path``,
            if it is a run.

    Raises:
        InputError: the model cannot be read, the address cannot be used, or a token is missing.
    """
    token = token_for(config)
    listening = _listen(config)
    with listening:
        model = load(path)
        run = path if playground is None and is_run(path) else playground
        shown = None if run is None else Playground.of_run(run)
        app = make_app(model, config, token, shown)
        host, port = listening.getsockname()[:2]
        place = f"[{host}]" if ":" in host else host
        lines = [
            f"{model.description.detector} is served at http://{place}:{port} (Ctrl-C stops)",
            "  page /   images POST /score   HTTP API /docs   metrics /metrics",
        ]
        if token is not None:
            lines.append("  requests need the token: Authorization: Bearer TOKEN")
        elif not config.is_loopback:
            lines.append("  without a token: anyone who reaches this address can use it")
        # What is loaded by now stays. Looking through it for garbage would halt the service for a
        # fifth of a second, again and again.
        gc.collect()
        gc.freeze()
        _run(app, config, listening, lines)
        say("stopped: every accepted request is answered")


def _listen(config: ServeConfig) -> socket.socket:
    """Return a socket at the address, so that one in use is reported before a model is loaded.

    Raises:
        InputError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # With the protocol named, asyncio sends short answers at once; otherwise each takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((config.host, config.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"cannot listen at {config.host}:{config.port} ({error.strerror or error}): choose "
            "another --host or --port"
        ) from None
    return listening


class _Server(uvicorn.Server):
    """A server that says where it listens as soon as it does, and can be stopped."""

    lines: Sequence[str] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for line in self.lines if self.started else ():
            say(line)


def _run(
    app: object,
    config: ServeConfig,
    listening: socket.socket,
    lines: Sequence[str],
) -> None:
    settings = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=limited_protocol(config.max_seconds),
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=math.ceil(3 * config.max_seconds),  # the longest request
    )
    # The server raises the signal again after it has stopped, which must not end the process.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server = _Server(settings)
            server.lines = lines
            server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)

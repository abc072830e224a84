"""Uploads: the files in the body of a request, within the limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import PurePosixPath
from typing import NamedTuple

from fastapi import HTTPException, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from anomalist.core.errors import printable
from anomalist.service.config import ServeConfig

__all__ = ["Upload", "uploads_of"]

_FORM = "multipart/form-data"
_FIELDS = 8  # ignored form fields that are not files
_LONGEST = 200  # characters of a name


class Upload(NamedTuple):
    """One uploaded file: its name, which is only repeated in the answer, and its content."""

    name: str
    data: bytes


async def uploads_of(
    request: Request,
    config: ServeConfig,
    name: str,
    take: Callable[[int], None],
) -> list[Upload]:
    """Return the files in a request: those of a form, or the body itself.

    Args:
        request: the request.
        config: the limits.
        name: name of the file if the body itself is one.
        take: called with the number of bytes that were received; it may raise HTTPException.

    Raises:
        HTTPException: 400 no file or a damaged form, 408 too slow, 413 too large or too many.
    """
    body = await _body(request, config, take)
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith(_FORM):
        if not body:
            raise HTTPException(400, "the request has no body: send an image, or a form of images")
        return [Upload(_name(name), body)]
    _check_whole(body, kind)
    parser = MultiPartParser(
        request.headers,
        _whole(body),
        max_files=config.max_files,
        max_fields=_FIELDS,
        max_part_size=config.max_bytes,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        too_many = "Too many files" in error.message
        if too_many:
            raise HTTPException(413, f"more than {config.max_files} files") from None
        raise HTTPException(400, f"the form is damaged: {error.message}") from None
    except (ValueError, KeyError, LookupError, UnicodeError) as error:
        raise HTTPException(400, f"the form is damaged: {type(error).__name__}") from None
    try:
        files = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
        uploads = [Upload(_name(one.filename or "image"), await one.read()) for one in files]
    finally:
        await form.close()
    if not uploads:
        raise HTTPException(400, "the form has no file: send images in a field such as `files`")
    return uploads


def _check_whole(body: bytes, kind: str) -> None:
    """Check that a form ends with its boundary; the parser would drop files after a cut.

    Raises:
        HTTPException: 400.
    """
    boundary = parse_options_header(kind)[1].get(b"boundary", b"")
    if not boundary or not body.rstrip(b"\r\n").endswith(b"--" + boundary + b"--"):
        raise HTTPException(400, "the form is damaged: its last boundary is missing")


async def _body(request: Request, config: ServeConfig, take: Callable[[int], None]) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: 400 the client disconnected, 408 or 413.
    """
    too_large = HTTPException(413, f"more than {config.max_bytes:,} bytes")
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > config.max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(config.max_seconds):
            async for chunk in request.stream():
                take(len(chunk))
                body += chunk
                if len(body) > config.max_bytes:
                    raise too_large
    except TimeoutError:
        raise HTTPException(
            408, f"the request was not received within {config.max_seconds:g} seconds"
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "the client disconnected") from None
    return bytes(body)


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _name(name: str) -> str:
    """Return the last part of a client's name for a file; it is never opened."""
    last = PurePosixPath(name.replace("\\", "/")).name or "image"
    return printable(last)[-_LONGEST:]

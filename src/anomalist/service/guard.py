"""Who may use the service: a token from the environment, compared in constant time."""

from __future__ import annotations

import hmac
import os

from fastapi import HTTPException, Request

from anomalist.core.errors import InputError
from anomalist.service.config import ServeConfig

__all__ = ["TOKEN", "Guard", "token_for"]

TOKEN = "ANOMALIST_TOKEN"
_SHORTEST = 16  # characters of a token
_SCHEME = "bearer "


def token_for(config: ServeConfig) -> str | None:
    """Return the token of the environment; None if there is none and none is needed.

    Raises:
        InputError: other machines could connect without a token, or the token is too short.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        if config.is_loopback or config.insecure:
            return None
        raise InputError(
            f"--host {config.host} lets other machines connect: set a token in {TOKEN}, for "
            "example the output of `openssl rand -hex 32`, or add --insecure"
        )
    if not (token.isascii() and token.isprintable()):
        raise InputError(f"the token in {TOKEN} must have ASCII letters, digits and signs only")
    if len(token) < _SHORTEST:
        raise InputError(f"the token in {TOKEN} must have at least {_SHORTEST} characters")
    return token


class Guard:
    """Checks the token of requests: ``Authorization: Bearer TOKEN``."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    @property
    def is_needed(self) -> bool:
        """Whether requests need a token."""
        return self._token is not None

    def __call__(self, request: Request) -> None:
        """Check a request.

        Raises:
            HTTPException: 401 without the right token.
        """
        if self._token is None:
            return
        given = request.headers.get("authorization", "")
        token = given[len(_SCHEME) :] if given.lower().startswith(_SCHEME) else ""
        if not hmac.compare_digest(token.strip().encode("utf-8"), self._token.encode("utf-8")):
            raise HTTPException(
                401,
                f"a token is needed: send Authorization: Bearer and the token of {TOKEN}",
                headers={"WWW-Authenticate": "Bearer"},
            )

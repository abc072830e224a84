"""The page at ``/``."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anomalist._version import __version__
from anomalist.thumbnails import asset, drawing_script, page_style, page_template

__all__ = ["ASSETS", "page"]

_PACKAGE = "anomalist.service"
_SHARED = {"heat.js": drawing_script, "base.css": page_style}
_FILES = ("base.css", "heat.js", "page.css", "page.js", "play.js")
_TYPES = {".css": "text/css", ".js": "text/javascript"}


def page(*, needs_token: bool, has_playground: bool) -> str:
    """Return the HTML of the page.

    Args:
        needs_token: whether the page asks for a token.
        has_playground: whether it has digits to corrupt.
    """
    return page_template(_PACKAGE, "page.html.j2").render(
        needs_token=needs_token, has_playground=has_playground, version=__version__
    )


def _asset(name: str) -> str:
    if name in _SHARED:
        return _SHARED[name]()
    return asset(_PACKAGE, name)


def _answer(request: Request) -> Response:
    """Answer one of the files of the page; no other file has an address."""
    name = request.url.path.rpartition("/")[2]
    return Response(_asset(name), media_type=_TYPES[name[name.rindex(".") :]])


# The files of the page, by name.
ASSETS = Starlette(routes=[Route(f"/{name}", _answer) for name in _FILES])

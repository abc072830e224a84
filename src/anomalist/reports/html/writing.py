"""Write the content of a report as one HTML file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from markupsafe import Markup

from anomalist._version import __version__
from anomalist.core.files import write_text
from anomalist.reports.html.content import Content
from anomalist.reports.html.counts import counts_of
from anomalist.thumbnails import (
    LEVELS,
    Thumbnail,
    asset,
    drawing_script,
    page_style,
    page_template,
)

__all__ = ["write"]

_PACKAGE = "anomalist.reports.html"
_SCRIPTS = ("charts.js", "gallery.js", "report.js")


def write(content: Content, path: Path) -> None:
    """Write a report to one file that needs no other file and no network.

    All names and values are escaped by Jinja2. The page's content security policy allows no
    address but those in the file itself, and no script but its own.

    Args:
        content: what the report shows.
        path: the HTML file.
    """
    scripts = [drawing_script(), *(asset(_PACKAGE, name) for name in _SCRIPTS)]
    script = Markup("\n".join(scripts))
    text = page_template(_PACKAGE, "report.html.j2").render(
        content=content,
        documents=[(one, Markup(one.html)) for one in content.documents],
        data=_data(content),
        version=__version__,
        style=Markup(page_style() + asset(_PACKAGE, "report.css")),
        script=script,
        script_hash=_hash(script),
    )
    write_text(path, text)


def _data(content: Content) -> dict[str, Any]:
    """Return the values that the page's script reads."""
    places = {kind.name: place for place, kind in enumerate(content.kinds)}
    images = []
    for one in content.images:
        if one.kind in places:
            images.append(_image(one, places[one.kind]))
    sizes = [len(values) for values in content.scores[0].by_kind] if content.scores else []
    kinds = []
    for kind, size in zip(content.kinds, sizes, strict=True):
        shown = {"name": kind.name, "images": size}
        kinds.append(shown | {"isAnomaly": kind.is_anomaly, "isUnion": kind.is_union})
    return {
        "levels": LEVELS,
        "kinds": kinds,
        "scores": [counts_of(rows) for rows in content.scores],
        "images": images,
    }


def _image(one: Thumbnail, kind: int) -> dict[str, Any]:
    scores = []
    for score in one.scores:
        shown = {"v": score.value, "p": score.p_value, "m": score.map, "r": score.restored}
        scores.append(shown | {"k": score.mask})
    return {"n": one.name, "k": kind, "i": one.input, "t": one.truth, "s": scores}


def _hash(script: str) -> str:
    """Return the hash of a script, as content security policies write it."""
    digest = hashlib.sha256(f"\n{script}\n".encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"

"""Sections of a report from the Markdown reports of studies and benchmarks, with their figures."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from anomalist.reports.html.content import Document, Figure

__all__ = ["figure_of", "of_benchmarks", "of_studies"]

_TITLE = "# "


def of_studies(results: Path) -> list[Document]:
    """Return a section per study in a results folder."""
    paths = sorted((results / "studies").glob("*.md"))
    return [_document(path, results) for path in paths]


def of_benchmarks(results: Path) -> list[Document]:
    """Return a section per benchmark in a results folder."""
    paths = sorted((results / "benchmarks").glob("*/report.md"))
    return [_document(path, results) for path in paths]


def figure_of(path: Path, text: str) -> Figure | None:
    """Return a PNG figure; None if there is no such file.

    Args:
        path: the file.
        text: what the figure shows, for readers who cannot see it.
    """
    if not path.is_file():
        return None
    return Figure(text, _address(path))


def _document(path: Path, results: Path) -> Document:
    """Return a Markdown file as HTML: raw HTML in it is escaped, and its figures are embedded."""
    text = path.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    has_title = first.startswith(_TITLE)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(rest if has_title else text)
    for token in tokens:
        for child in token.children or ():
            _embed(child, path.parent, results)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Document(first.removeprefix(_TITLE) if has_title else path.stem, html)


def _embed(token: Token, folder: Path, results: Path) -> None:
    """Replace the address of a figure inside the results folder by its content."""
    if token.type != "image":
        return
    address = unquote(str(token.attrs["src"]))
    token.attrs["src"] = ""
    with contextlib.suppress(OSError, ValueError):  # of names that no file can have
        path = (folder / address).resolve()
        is_inside = path.suffix == ".png" and path.is_relative_to(results.resolve())
        if is_inside and path.is_file():
            token.attrs["src"] = _address(path)


def _address(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:image/png;base64,{data}"

"""What pages that show thumbnails share: the script that draws them, and the style of a page."""

from __future__ import annotations

from importlib import resources

__all__ = ["drawing_script", "page_style"]


def drawing_script() -> str:
    """Return the JavaScript that draws images, heatmaps and masks on canvases."""
    return _asset("heat.js")


def page_style() -> str:
    """Return the CSS of a page: colours in dark and light, controls and panels."""
    return _asset("base.css")


def _asset(name: str) -> str:
    folder = resources.files("anomalist.thumbnails") / "assets"
    return (folder / name).read_text(encoding="utf-8")

"""What pages that show thumbnails share: the script that draws them, and the style of a page."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # scoring files needs no Jinja2
    from jinja2 import Template

__all__ = ["asset", "drawing_script", "page_style", "page_template"]

_PACKAGE = "anomalist.thumbnails"


def drawing_script() -> str:
    """Return the JavaScript that draws images, heatmaps and masks on canvases."""
    return asset(_PACKAGE, "heat.js")


def page_style() -> str:
    """Return the CSS of a page: colours in dark and light, controls and panels."""
    return asset(_PACKAGE, "base.css")


def page_template(package: str, name: str) -> Template:
    """Return a template in the folder ``assets`` of a package; it escapes every value."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return environment.get_template(name)


def asset(package: str, name: str) -> str:
    """Return a file in the folder ``assets`` of a package."""
    folder = resources.files(package) / "assets"
    return (folder / name).read_text(encoding="utf-8")

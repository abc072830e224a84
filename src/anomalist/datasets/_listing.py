"""The output of `anomalist data`: one line per data set, or all details of one."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

from anomalist.core import catalog
from anomalist.datasets._base import DatasetConfig, parse

__all__ = ["details", "table"]

_HEAD = ("data set", "status", "size", "shape", "licence", "where")


def table() -> list[str]:
    """Return a header and one line per data set in aligned columns, without downloads."""
    rows = [_HEAD]
    for config in map(parse, catalog.names("datasets")):
        state, detail = config.status()
        rows.append((config.name, state, config.size, config.shape, config.licence, detail))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def details(spec: str | dict[str, Any] | DatasetConfig) -> Iterator[str]:
    """Yield the description of one data set: papers, licence, status and options.

    Raises:
        InputError: an unknown name, option or value.
    """
    config = parse(spec)
    state, detail = config.status()
    yield str(config)
    yield ""
    module = sys.modules[type(config).__module__]
    yield from (inspect.getdoc(module) or "").splitlines()
    yield ""
    facts = {"status": f"{state}: {detail}", "size": config.size, "shape": config.shape}
    facts |= {"licence": config.licence, "home": config.home}
    facts |= {
        f"option {name}": f"{info.description} (now: {getattr(config, name)})"
        for name, info in type(config).model_fields.items()
    }
    width = max(map(len, facts))
    yield from (f"{name:<{width}}  {text}" for name, text in facts.items())

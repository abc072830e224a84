"""Options in a YAML or JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalist.core.errors import InputError
from anomalist.core.files import write_text

__all__ = ["as_yaml", "read_config", "write_config"]


def read_config(path: Path) -> dict[str, Any]:
    """Return the options in a file.

    Args:
        path: a YAML file, or JSON if its name ends in ``.json``.

    Raises:
        InputError: the file cannot be read, or is not a mapping from names to values.
    """
    import yaml  # imported here to keep listings fast

    try:
        text = path.read_text(encoding="utf-8-sig")
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{str(path)!r} is not a text file in UTF-8") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is not valid: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{str(path)!r} must contain lines NAME: VALUE")
    return values


def as_yaml(values: Mapping[str, Any]) -> str:
    """Return options as YAML, in their order."""
    import yaml

    text: str = yaml.safe_dump(
        dict(values), sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    return text


def write_config(path: Path, values: Mapping[str, Any]) -> None:
    """Write options as YAML."""
    write_text(path, as_yaml(values))

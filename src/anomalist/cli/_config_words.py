"""``--config FILE`` of every command: the options of a file become words of the command line.

Words that follow on the command line take precedence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalist.core.config_file import read_config
from anomalist.core.errors import InputError
from anomalist.core.spec import format_spec

__all__ = ["CONFIG_OPTION", "END_OF_CONFIG", "PRINT_OPTION", "split_config", "with_config"]

CONFIG_OPTION = "--config"
PRINT_OPTION = "--print-config"
END_OF_CONFIG = "--end-of-config"  # follows the words of a file, whose last option may be a list


def with_config(words: Sequence[str]) -> list[str]:
    """Return a command line with the options of its configuration file put first.

    Args:
        words: the words after the command.

    Raises:
        InputError: ``--config`` without a file, or a file that cannot be read.
    """
    rest: list[str] = []
    options: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":  # what follows are no options
            rest += [word, *waiting]
            break
        name, sign, value = word.partition("=")
        if name != CONFIG_OPTION:
            rest.append(word)
            continue
        path = value if sign else next(waiting, "")
        if not path:
            raise InputError("--config needs a file: --config FILE.yaml")
        options += _as_words(read_config(Path(path)), path)
    return [*options, END_OF_CONFIG, *rest] if options else rest


def split_config(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of a configuration file, and those of the command line."""
    if END_OF_CONFIG not in words:
        return [], list(words)
    place = list(words).index(END_OF_CONFIG)
    return list(words[:place]), list(words[place + 1 :])


def _as_words(values: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in values.items():
        option = "--" + key.replace("_", "-")
        if "=" in key:
            raise InputError(f"{path!r}: {key!r} is no name of an option")
        if value is None or value == []:
            continue
        if isinstance(value, Mapping):
            yield from _nested(option, value)
        elif isinstance(value, list):
            yield option
            yield from (_as_text(part, key, path) for part in value)
        else:
            yield f"{option}={_as_text(value, key, path)}"


def _nested(option: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``--model=NAME`` and ``--model.OPTION=VALUE``."""
    if "name" in values:
        yield f"{option}={values['name']}"
    for key, value in values.items():
        if key == "name" or value is None or value == []:
            continue
        if isinstance(value, list):
            yield f"{option}.{key.replace('_', '-')}"
            yield from (_spec(part) if isinstance(part, Mapping) else str(part) for part in value)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield f"{option}.{key.replace('_', '-')}={text}"


def _as_text(value: Any, key: str, path: str) -> str:
    if isinstance(value, Mapping):
        return _spec(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise InputError(
        f"{path!r}: {key} must be a text, a number, a list or a mapping, got {value!r}"
    )


def _spec(value: Mapping[str, Any]) -> str:
    """Return ``{"name": "stripes", "lines": 2}`` as ``stripes:lines=2``."""
    options = {
        name: tuple(part) if isinstance(part, list) else part
        for name, part in value.items()
        if name != "name" and part is not None
    }
    return format_spec(str(value.get("name", "")), options)

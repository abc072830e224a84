"""Options: the command line of a typed config, so that what Python takes and what the shell takes are one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin

from pydantic.fields import FieldInfo

from anomalist import catalog
from anomalist.config import Config
from anomalist.detector import RUN_FIELDS, Detector
from anomalist.errors import InputError, unknown
from anomalist.option_names import dashed

__all__ = ["Parser", "a_path", "a_seed", "add_options", "collect"]


class Parser(argparse.ArgumentParser):
    """argparse with our way of saying what is wrong: an InputError with one line, unknown options with the nearest."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(
            prog=f"anomalist {command}".strip(),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise InputError in place of printing the usage and leaving."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments.

        Raises:
            InputError: an option that does not exist, or one that lacks a value.
        """
        found, extra = self.parse_known_args([dashed(word) for word in arguments])
        if extra:
            options = [
                name
                for action in self._actions
                for name in action.option_strings
                if name.startswith("--")
            ]
            bad = extra[0].partition("=")[0]
            raise unknown(
                f"{self.prog} " + ("option" if bad.startswith("-") else "argument"), bad, options
            )
        return found


def add_options(parser: Parser, config: type[Config], arguments: Sequence[str]) -> None:
    """Add an option for every field of ``config``; those not given on the command line are left unset.

    A field that holds a detector becomes ``--model NAME`` and ``--model.OPTION`` for each of that
    detector's own options, so the name is looked for in ``arguments`` first.

    Args:
        parser: the parser to extend.
        config: the typed config.
        arguments: the command line.

    Raises:
        InputError: ``--model`` names no detector.
    """
    for name, field in config.model_fields.items():
        if field.annotation is Detector:
            group = _add_model(parser, name, field, arguments)
            for option, inner in group.model_fields.items():
                if option not in RUN_FIELDS:
                    _add(parser, f"{name}.{option}", inner)
        else:
            _add(parser, name, field)


def collect(found: argparse.Namespace, config: type[Config]) -> dict[str, Any]:
    """Return the fields of ``config`` that were given, with ``model.OPTION`` folded into ``model``."""
    values: dict[str, Any] = {}
    models = [name for name, field in config.model_fields.items() if field.annotation is Detector]
    for key, value in vars(found).items():
        name, _, option = key.partition(".")
        if name in models:
            values.setdefault(name, {})[option or "name"] = value
        elif name in config.model_fields:
            values[name] = value
    for name in models:
        if name in values:
            values[name] = {"name": config.model_fields[name].default, **values[name]}
    return values


def _add_model(
    parser: Parser, name: str, field: FieldInfo, arguments: Sequence[str]
) -> type[Detector]:
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument(f"--{name}", default=field.default, nargs="?")
    chosen = getattr(first.parse_known_args(arguments)[0], name) or field.default
    detector: type[Detector] = catalog.find_class(
        "models", chosen.partition(":")[0]
    )  # name:option=value too
    _add(parser, name, field)
    return detector


def _add(parser: Parser, name: str, field: FieldInfo) -> None:
    """Add one option; its value stays text, which the config turns into its type and checks."""
    text = f"{field.description or ''}"
    if field.default is not None and not isinstance(field.default, tuple):
        text += f" (default: {field.default})"
    choices = (field.annotation, *get_args(field.annotation))
    many = any(get_origin(choice) is tuple for choice in choices)
    parser.add_argument(
        dashed(f"--{name}"),
        dest=name,
        default=argparse.SUPPRESS,
        nargs="+" if many else None,
        metavar=_metavar(field.annotation),
        help=text.replace("%", "%%"),
    )


def _metavar(annotation: Any) -> str:
    for choice in (annotation, *get_args(annotation)):
        if get_origin(choice) is Literal:
            return "{" + ",".join(map(str, get_args(choice))) + "}"
        if choice is bool:
            return "{true,false}"
        if choice in (int, float):
            return "N" if choice is int else "X"
        if get_origin(choice) is tuple:
            return _metavar(get_args(choice)[0])
        if get_origin(choice) is Annotated:
            return _metavar(get_args(choice)[0])
    return "NAME"


def a_path(text: str) -> Path:
    """Return a path given on the command line; an empty one, which would be the current folder, is refused.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "the path is empty; name a folder or file, . for the current folder"
        )
    return Path(text)


def a_seed(text: str) -> int:
    """Return a seed given on the command line.

    Raises:
        argparse.ArgumentTypeError: it is no whole number from 0 on.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number from 0 on, got {text!r}")
    return int(text)

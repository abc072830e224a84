"""Options: build a command line from a typed config, so that Python and the shell share options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin

from pydantic.fields import FieldInfo

from anomalist.cli._option_names import dashed
from anomalist.core import catalog
from anomalist.core.config import Config
from anomalist.core.errors import InputError, unknown
from anomalist.models import RUN_FIELDS, Detector
from anomalist.reports.output import FORMATS

__all__ = ["Parser", "a_path", "a_seed", "add_formats", "add_options", "collect"]


class Parser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line and suggests the nearest valid option."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(
            prog=f"anomalist {command}".strip(),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise InputError instead of printing the usage and exiting."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command line.

        Raises:
            InputError: an option that does not exist, or one that lacks a value.
        """
        arguments, extra = self.parse_known_args([dashed(word) for word in words])
        if extra:
            bad = extra[0].partition("=")[0]
            noun = "option" if bad.startswith("-") else "argument"
            raise unknown(f"{self.prog} {noun}", bad, self._long_options())
        return arguments

    def _long_options(self) -> list[str]:
        names = [name for action in self._actions for name in action.option_strings]
        return [name for name in names if name.startswith("--")]


def add_options(
    parser: Parser,
    config: type[Config],
    words: Sequence[str],
) -> None:
    """Add an option for every field of ``config``; options that are not given stay unset.

    A field that holds a detector becomes ``--model NAME``, and ``--model.OPTION`` for each option
    of that detector. The detector's name is therefore read from ``words`` first.

    Args:
        parser: the parser to extend.
        config: the typed config.
        words: the command line.

    Raises:
        InputError: ``--model`` names an unknown detector.
    """
    for name, field in config.model_fields.items():
        _add(parser, name, field)
        if field.annotation is not Detector:
            continue
        detector = _chosen_detector(name, field, words)
        for option, inner in detector.model_fields.items():
            if option not in RUN_FIELDS:
                _add(parser, f"{name}.{option}", inner)
        for new, old in detector.old_names.items():
            _add(parser, f"{name}.{old}", detector.model_fields[new], hidden=True)


def collect(arguments: argparse.Namespace, config: type[Config]) -> dict[str, Any]:
    """Return the values of the fields of ``config`` that the command line sets.

    ``model.OPTION`` becomes an item of ``model``.
    """
    values: dict[str, Any] = {}
    models = [name for name, field in config.model_fields.items() if field.annotation is Detector]
    for key, value in vars(arguments).items():
        name, _, option = key.partition(".")
        if name in models:
            values.setdefault(name, {})[option or "name"] = value
        elif name in config.model_fields:
            values[name] = value
    for name in models:
        if name in values:
            values[name] = {"name": config.model_fields[name].default, **values[name]}
    return values


def _chosen_detector(
    name: str,
    field: FieldInfo,
    words: Sequence[str],
) -> type[Detector]:
    """Return the class of the detector that a command line chooses."""
    first = argparse.ArgumentParser(
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
    )
    first.add_argument(f"--{name}", default=field.default, nargs="?")
    arguments, _ = first.parse_known_args(words)
    spec = getattr(arguments, name) or field.default
    detector: type[Detector] = catalog.find_class("models", spec.partition(":")[0])
    return detector


def _add(
    parser: Parser,
    name: str,
    field: FieldInfo,
    *,
    hidden: bool = False,
) -> None:
    """Add one option; its value stays a string, which the config converts and checks."""
    text = field.description or ""
    if isinstance(field.default, bool):
        text += f" (default: {str(field.default).lower()})"  # as the command line takes it
    elif field.default is not None and not isinstance(field.default, tuple):
        text += f" (default: {field.default})"
    choices = (field.annotation, *get_args(field.annotation))
    takes_several = any(get_origin(choice) is tuple for choice in choices)
    parser.add_argument(
        dashed(f"--{name}"),
        dest=name,
        default=argparse.SUPPRESS,
        nargs="+" if takes_several else None,
        metavar=_metavar(field.annotation),
        help=argparse.SUPPRESS if hidden else text.replace("%", "%%"),
    )


def _metavar(annotation: Any) -> str:
    """Return the placeholder of an option's value in the help."""
    for choice in (annotation, *get_args(annotation)):
        if get_origin(choice) is Literal:
            return f"{{{','.join(map(str, get_args(choice)))}}}"
        if get_origin(choice) in (tuple, Annotated):
            return _metavar(get_args(choice)[0])
        if choice is bool:
            return "{true,false}"
        if choice is int:
            return "N"
        if choice is float:
            return "X"
    return "NAME"


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--format``, for commands that write figures and tables."""
    parser.add_argument(
        "--format",
        type=_some_formats,
        default=(),
        metavar=",".join(FORMATS),
        help="further formats, separated by commas: svg or pdf for figures, tex for LaTeX tables; "
        "figures are always written as PNG too",
    )


def _some_formats(text: str) -> tuple[str, ...]:
    """Return the formats of a comma-separated list.

    Raises:
        argparse.ArgumentTypeError: one of them does not exist.
    """
    formats = tuple(word.strip().lower() for word in text.split(","))
    for one in formats:
        if one not in (*FORMATS, "png"):
            raise argparse.ArgumentTypeError(
                f"there is no format {one!r}; choose from {', '.join(FORMATS)}, for example svg,tex"
            )
    return formats


def a_path(text: str) -> Path:
    """Return a path given on the command line.

    Raises:
        argparse.ArgumentTypeError: it is empty, which would mean the current folder.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "the path is empty; give a file or folder, or . for the current folder"
        )
    return Path(text)


def a_seed(text: str) -> int:
    """Return a seed given on the command line.

    Raises:
        argparse.ArgumentTypeError: it is not a non-negative integer.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a non-negative integer, got {text!r}")
    return int(text)

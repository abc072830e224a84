"""Options: build a command line from a typed config, so that Python and the shell share options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from anomalist.cli._option_names import dashed
from anomalist.cli._parser import Parser
from anomalist.core import catalog
from anomalist.core.config import Config
from anomalist.core.named import NamedConfig
from anomalist.core.spec import parse_name
from anomalist.reports.output import FORMATS

__all__ = ["add_formats", "add_options", "collect"]


def add_options(
    parser: Parser,
    config: type[Config],
    words: Sequence[str],
    *,
    flags: Sequence[str] = (),
) -> None:
    """Add an option for every field of ``config``; options that are not given stay unset.

    A field that holds a detector becomes ``--model NAME``, and ``--model.OPTION`` for each option
    of that detector. The detector's name is therefore read from ``words`` first.

    Args:
        parser: the parser to extend.
        config: the typed config.
        words: the command line.
        flags: fields that are true if their option is given, which has no value.

    Raises:
        InputError: ``--model`` names an unknown detector.
    """
    parser._typed = True
    for name, field in config.model_fields.items():
        if name in flags:
            parser.add_argument(
                dashed(f"--{name}"),
                dest=name,
                action="store_true",
                default=argparse.SUPPRESS,
                help=field.description,
            )
            continue
        _add(parser, name, field)
        detector = _chosen_detector(name, field, words) if _holds_detector(field) else None
        if detector is None:
            continue
        for option, inner in detector.model_fields.items():
            if option not in detector.unwritten:
                _add(parser, f"{name}.{option}", inner)
        for new, old in detector.old_names.items():
            _add(parser, f"{name}.{old}", detector.model_fields[new], hidden=True)


def collect(arguments: argparse.Namespace, config: type[Config]) -> dict[str, Any]:
    """Return the values of the fields of ``config`` that the command line sets.

    ``model.OPTION`` becomes an item of ``model``.
    """
    values: dict[str, Any] = {}
    models = [name for name, field in config.model_fields.items() if _holds_detector(field)]
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
) -> type[NamedConfig] | None:
    """Return the class of the detector that a command line chooses; None if there is none."""
    first = argparse.ArgumentParser(
        add_help=False,
        allow_abbrev=False,
        exit_on_error=False,
    )
    first.add_argument(f"--{name}", default=field.default, nargs="?")
    arguments, _ = first.parse_known_args(words)
    spec = getattr(arguments, name) or field.default
    if spec is None:
        return None
    detector: type[NamedConfig] = catalog.find_class("models", parse_name(spec))
    return detector


def _holds_detector(field: FieldInfo) -> bool:
    """Return whether a field is a detector, or a detector or None."""
    for choice in _choices(field.annotation):
        if isinstance(choice, type) and issubclass(choice, NamedConfig):
            return choice.registry == "models"
    return False


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
    elif field.default not in (None, "") and not isinstance(field.default, tuple):
        text += f" (default: {field.default})"
    takes_several = any(get_origin(choice) is tuple for choice in _choices(field.annotation))
    parser.add_argument(
        dashed(f"--{name}"),
        dest=name,
        default=argparse.SUPPRESS,
        nargs="+" if takes_several else None,
        metavar=_metavar(field.annotation),
        help=argparse.SUPPRESS if hidden else text.replace("%", "%%"),
    )


def _choices(annotation: Any) -> list[Any]:
    """Return a type, or the types of a union, without their metadata."""
    whole = _without_metadata(annotation)
    return [whole, *(_without_metadata(one) for one in get_args(whole))]


def _without_metadata(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _metavar(annotation: Any) -> str:
    """Return the placeholder of an option's value in the help."""
    for choice in (annotation, *get_args(annotation)):
        if get_origin(choice) is Literal and len(get_args(choice)) > 1:
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

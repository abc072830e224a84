"""The command-line parser: one-line errors, options from a file, and types of arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from anomalist.cli._config_words import CONFIG_OPTION, END_OF_CONFIG, PRINT_OPTION, split_config
from anomalist.cli._option_names import dashed
from anomalist.core.config import Config
from anomalist.core.config_file import as_yaml
from anomalist.core.errors import InputError, unknown

__all__ = ["Parser", "a_path", "a_seed", "options_of"]

_OWN = ("config", "print_config", "end_of_config")  # arguments that are no options of a command


class Parser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line and suggests the nearest valid option."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(
            prog=f"anomalist {command}".strip(),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._typed = False  # whether the options of a typed config are added
        group = self.add_argument_group("configuration file")
        group.add_argument(
            CONFIG_OPTION,
            metavar="FILE",
            help="read options from a YAML or JSON file; options on the command line take "
            "precedence",
        )
        group.add_argument(
            PRINT_OPTION,
            action="store_true",
            help="print all options as YAML, for such a file, and stop",
        )
        # It ends a list at the end of the file's options.
        group.add_argument(END_OF_CONFIG, action="store_true", help=argparse.SUPPRESS)

    def error(self, message: str) -> NoReturn:
        """Raise InputError instead of printing the usage and exiting."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command line.

        Raises:
            InputError: an option that does not exist, or one that lacks a value.
        """
        of_file, own = split_config(words)
        options = self._words_of_file(of_file)
        given = [
            self._without_flag_value(word) for word in [*options, END_OF_CONFIG, *_dashed(own)]
        ]
        arguments, extra = self.parse_known_args([word for word in given if word is not None])
        if extra:
            bad = extra[0].partition("=")[0]
            noun = "option" if bad.startswith("-") else "argument"
            raise unknown(f"{self.prog} {noun}", bad, self._long_options())
        if arguments.print_config and not self._typed:
            self.print_config(arguments)
        return arguments

    def print_config(self, arguments: argparse.Namespace, config: Config | None = None) -> NoReturn:
        """Print all options as YAML, and stop.

        Args:
            arguments: the parsed command line.
            config: the typed config, whose options are printed with their defaults.
        """
        print(as_yaml(options_of(arguments, config)), end="")
        self.exit()

    def _words_of_file(self, words: Sequence[str]) -> list[str]:
        """Return the words of a file as options of this command.

        An argument without an option gets its value from the file if the command line does not give
        it. An option that is given once per value is repeated.

        Raises:
            InputError: a list for an option that takes one value.
        """
        options = []
        actions = {name: action for action in self._actions for name in action.option_strings}
        waiting = {f"--{action.dest}": action for action in self._actions if _is_positional(action)}
        place = 0
        while place < len(words):
            name, sign, value = words[place].partition("=")
            place += 1
            values = [value] if sign else []
            while not sign and place < len(words) and not words[place].startswith("--"):
                values.append(words[place])
                place += 1
            action = actions.get(dashed(name))
            if name in waiting:
                _set_default(waiting[name], values)
            elif sign or isinstance(action, argparse._AppendAction):
                options += [f"{name}={one}" for one in values]
            elif action is not None and action.nargs is None and len(values) > 1:
                raise InputError(
                    f"{self.prog}: {name.strip('-')} takes one value, got {', '.join(values)}"
                )
            else:
                options += [name, *values]
        return options

    def _without_flag_value(self, word: str) -> str | None:
        """Return ``--quick`` for ``--quick=true``, as a file contains it; None for false."""
        name, sign, value = word.partition("=")
        flags = [
            flag
            for action in self._actions
            if isinstance(action, argparse._StoreTrueAction)
            for flag in action.option_strings
        ]
        if not sign or name not in flags:
            return word
        return {"true": name, "false": None}.get(value, word)

    def _long_options(self) -> list[str]:
        names = [name for action in self._actions for name in action.option_strings]
        return [name for name in names if name.startswith("--")]


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


def _dashed(words: Sequence[str]) -> list[str]:
    """Return a command line with dashes in its option names; words after ``--`` are no options."""
    end = list(words).index("--") if "--" in words else len(words)
    return [*(dashed(word) for word in words[:end]), *words[end:]]


def _is_positional(action: argparse.Action) -> bool:
    return not action.option_strings


def _set_default(action: argparse.Action, values: Sequence[str]) -> None:
    """Make an argument optional, with a default."""
    convert = action.type if callable(action.type) else str
    several = action.nargs in ("+", "*")
    converted = [convert(value) for value in values]
    action.nargs = "*" if several else "?"
    action.required = False
    action.default = converted if several else converted[0]


def options_of(arguments: argparse.Namespace, config: Config | None = None) -> dict[str, Any]:
    """Return all options of a command as a file can contain them, without unset ones.

    Args:
        arguments: the parsed command line.
        config: the typed config, whose options have their defaults.
    """
    values = _given(arguments)
    if config is not None:
        fields = type(config).model_fields
        values = {n: v for n, v in values.items() if n.partition(".")[0] not in fields}
        values |= config.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in values.items() if value not in ("", [])}


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a command that has no typed config, without unset ones."""
    values: dict[str, Any] = {}
    for name, value in vars(arguments).items():
        if name in _OWN or value is None:
            continue
        if name == "format" and isinstance(value, tuple):
            values[name] = ",".join(map(str, value))
        elif isinstance(value, list | tuple):
            values[name] = [str(one) if isinstance(one, Path) else one for one in value]
        else:
            values[name] = str(value) if isinstance(value, Path) else value
    return values

"""The dispatcher: the first word of a command line names the file that runs.

A command's file defines ``main(words)``, which returns the exit status; None means 0. The first
line of its docstring is its description in ``anomalist --help``. Slow imports happen only where
they are needed: ``anomalist --help`` and ``anomalist list`` never load torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from anomalist._version import __version__
from anomalist.cli._config_words import with_config
from anomalist.core import catalog, console
from anomalist.core.errors import InputError

__all__ = ["main"]

_HELP = """\
usage: anomalist COMMAND [OPTION ...]

Detect and localise anomalies in images: train on normal images, score new images, and mark the
anomalous pixels.

commands:
{commands}

`anomalist COMMAND --help` explains a command and its options. To get started, run a small
example, which takes seconds:
  anomalist run --quick
"""

_WRONG_INPUT = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words of the command line; by default those of this process.

    Returns:
        the exit status: 0 for success, 1 if something failed, 2 for wrong input, 130 after an
        interruption (Ctrl-C).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    console.prepare()
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        console.ignore_output()
        return 0
    except InputError as error:
        print(f"anomalist: error: {error}", file=sys.stderr)
        return _WRONG_INPUT
    except OSError as error:  # a full disk, or a folder that was removed
        file = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{file}; finished results are kept"
        print(f"anomalist: error: {message}", file=sys.stderr)
        return _WRONG_INPUT
    except KeyboardInterrupt:
        print("anomalist: interrupted; finished results are kept", file=sys.stderr)
        return _INTERRUPTED


def _dispatch(words: list[str]) -> int:
    command = words[0] if words else "--help"
    if command in ("-h", "--help", "help"):
        print(_HELP.format(commands=_listing()), end="")
        return 0
    if command in ("-V", "--version"):
        print(f"anomalist {__version__}")
        return 0
    status: int | None = catalog.find_module("cli", command).main(with_config(words[1:]))
    return status or 0


def _listing() -> str:
    """Return one line per command."""
    names = catalog.names("cli")
    return "\n".join(f"  {name:<11}{catalog.describe('cli', name)}" for name in names)

"""The command line; each command's options are those of its typed config.

Nothing heavy is imported before it is needed: `anomalist --help` and `anomalist list` never load torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from anomalist import catalog
from anomalist._version import __version__
from anomalist.errors import InputError, unknown

__all__ = ["main"]

_HELP = """\
usage: anomalist COMMAND [OPTION ...]

Image anomaly detection and localisation: train on normal images, score, show where.

commands:
  run    fit a detector on normal images and find corrupted ones, the whole baseline unless told otherwise
  list   what there is: models, datasets, corruptions
  data   data sets on this machine: which are ready, which would be fetched, and where they lie

anomalist COMMAND --help says more; for a start:
  anomalist run --quick
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 2 wrong input, 130 interrupted (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except InputError as error:
        print(f"anomalist: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder taken away
        where = f" ({error.filename})" if error.filename else ""
        print(f"anomalist: error: {error.strerror or error}{where}; what was finished is kept", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("anomalist: interrupted; what was finished is kept", file=sys.stderr)
        return 130


def _dispatch(words: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], None]] = {"run": _run, "list": _list, "data": _data}
    command = words[0] if words else "--help"
    if command in ("-h", "--help", "help"):
        print(_HELP, end="")
    elif command in ("-V", "--version"):
        print(f"anomalist {__version__}")
    elif command in commands:
        commands[command](words[1:])
    else:
        raise unknown("command", command, commands)
    return 0


def _run(words: list[str]) -> None:
    from anomalist import baseline, options

    parser = options.Parser(
        "run",
        "Fit a detector on normal images, then find the corrupted ones among test images.\n\n"
        "examples:\n"
        "  anomalist run                                   the baseline: four corruptions, four strengths each\n"
        "  anomalist run --quick                           the same on a tenth of the images\n"
        "  anomalist run --model.bottleneck 8 --seed 1\n"
        "  anomalist run --corruptions stripes:lines=2,value=black gaussian_noise:sigma=0.1",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder to write to (default: results)")
    parser.add_argument("--quick", action="store_true", help="a run of seconds: fewer images, fewer epochs")
    parser.add_argument("--save-maps", action="store_true", help="also keep every pixel map in scores.npz (large)")
    options.add_options(parser, baseline.Baseline, words)
    found = parser.read(words)
    values = options.collect(found, baseline.Baseline)
    if found.quick:
        values = baseline.quick(values)
    baseline.run(baseline.Baseline(**values), found.results, save_maps=found.save_maps)


def _list(words: list[str]) -> None:
    from anomalist import options

    parser = options.Parser("list", "List what there is, one line each.")
    parser.add_argument("what", nargs="?", metavar="{" + ",".join(catalog.KINDS) + "}", help="default: everything")
    what = parser.read(words).what
    if what is not None and what not in catalog.KINDS:
        raise unknown("kind", what, catalog.KINDS)
    for package in [what] if what else catalog.KINDS:
        print(f"{package}:")
        for name in catalog.names(package):
            print(f"  {name:<18}{catalog.describe(package, name)}")


def _data(words: list[str]) -> None:
    from anomalist import datasets, options

    options.Parser("data", "Say which data sets are ready, which would be fetched, and where they lie.").read(words)
    for name in datasets.names():
        print(f"{name:<18}{datasets.status(name)}")


if __name__ == "__main__":
    sys.exit(main())

"""The command line; each command's options are those of its typed config.

Nothing heavy is imported before it is needed: `anomalist --help` and `anomalist list` never load
torch.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalist import catalog, console
from anomalist._version import __version__
from anomalist.errors import InputError, unknown
from anomalist.option_names import check_run_options

if TYPE_CHECKING:
    from anomalist.studies.study import Study

__all__ = ["main"]

_HELP = """\
usage: anomalist COMMAND [OPTION ...]

Image anomaly detection and localisation: train on normal images, score, show where.

commands:
  run        fit a detector on normal images and find corrupted ones, the whole baseline unless told otherwise
  list       what there is: models, datasets, corruptions, tasks, suites
  study      many trials over seeds: bottleneck, contamination, difficulty, or a grid of any options; resumable
  benchmark  detectors on the tasks of a suite, side by side, with statistics; beside results that are kept
  evaluate   judge any software's scores of a test set that `anomalist data export` wrote
  report     remake a study's tables and pictures from what is stored
  trial      show one trial of a study, or run it again and say whether it came out the same
  gallery    a picture and a page of all corruptions at several severities
  data       data sets: which are ready, which can be fetched, where files are put; licence, size and shape;
             `data export` writes a task's test set as a file to share

anomalist COMMAND --help says more; for a start:
  anomalist run --quick
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 2 wrong input, 130 interrupted (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    console.prepare()
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output, such as `head`, has had enough
        console.ignore_output()
        return 0
    except InputError as error:
        print(f"anomalist: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder taken away
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"anomalist: error: {error.strerror or error}{where}; what was finished is kept",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("anomalist: interrupted; what was finished is kept", file=sys.stderr)
        return 130


def _dispatch(words: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int | None]] = {
        "run": _run,
        "study": _study,
        "report": _report,
        "trial": _trial,
        "benchmark": lambda rest: _command("benchmark", rest),
        "evaluate": lambda rest: _command("evaluate", rest),
        "list": _list,
        "gallery": lambda rest: _command("gallery", rest),
        "data": _data,
    }
    command = words[0] if words else "--help"
    if command in ("-h", "--help", "help"):
        print(_HELP, end="")
    elif command in ("-V", "--version"):
        print(f"anomalist {__version__}")
    elif command in commands:
        return commands[command](words[1:]) or 0
    else:
        raise unknown("command", command, commands)
    return 0


def _run(words: list[str]) -> None:
    check_run_options(words, ("--results", "--quick", "--save-maps"))

    from anomalist import baseline, options

    parser = options.Parser(
        "run",
        "Fit a detector on normal images, then find the corrupted ones among test images.\n\n"
        "examples:\n"
        "  anomalist run                                   the baseline: four corruptions, four "
        "strengths each\n"
        "  anomalist run --quick                           the same on a tenth of the images\n"
        "  anomalist run --model.bottleneck 8 --seed 1\n"
        "  anomalist run --corruptions stripes:lines=2,value=black gaussian_noise:sigma=0.1\n"
        "  anomalist run --dataset folder:path=parts,resize=128    your own images, with the "
        "defects among them",
    )
    parser.add_argument(
        "--results",
        type=options.a_path,
        default=Path("results"),
        help="folder to write to (default: results)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a run of seconds: fewer images, fewer epochs"
    )
    parser.add_argument(
        "--save-maps", action="store_true", help="also keep every pixel map in scores.npz (large)"
    )
    options.add_options(parser, baseline.Baseline, words)
    found = parser.read(words)
    values = options.collect(found, baseline.Baseline)
    if found.quick:
        values = baseline.quick(values)
    baseline.run(
        baseline.Baseline(**values), found.results, save_maps=found.save_maps, quick=found.quick
    )


def _study(words: list[str]) -> int:
    from anomalist import options
    from anomalist.commands._execution import add_execution, execution

    parser = options.Parser(
        "study",
        "Run many trials over several seeds and report their means with 95 % intervals. What is "
        "finished is never run\n"
        "again: a study that was stopped goes on where it was.\n\n"
        "examples:\n"
        "  anomalist study difficulty --quick\n"
        "  anomalist study grid --vary model.bottleneck=2,4,8 --vary task.contamination=0,0.05 \\\n"
        "      --vary task.contaminant=class --vary task.normal_classes=0 --seeds 10\n"
        "  anomalist study one_class --models lof:blur=1,deskew=true autoencoder:bottleneck=16\n"
        "  anomalist study bottleneck --executor dask --address tcp://scheduler:8786",
    )
    parser.add_argument("name", metavar="{" + ",".join(_STUDIES) + "}", help="which study")
    parser.add_argument("--quick", action="store_true", help="fewer images, points and seeds")
    parser.add_argument(
        "--full", action="store_true", help="the whole protocol: all images, more seeds"
    )
    parser.add_argument(
        "--seeds", type=int, help="how many seeds (default: 10, with --quick 3; fewer of detectors)"
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="OPTION=VALUE,VALUE",
        help="an axis of a grid",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=(),
        metavar="NAME:OPTION=VALUE,…",
        help="detectors to compare",
    )
    add_execution(parser)
    found = parser.read(words)
    where = execution(found)
    if found.name not in _STUDIES:
        raise unknown("study", found.name, _STUDIES)

    from anomalist.studies import study

    chosen = _chosen_study(found)
    failures = study.run(chosen, found.results, **where)
    _print_report(chosen.layout.name, found.results)
    return 1 if failures else 0


def _report(words: list[str]) -> None:
    from anomalist import options
    from anomalist.studies import report

    parser = options.Parser(
        "report", "Make a study's tables and pictures again, from the rows that are stored."
    )
    parser.add_argument("name", metavar="{" + ",".join(_STUDIES) + "}", help="which study")
    parser.add_argument(
        "--results",
        type=options.a_path,
        default=Path("results"),
        help="folder of the study (default: results)",
    )
    found = parser.read(words)
    report.remake(found.name, found.results)
    _print_report(found.name, found.results)


def _print_report(name: str, results: Path) -> None:
    print((results / "studies" / f"{name}.md").read_text(encoding="utf-8"))


_OF_DETECTORS = ("one_class", "blind_spot", "labelled")
_STUDIES = ("bottleneck", "contamination", "difficulty", *_OF_DETECTORS, "grid")


def _chosen_study(found: argparse.Namespace) -> Study:
    from anomalist.studies import grid, layout, protocol, study

    size: protocol.Size = "quick" if found.quick else "full" if found.full else "default"
    if found.name != "grid":
        if found.vary:
            raise InputError(
                f"--vary belongs to `anomalist study grid`; the study {found.name!r} has its own "
                "axes"
            )
        chosen = (found.models,) if found.name in _OF_DETECTORS else ()
        if found.models and not chosen:
            raise InputError(
                f"--models belongs to {', '.join(_OF_DETECTORS)}; a grid takes --vary "
                "model=NAME,NAME"
            )
        made = importlib.import_module(f"anomalist.studies.{found.name}").study(
            size, found.seeds, *chosen
        )
        assert isinstance(made, study.Study)
        return made
    axes = grid.parse_axes(found.vary)
    if not axes:
        raise InputError("study grid takes one --vary or more, e.g. --vary model.bottleneck=2,4,8")
    trials = grid.grid(protocol.base(size), axes, protocol.seeds_of(size, found.seeds))
    x, *lines = sorted(axes, key=lambda path: -len(axes[path]))
    return study.Study(layout.Layout(name="grid", x=x, lines=tuple(lines)), trials)


def _trial(words: list[str]) -> int:
    from anomalist import options
    from anomalist.studies.store import Store

    parser = options.Parser(
        "trial", "Show one trial, or run it again and say whether it came out the same."
    )
    parser.add_argument("key", help="the trial's name, or the beginning of it")
    parser.add_argument("--rerun", action="store_true", help="fit and judge anew, and compare")
    parser.add_argument(
        "--results",
        type=options.a_path,
        default=Path("results"),
        help="folder of the study (default: results)",
    )
    found = parser.read(words)
    store = Store(found.results / "trials")
    row = store.row(store.find(found.key))
    if row is None:
        raise InputError(f"trial {found.key!r} is damaged and was set aside; run its study again")
    print(json.dumps(row, indent=2))
    if not found.rerun:
        return 0
    from anomalist.trial import Trial, run_together

    again, _ = next(run_together([Trial(**row["config"])]))
    same = json.loads(json.dumps(again)) == row
    print("the same, to the last digit" if same else f"different: {json.dumps(again['metrics'])}")
    return 0 if same else 1


def _list(words: list[str]) -> None:
    from anomalist import options

    parser = options.Parser("list", "List what there is, one line each.")
    parser.add_argument(
        "what", nargs="?", metavar="{" + ",".join(catalog.KINDS) + "}", help="default: everything"
    )
    what = parser.read(words).what
    if what is not None and what not in catalog.KINDS:
        raise unknown("kind", what, catalog.KINDS)
    for package in [what] if what else catalog.KINDS:
        print(f"{package}:")
        for name in catalog.names(package):
            print(f"  {name:<18}{catalog.describe(package, name)}")


def _command(name: str, words: list[str]) -> int | None:
    """Run a command that has a file of its own."""
    status: int | None = importlib.import_module(f"anomalist.commands.{name}").main(words)
    return status


def _data(words: list[str]) -> int | None:
    if words[:1] == ["export"]:
        return _command("export", words[1:])
    from anomalist import datasets, options

    parser = options.Parser(
        "data", "Say which data sets are ready, which can be fetched, and where files are put."
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME[:OPTION=VALUE,…]", help="tell all about one data set"
    )
    name = parser.read(words).name
    for line in datasets.table() if name is None else datasets.details(name):
        print(line)
    return None


if __name__ == "__main__":
    sys.exit(main())

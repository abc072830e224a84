"""Run a study: trials over settings and seeds, with means and 95 % intervals."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from anomalist.cli._execution import add_execution, execution
from anomalist.cli._parser import Parser, options_of
from anomalist.cli.report import print_report
from anomalist.core import catalog
from anomalist.core.config_file import write_config
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder

__all__ = ["main"]

_ABOUT = """\
Run a study: many trials, each with several seeds, and a report of their means with 95 % intervals.
Finished trials are not run again: an interrupted study resumes where it stopped. The report is
RESULTS/studies/NAME.md; the figures are in RESULTS/plots.

studies:
{studies}

examples:
  anomalist study difficulty --quick
  anomalist study grid --vary model.bottleneck=2,4,8 --vary task.contamination=0,0.05 \\
      --vary task.contaminant=class --vary task.normal_classes=0 --seeds 10
  anomalist study one_class --models lof:blur=1,deskew=true autoencoder:bottleneck=16
  anomalist study bottleneck --executor dask --address tcp://scheduler:8786
"""
_OPTIONAL = ("models", "vary")  # options that only the studies with them in ACCEPTS take


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a trial failed, else 0."""
    names = catalog.names("studies")
    listed = "\n".join(f"  {name:<14}{catalog.describe('studies', name)}" for name in names)
    parser = Parser("study", _ABOUT.format(studies=listed))
    parser.add_argument("name", metavar=f"{{{','.join(names)}}}", help="the study to run")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="use fewer images, settings and seeds, so that the study takes about a minute",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="use the complete protocol: all images, and more seeds where detectors are compared",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="number of seeds (default: 10, or 3 with --quick; fewer where detectors are compared)",
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="OPTION=VALUE,VALUE",
        help="option to vary and its values, only for the study grid; give --vary once per option",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=(),
        metavar="MODEL",
        help="detectors, each as NAME or NAME:OPTION=VALUE,…, only for studies that compare "
        "detectors (default: those of the study)",
    )
    add_execution(parser)
    arguments = parser.read(words)
    where = execution(arguments)
    module = catalog.find_module("studies", arguments.name)

    from anomalist import studies

    study = module.study(_size(arguments), arguments.seeds, **_accepted(module, arguments))
    failures = studies.run(study, arguments.results, formats=arguments.format, **where)
    name = study.layout.name
    folder = make_folder(arguments.results / "studies")
    write_config(folder / f"{name}.options.yaml", options_of(arguments))
    print_report(name, arguments.results)
    return 1 if failures else 0


def _size(arguments: argparse.Namespace) -> str:
    if arguments.quick:
        return "quick"
    return "full" if arguments.full else "default"


def _accepted(module: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options that the study accepts.

    Raises:
        InputError: an option is given that the study does not accept.
    """
    accepted: dict[str, Any] = {}
    for option in _OPTIONAL:
        value = getattr(arguments, option)
        if option in module.ACCEPTS:
            accepted[option] = value
        elif value:
            modules = {
                name: catalog.find_module("studies", name) for name in catalog.names("studies")
            }
            others = [name for name, other in modules.items() if option in other.ACCEPTS]
            raise InputError(
                f"--{option} belongs to {', '.join(others)}; the study {arguments.name!r} has no "
                "such option"
            )
    return accepted

"""The command ``anomalist data export``: write a task's test set to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import exchange, suites, tasks
from anomalist.cli._parser import Parser, a_path, a_seed
from anomalist.core import catalog
from anomalist.core.errors import unknown
from anomalist.core.files import make_folder
from anomalist.tasks import Task

__all__ = ["main"]

_ABOUT = """\
Write the test set of a task to a file: images, labels, masks and a hash, as .npz without pickle.
Any software can score these images, and `anomalist evaluate` evaluates the scores. The same task,
seed and data give the same bytes.

examples:
  anomalist data export one_class:dataset=digits,normal_classes=3,calibration=20 --out three.npz
  anomalist data export "corrupted:corruption=(stripes:lines=1,value=black),test=2000" \\
      --out lines.npz --seed 1
  anomalist data export "quick/digits one-class/class 2" --out two.npz --training
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    parser = Parser("data export", _ABOUT)
    parser.add_argument(
        "task",
        metavar="TASK",
        help="task as KIND:OPTION=VALUE,… (see `anomalist list tasks`), or SUITE/GROUP/TASK for a "
        "task of a suite",
    )
    parser.add_argument(
        "--out",
        type=a_path,
        required=True,
        metavar="FILE.npz",
        help="file to write",
    )
    parser.add_argument(
        "--seed",
        type=a_seed,
        default=0,
        metavar="N",
        help="seed of splits and corruptions (default: 0)",
    )
    parser.add_argument(
        "--training",
        action="store_true",
        help="also write the training and calibration images",
    )
    parser.add_argument(
        "--data",
        type=a_path,
        default=Path("data"),
        help="folder of the data sets that a suite reads by path (default: data)",
    )
    arguments = parser.read(words)
    make_folder(arguments.out.parent, "folder")
    task = _task(arguments.task, arguments.data)
    exported = exchange.export(task, arguments.seed, arguments.out, training=arguments.training)
    count = len(exported.test)
    anomalies = int(exported.test.is_anomaly.sum())
    print(f"{arguments.out}: {count:,} test images, {anomalies:,} of them anomalies")
    print(f"sha256 of the test set: {exported.sha256}")


def _task(text: str, data: Path) -> Task:
    """Return the task of a spec, ``KIND:OPTION=VALUE``, or of a path, ``SUITE/GROUP/TASK``."""
    suite, slash, rest = text.partition("/")
    if not slash or suite.replace("-", "_") not in catalog.names("suites"):
        return tasks.parse(text)
    places: dict[str, Task] = {}
    for group, inside in suites.load(suite, data).groups.items():
        if len(inside) == 1:
            places[group] = inside[0]
        for task in inside:
            places[f"{group}/{task.label}"] = task
    if rest not in places:
        raise unknown(f"task of the suite {suite}", rest, places)
    return places[rest]

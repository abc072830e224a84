"""`anomalist data export`: a task's test set as a file to share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist import catalog, frozen, suite, tasks
from anomalist.errors import unknown
from anomalist.files import make_folder
from anomalist.options import Parser, a_path, a_seed
from anomalist.task import TaskConfig

__all__ = ["main"]

_ABOUT = """\
Write a task's test set, frozen: images, labels, masks and a hash in one .npz file without pickle. The same task, seed
and data give the same bytes. Scores of it, by whatever software, are judged by `anomalist evaluate`.

examples:
  anomalist data export one_class:dataset=digits,normal_classes=3,calibration=20 --out three.npz
  anomalist data export "corrupted:corruption=(stripes:lines=1,value=black),test=2000" --out lines.npz --seed 1
  anomalist data export "quick/digits one-class/class 2" --out two.npz --training
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    parser = Parser("data export", _ABOUT)
    parser.add_argument(
        "task",
        metavar="TASK",
        help="KIND:OPTION=VALUE,… (`anomalist list tasks`), or SUITE/GROUP/TASK",
    )
    parser.add_argument(
        "--out", type=a_path, required=True, metavar="FILE.npz", help="the file to write"
    )
    parser.add_argument(
        "--seed", type=a_seed, default=0, help="of splits and corruptions (default: 0)"
    )
    parser.add_argument(
        "--training", action="store_true", help="write training and calibration images too"
    )
    parser.add_argument(
        "--data",
        type=a_path,
        default=Path("data"),
        help="folder with a suite's data sets given by path",
    )
    found = parser.read(words)
    make_folder(found.out.parent, "folder")
    task = _task(found.task, found.data)
    made = frozen.export(task, found.seed, found.out, training=found.training)
    images, anomalies = len(made.test), int(made.test.labels.sum())
    print(
        f"{found.out}: {images:,} test images, {anomalies:,} of them anomalies\nsha256 of the test "
        f"set: {made.sha256}"
    )


def _task(text: str, data: Path) -> TaskConfig:
    """Return the task that is named by itself, or by its place in a suite."""
    first, slash, rest = text.partition("/")
    if not slash or first.replace("-", "_") not in catalog.names("suites"):
        return tasks.parse(text)
    groups = suite.load(first, data).groups
    places = {f"{group}/{task.label}": task for group, inside in groups.items() for task in inside}
    places |= {group: inside[0] for group, inside in groups.items() if len(inside) == 1}
    if rest not in places:
        raise unknown(f"task of the suite {first}", rest, places)
    return places[rest]

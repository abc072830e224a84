"""Evaluate scores from any software on a test set that `data export` wrote."""

from __future__ import annotations

from collections.abc import Sequence

from anomalist import exchange
from anomalist.analysis import benchmark_rows
from anomalist.cli._options import Parser, a_path
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_csv
from anomalist.evaluation import evaluate
from anomalist.metrics.table import of_metric

__all__ = ["main"]

_ABOUT = """\
Evaluate scores from any software on a test set that `anomalist data export` wrote, and print every
metric with its 95 % interval. The scores are a .npz file with these arrays:

  image        [N]        one score per image; higher means more anomalous
  pixel        [N, H, W]  optional: one score per pixel
  test_sha256  text       hash of the test set, as printed by `anomalist data export`
  method       text       name of the method

docs/guide/scores_schema.md describes both files. To write the scores with NumPy:

  test = numpy.load("test.npz")
  sha256 = json.loads(str(test["about"]))["sha256"]
  numpy.savez("scores.npz", image=scores, test_sha256=sha256, method="my method")

examples:
  anomalist evaluate --scores scores.npz --test test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv
  anomalist benchmark quick --reference theirs.csv        compare with the detectors of a suite
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    parser = Parser("evaluate", _ABOUT)
    parser.add_argument(
        "--scores",
        type=a_path,
        required=True,
        metavar="FILE.npz",
        help="file of the scores",
    )
    parser.add_argument(
        "--test",
        type=a_path,
        required=True,
        metavar="FILE.npz",
        help="file of the test set",
    )
    parser.add_argument(
        "--row",
        type=a_path,
        metavar="FILE.csv",
        help="also write the result as a row for `anomalist benchmark --reference`",
    )
    arguments = parser.read(words)
    path = arguments.row
    if path is not None:
        if path.suffix != ".csv":
            raise InputError(f"--row writes a .csv file, got {str(path)!r}")
        make_folder(path.parent, "folder of the row")
    exported = exchange.read(arguments.test)
    method, scores = exchange.read_scores(arguments.scores, exported)
    metrics = evaluate(scores, exported.test, seed=exported.seed)
    count = len(exported.test)
    anomalies = int(exported.test.is_anomaly.sum())
    print(
        f"{method} on {exported.task}, seed {exported.seed}: {count:,} images, {anomalies:,} of "
        "them anomalies"
    )
    for key, estimate in metrics.items():
        print(f"  {of_metric(key).label:<12} {estimate}")
    if path is not None:
        place = benchmark_rows.Place("", exported.label, exported.task_sha256)
        values = {key: estimate._asdict() for key, estimate in metrics.items()}
        row = benchmark_rows.make("", None, place, method, exported.seed, values)
        write_csv(path, [row])
        print(f"row written to {path}")

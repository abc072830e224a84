"""Evaluate any software's scores of a test set that `anomalist data export` wrote."""

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
Evaluate scores of an exported test set: every metric with its 95 % interval. The scores are a .npz
file with

  image        [N]        a number per image, higher = more anomalous
  pixel        [N, H, W]  a number per pixel, if the method has maps
  test_sha256  text       the test set's hash, which `anomalist data export` printed
  method       text       the method's name

docs/scores-schema.md has the details. With NumPy:

  sha256 = json.loads(str(test["about"]))["sha256"]
  numpy.savez("scores.npz", image=scores, test_sha256=sha256, method="theirs")

examples:
  anomalist evaluate --scores scores.npz --test test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv    for --reference
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    parser = Parser("evaluate", _ABOUT)
    parser.add_argument(
        "--scores",
        type=a_path,
        required=True,
        metavar="FILE.npz",
        help="the scores",
    )
    parser.add_argument(
        "--test",
        type=a_path,
        required=True,
        metavar="FILE.npz",
        help="the exported test set",
    )
    parser.add_argument(
        "--row",
        type=a_path,
        metavar="FILE.csv",
        help="write the result as a row for a benchmark",
    )
    arguments = parser.read(words)
    path = arguments.row
    if path is not None:
        if path.suffix != ".csv":
            raise InputError(f"a row is written as a .csv file, got {str(path)!r}")
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

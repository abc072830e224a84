"""`anomalist evaluate`: any software's scores of an exported test set, judged as our own are."""

from __future__ import annotations

from collections.abc import Sequence

from anomalist import frozen
from anomalist.errors import InputError
from anomalist.evaluation import LABELS, evaluate
from anomalist.files import make_folder
from anomalist.options import Parser, a_path
from anomalist.studies import rows, tables

__all__ = ["main"]

_ABOUT = """\
Judge scores of a frozen test set: every metric with its 95 % interval. The scores are a .npz file with

  image        [N]        a number an image, higher = more anomalous
  pixel        [N, H, W]  a number a pixel, where there are maps
  test_sha256  text       the test set's hash, which `anomalist data export` printed
  method       text       the method's name

docs/scores-schema.md says more. With NumPy:

  numpy.savez("scores.npz", image=scores, test_sha256=json.loads(str(test["about"]))["sha256"], method="theirs")

examples:
  anomalist evaluate --scores scores.npz --test test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv    a row for `anomalist benchmark --reference`
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    parser = Parser("evaluate", _ABOUT)
    parser.add_argument(
        "--scores", type=a_path, required=True, metavar="FILE.npz", help="the scores"
    )
    parser.add_argument(
        "--test", type=a_path, required=True, metavar="FILE.npz", help="the exported test set"
    )
    parser.add_argument(
        "--row", type=a_path, metavar="FILE.csv", help="write the result as a row for a benchmark"
    )
    found = parser.read(words)
    if found.row is not None and found.row.suffix != ".csv":
        raise InputError(f"a row is written as a .csv file, got {str(found.row)!r}")
    if found.row is not None:
        make_folder(found.row.parent, "folder of the row")
    test = frozen.read(found.test)
    method, scores = frozen.read_scores(found.scores, test)
    metrics = evaluate(scores, test.test, seed=test.seed)
    count, anomalies = len(test.test), int(test.test.labels.sum())
    print(
        f"{method} on {test.task}, seed {test.seed}: {count:,} images, {anomalies:,} of them "
        "anomalies"
    )
    for name, estimate in metrics.items():
        print(f"  {LABELS[name]:<12} {estimate}")
    if found.row is not None:
        place = rows.Place("", test.label, test.task_sha256)
        values = {name: estimate._asdict() for name, estimate in metrics.items()}
        row = rows.make("", None, place, method, test.seed, values)
        tables.write_csv([row], found.row)
        print(f"row written to {found.row}")

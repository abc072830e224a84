"""Evaluate a model on a folder with known anomalies, or the scores of other software."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from anomalist import exchange
from anomalist.analysis import benchmark_rows
from anomalist.cli._parser import Parser, a_path, options_of
from anomalist.core.config_file import write_config
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_csv
from anomalist.evaluation import evaluate
from anomalist.metrics.table import of_metric

__all__ = ["main"]

_ABOUT = """\
Evaluate a model of `anomalist fit` on a folder whose anomalies are known: every metric with its
95 % interval, by type of defect, and the decisions at the model's threshold. DIR is a folder in the
MVTec AD layout, of which only the test split is used, or any folder with --good and --bad.

Or evaluate scores from any software on a test set that `anomalist data export` wrote. The scores
are a .npz file with these arrays:

  image        [N]        one score per image; higher means more anomalous
  pixel        [N, H, W]  optional: one score per pixel
  test_sha256  text       hash of the test set, as printed by `anomalist data export`
  method       text       name of the method

docs/guide/scores_schema.md describes both files. To write the scores with NumPy:

  test = numpy.load("test.npz")
  sha256 = json.loads(str(test["about"]))["sha256"]
  numpy.savez("scores.npz", image=scores, test_sha256=sha256, method="my method")

examples:
  anomalist evaluate model parts --out results
  anomalist evaluate model day2 --good ok --bad nok     images that were not used in the fit
  anomalist evaluate --scores scores.npz --test test.npz
  anomalist evaluate --scores scores.npz --test test.npz --row theirs.csv
  anomalist benchmark quick --reference theirs.csv        compare with the detectors of a suite
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a file could not be used."""
    arguments = _parser().read(words)
    if arguments.model is not None:
        return _of_model(arguments)
    if arguments.scores is None or arguments.test is None:
        raise InputError(
            "anomalist evaluate needs MODEL and DIR, or --scores and --test; see anomalist "
            "evaluate --help"
        )
    _of_scores(arguments)
    return 0


def _parser() -> Parser:
    parser = Parser("evaluate", _ABOUT)
    parser.add_argument(
        "model",
        nargs="?",
        type=a_path,
        metavar="MODEL",
        help="folder of a model or of a run, or .onnx file",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=a_path,
        metavar="DIR",
        help="folder of images with known anomalies",
    )
    parser.add_argument("--out", type=a_path, metavar="OUT", help="folder for the results")
    parser.add_argument(
        "--good", nargs="+", default=(), metavar="NAME", help="folders of normal images inside DIR"
    )
    parser.add_argument(
        "--bad", nargs="+", default=(), metavar="NAME", help="folders of anomalies inside DIR"
    )
    parser.add_argument(
        "--anomalous", default="", metavar="FILE", help="file inside DIR that lists the anomalies"
    )
    parser.add_argument(
        "--scores",
        type=a_path,
        metavar="FILE.npz",
        help="file of the scores",
    )
    parser.add_argument(
        "--test",
        type=a_path,
        metavar="FILE.npz",
        help="file of the test set",
    )
    parser.add_argument(
        "--row",
        type=a_path,
        metavar="FILE.csv",
        help="also write the result as a row for `anomalist benchmark --reference`",
    )
    return parser


def _of_model(arguments: argparse.Namespace) -> int:
    """Evaluate a model on a folder; return 1 if a file could not be used."""
    from anomalist.datasets.folder import Folder
    from anomalist.deployment.evaluating import evaluate_folder
    from anomalist.deployment.storage import load

    if arguments.folder is None:
        raise InputError("anomalist evaluate MODEL needs a folder of images: evaluate MODEL DIR")
    if (arguments.scores, arguments.test, arguments.row) != (None, None, None):
        raise InputError("give MODEL and DIR, or --scores, --test and --row, not both")
    folder = Folder(
        path=str(arguments.folder),
        good=arguments.good,
        bad=arguments.bad,
        anomalous=arguments.anomalous,
    )
    report = evaluate_folder(load(arguments.model), folder, arguments.out)
    if arguments.out is not None:
        write_config(arguments.out / "options.yaml", options_of(arguments))
    return 1 if report.faults else 0


def _of_scores(arguments: argparse.Namespace) -> None:
    """Evaluate scores of other software."""
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

"""Score image files with a fitted model: scores, p-values, verdicts and heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._parser import Parser, a_path, options_of
from anomalist.core.config_file import write_config

__all__ = ["main"]

_ABOUT = """\
Score image files with a model of `anomalist fit`, or with an exported .onnx file. Folders are
searched recursively.

OUT/scores.csv (and scores.parquet if pyarrow is installed) has a row per file: path, score,
p_value, percentile (percentage of normal images that score lower), verdict, and the box and the
area of the largest anomalous region in pixels of the file. If files cannot be read, unreadable.csv
lists them and the exit status is 1. After an interruption the same command continues where it
stopped. scores.csv contains only the files of the last call.

examples:
  anomalist score model new/ --out results
  anomalist score model a.png b.png --out results --heatmaps
  anomalist score model new/ --out results --false-alarms 0.05
  anomalist score model new/ --out results --false-discoveries 0.1
  anomalist score model.onnx new/ --out results        without torch
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a file could not be read."""
    from anomalist.cli import _options as options
    from anomalist.deployment import load
    from anomalist.deployment.scoring import ScoreConfig, score_files

    parser = Parser("score", _ABOUT)
    _add_own(parser)
    options.add_options(parser, ScoreConfig, words, flags=("heatmaps",))
    arguments = parser.read(words)
    config = ScoreConfig(**options.collect(arguments, ScoreConfig))
    if arguments.print_config:
        parser.print_config(arguments, config)
    summary = score_files(
        load(arguments.model),
        arguments.paths,
        arguments.out,
        config,
        threads=arguments.threads,
        restart=arguments.restart,
    )
    write_config(arguments.out / "config.yaml", options_of(arguments, config))
    return 1 if summary.unreadable else 0


def _add_own(parser: Parser) -> None:
    """Add the options that are not in the config of a scoring."""
    parser.add_argument(
        "model", type=a_path, metavar="MODEL", help="folder of a model or of a run, or .onnx file"
    )
    parser.add_argument(
        "paths",
        type=a_path,
        nargs="+",
        metavar="PATH",
        help="image files, or folders of them",
    )
    parser.add_argument(
        "--out",
        type=a_path,
        default=Path("scores"),
        metavar="OUT",
        help="folder for the results (default: scores)",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="replace the scores in OUT, even if another model or other options gave them",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="number of processor threads (default: one per core)",
    )

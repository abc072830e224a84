"""Fit a detector on normal images, find the anomalies among test images, and report metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._option_names import check_options

__all__ = ["main"]

_ABOUT = """\
Fit a detector on normal images, find the anomalies among test images, and report every metric with
its 95 % interval. Anomalies are corrupted test images, or real defects if the data set has them. By
default an autoencoder is tested on MNIST, with four corruptions at four strengths each.

The folder RESULTS then contains the metrics, scores, figures and the fitted detector.
`anomalist run --model NAME --help` shows the options of another detector.

examples:
  anomalist run                            the default, about a minute on two cores
  anomalist run --quick                    the same on a tenth of the images, in seconds
  anomalist run --model lof --model.blur 1
  anomalist run --model.bottleneck 8 --seed 1
  anomalist run --corruptions stripes:lines=2,value=black gaussian_noise:sigma=0.1
  anomalist run --dataset folder:path=parts,resize=128    your own images in the folder parts
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    # A mistyped option is reported before torch is loaded, which takes seconds.
    own = ("--results", "--quick", "--save-maps", "--format")
    check_options(words, "run", ("baseline.config", "Baseline"), own, model="autoencoder")

    from anomalist import baseline
    from anomalist.cli import _options as options
    from anomalist.cli._parser import Parser, a_path

    parser = Parser("run", _ABOUT)
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder for the results (default: results)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="use fewer images and epochs, so that the run takes seconds",
    )
    parser.add_argument(
        "--save-maps",
        action="store_true",
        help="also write every pixel map to scores.npz, which becomes large",
    )
    options.add_formats(parser)
    options.add_options(parser, baseline.Baseline, words)
    arguments = parser.read(words)
    values = options.collect(arguments, baseline.Baseline)
    if arguments.quick:
        values = baseline.quick(values)
    config = baseline.Baseline(**values)
    if arguments.print_config:
        parser.print_config(arguments, config)
    baseline.run(
        config,
        arguments.results,
        save_maps=arguments.save_maps,
        quick=arguments.quick,
        formats=arguments.format,
    )

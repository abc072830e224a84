"""Fit a detector on normal images and find anomalies among test images; by default the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._option_names import check_run_options

__all__ = ["main"]

_ABOUT = """\
Fit a detector on normal images, then find the corrupted ones among test images.

examples:
  anomalist run                                   the baseline: four corruptions at four strengths
  anomalist run --quick                           the same on a tenth of the images
  anomalist run --model.bottleneck 8 --seed 1
  anomalist run --corruptions stripes:lines=2,value=black gaussian_noise:sigma=0.1
  anomalist run --dataset folder:path=parts,resize=128    your own images, including defects
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    # A mistyped option is answered before torch is loaded, which takes seconds.
    check_run_options(words, ("--results", "--quick", "--save-maps"))

    from anomalist import baseline
    from anomalist.cli import _options as options

    parser = options.Parser("run", _ABOUT)
    parser.add_argument(
        "--results",
        type=options.a_path,
        default=Path("results"),
        help="folder to write to (default: results)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a run that takes seconds: fewer images and epochs"
    )
    parser.add_argument(
        "--save-maps", action="store_true", help="also keep every pixel map in scores.npz (large)"
    )
    options.add_options(parser, baseline.Baseline, words)
    arguments = parser.read(words)
    values = options.collect(arguments, baseline.Baseline)
    if arguments.quick:
        values = baseline.quick(values)
    baseline.run(
        baseline.Baseline(**values),
        arguments.results,
        save_maps=arguments.save_maps,
        quick=arguments.quick,
    )

"""Fit and calibrate a model on a folder of normal images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomalist.cli._option_names import check_options

__all__ = ["main"]

_ABOUT = """\
Fit a detector on normal images and set its threshold for a false-alarm rate that you choose. The
model scores new images and locates anomalies in them. No anomalous image is needed.

DIR is any folder of normal images, or a folder in the MVTec AD layout, of which only train/good is
used. The folder MODEL contains everything that `anomalist score` needs: the detector, how files are
read, and the calibration. `anomalist fit DIR --model NAME --help` shows the options of a detector.

examples:
  anomalist fit parts --out model
  anomalist fit parts --out model --model patch_memory --resize 320 --false-alarms 0.02
  anomalist fit line --good ok --bad nok --out model       which folders inside `line` are normal
  anomalist fit --good photos/ok --out model               one folder of only normal images
  anomalist fit --good day1/ok day2/ok --bad day1/nok      folders anywhere
  anomalist fit scans --out model --tile 256               small defects in large images
  anomalist fit parts --out model --config fit.yaml        options from a file
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    # A mistyped option is reported before torch is loaded, which takes seconds.
    check_options(words, "fit", ("deployment.config", "FitConfig"), ("--out",))

    from anomalist import deployment
    from anomalist.cli import _options as options
    from anomalist.cli._parser import Parser, a_path

    parser = Parser("fit", _ABOUT)
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="folder of images (the option --path in a file)"
    )
    parser.add_argument(
        "--out",
        type=a_path,
        default=Path("model"),
        metavar="MODEL",
        help="folder of the model (default: model)",
    )
    options.add_options(parser, deployment.FitConfig, words)
    arguments = parser.read(words)
    values = options.collect(arguments, deployment.FitConfig)
    if arguments.folder is not None:
        values["path"] = arguments.folder
    config = deployment.FitConfig(**_with_folder(values))
    arguments.folder = None  # it is the option path now
    if arguments.print_config:
        parser.print_config(arguments, config)
    deployment.fit(config, arguments.out)


def _with_folder(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options; good and bad folders anywhere may take the place of DIR."""
    from anomalist.core.errors import InputError

    if values.get("path"):
        return values
    good = [str(name) for name in values.get("good") or ()]
    bad = [str(name) for name in values.get("bad") or ()]
    if not good:
        raise InputError("anomalist fit needs a folder of images: anomalist fit DIR --out MODEL")
    if len(good) == 1 and not bad:
        return {**values, "path": good[0], "good": (".",)}
    shared = os.path.commonpath([os.path.abspath(name) for name in (*good, *bad)])  # noqa: PTH100
    inside = {
        kind: tuple(os.path.relpath(name, shared) for name in names)
        for kind, names in (("good", good), ("bad", bad))
    }
    return {**values, **inside, "path": shared}

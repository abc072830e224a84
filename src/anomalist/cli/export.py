"""Export a fitted model as an ONNX file, which needs neither torch nor other files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

_ABOUT = """\
Export a model of `anomalist fit` as one ONNX file. It takes images as they are read from files,
[n, C, H, W], usually uint8, and returns score, p_value, decision and map. The threshold is an
input whose default is the calibrated one.

`anomalist score FILE.onnx` gives the same results as the model, up to rounding, without torch.
Other runtimes, such as OpenVINO, can use the file too.

examples:
  anomalist export model
  anomalist export model --format onnx --out model.onnx
  anomalist score model.onnx new/ --out results
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from anomalist.cli._parser import Parser, a_path
    from anomalist.deployment.onnx_export import export_onnx
    from anomalist.deployment.storage import load

    parser = Parser("export", _ABOUT)
    parser.add_argument("model", type=a_path, metavar="MODEL", help="folder of a model")
    parser.add_argument(
        "--format", choices=("onnx",), default="onnx", help="format of the file (default: onnx)"
    )
    parser.add_argument(
        "--out",
        type=a_path,
        metavar="FILE",
        help="file to write (default: the name of the model's folder with the ending .onnx)",
    )
    arguments = parser.read(words)
    path = arguments.out or Path(f"{arguments.model.resolve().name}.onnx")
    export_onnx(load(arguments.model), path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")

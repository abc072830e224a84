"""Describe a fitted model: what it is, how it was trained and calibrated, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]

_ABOUT = """\
Describe a model of `anomalist fit`, or an exported .onnx file: the detector, the images that it was
trained on, how it reads files, its calibration, its costs, and the versions of the packages.

examples:
  anomalist inspect model
  anomalist inspect model --json > model-description.json
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from anomalist.cli._parser import Parser, a_path
    from anomalist.deployment.messages import description_lines
    from anomalist.deployment.storage import load

    parser = Parser("inspect", _ABOUT)
    parser.add_argument(
        "model", type=a_path, metavar="MODEL", help="folder of a model or of a run, or .onnx file"
    )
    parser.add_argument("--json", action="store_true", help="print the description as JSON")
    arguments = parser.read(words)
    model = load(arguments.model)
    if arguments.json:
        print(model.description.model_dump_json(indent=2))
        return
    print(f"{arguments.model}: {model.description.detector.partition(':')[0]}")
    for line in description_lines(model):
        print(line)

"""Serve a model: score uploads over HTTP, and a page to drop images on."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from anomalist.core.errors import InputError

__all__ = ["main"]

_NEEDED = ("fastapi", "uvicorn", "multipart", "prometheus_client", "swagger_ui_bundle")
_ABOUT = """\
Serve a model of `anomalist fit`, an exported .onnx file, or the results of `anomalist run`.

The page at / scores images that you drop, paste or take with a camera, and draws heatmaps. With the
results of a run, it also has a playground: corrupt a test image and watch its reconstruction, its
error map and its score. Programs send images to POST /score. /docs describes the HTTP API, /metrics
has metrics for Prometheus, and /health says whether the service accepts images.

By default only this machine can connect. With another --host, requests need the token in the
environment variable ANOMALIST_TOKEN. --insecure serves without a token.

examples:
  anomalist serve model                         then open http://127.0.0.1:8000
  anomalist serve results                       the playground of `anomalist run`
  anomalist serve model --playground results    both
  anomalist serve model --host 0.0.0.0 --port 80
  curl -F files=@part.png http://127.0.0.1:8000/score
  curl -H "Accept: image/png" --data-binary @part.png http://127.0.0.1:8000/score > heatmap.png
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"anomalist serve needs {missing[0]}: pip install 'anomalist[serve]'")

    from anomalist.cli import _options as options
    from anomalist.cli._parser import Parser, a_path
    from anomalist.service.config import ServeConfig

    parser = Parser("serve", _ABOUT)
    parser.add_argument(
        "model",
        type=a_path,
        metavar="MODEL",
        help="folder of a model or of a run, or .onnx file",
    )
    parser.add_argument(
        "--playground",
        type=a_path,
        metavar="RUN",
        help="results of `anomalist run`, whose test images the page corrupts (default: MODEL, if "
        "it is a run)",
    )
    options.add_options(parser, ServeConfig, words, flags=("insecure",))
    arguments = parser.read(words)
    config = ServeConfig(**options.collect(arguments, ServeConfig))
    if arguments.print_config:
        parser.print_config(arguments, config)

    from anomalist.service.running import serve

    serve(arguments.model, config, arguments.playground)

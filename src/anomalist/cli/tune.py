"""Measure which settings train the autoencoder fastest on this processor, for `run` to use."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]

_ABOUT = """\
Measure how fast the reference autoencoder trains on this processor, in float32 and bfloat16, with
channels first and last. It trains on images of 28 x 28 in two batch sizes and on images of
256 x 256. This takes about two minutes. `anomalist run` then uses the fastest settings.
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from tabulate import tabulate

    from anomalist.baseline import settings
    from anomalist.cli._options import Parser

    parser = Parser("tune", _ABOUT)
    parser.add_argument("--threads", type=int, help="processor threads (default: one per core)")
    arguments = parser.read(words)
    speeds = settings.measure(arguments.threads)
    lines = []
    for group in (settings.SMALL, settings.LARGE):
        for one in group:
            rate = speeds[one.label]
            ratio = rate / speeds[group[0].label]
            lines.append(
                [one.label, f"{rate:,.0f}", f"{ratio:.2f}", f"{ratio / one.epoch_share:.2f}"]
            )
    head = ["settings", "images/s", "speed", "speed of a fit"]
    print(tabulate(lines, head, disable_numparse=True, colalign=("left", *("right",) * 3)))
    print("speed 1.00 is the reference: float32, channels first, batches of 128 for small images")
    print("speed of a fit counts that larger batches take fewer epochs")
    print(f"kept in {settings.table_path()}")

"""Measure which training settings of the autoencoder are fastest on this processor."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]

_ABOUT = """\
Measure which training settings of the autoencoder are fastest on this processor. `anomalist run`
then uses them. This takes about two minutes.

The settings differ in precision (float32 or bfloat16), memory format (channels first or last) and
batch size. They are measured on images of 28 x 28 and of 256 x 256 pixels.

examples:
  anomalist tune
  anomalist tune --threads 2                for runs with --threads 2
"""


def main(words: Sequence[str]) -> None:
    """Run the command."""
    from tabulate import tabulate

    from anomalist.baseline import settings
    from anomalist.cli._parser import Parser

    parser = Parser("tune", _ABOUT)
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="number of processor threads (default: one per core)",
    )
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
    print("speed of a fit takes into account that larger batches need fewer epochs")
    print(f"saved to {settings.table_path()}")

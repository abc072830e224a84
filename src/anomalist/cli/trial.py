"""Show the stored result of one trial, or run the trial again and compare the results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._parser import Parser, a_path
from anomalist.core.errors import InputError

__all__ = ["main"]

_ABOUT = """\
Show the stored result of one trial, or run the trial again and compare the results. A trial is one
detector that is fitted and evaluated on one task with one seed. Its name is that of its file in
RESULTS/trials, where `anomalist study` and `anomalist benchmark` write it.

examples:
  anomalist trial 3f2a                  the trial whose name begins with 3f2a
  anomalist trial 3f2a --rerun
"""


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if a second run of the trial gives another result."""
    parser = Parser("trial", _ABOUT)
    parser.add_argument("key", help="name of the trial, or its first characters")
    parser.add_argument(
        "--rerun",
        action="store_true",
        help="fit and evaluate the detector again, and compare with the stored result",
    )
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder of the results (default: results)",
    )
    arguments = parser.read(words)

    from anomalist.running.store import Store

    store = Store(arguments.results / "trials")
    row = store.row(store.find(arguments.key))
    if row is None:
        raise InputError(
            f"trial {arguments.key!r} is damaged and was set aside; run its study again"
        )
    print(json.dumps(row, indent=2))
    if not arguments.rerun:
        return 0

    from anomalist.trial import Trial, run_together

    again, _ = next(run_together([Trial(**row["config"])]))
    parts = ("trial", "metrics", "facts")
    new = json.loads(json.dumps({name: again[name] for name in parts}))
    is_same = new == {name: row[name] for name in parts}
    print("the same, to the last digit" if is_same else f"different: {json.dumps(new['metrics'])}")
    return 0 if is_same else 1

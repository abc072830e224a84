"""Show one trial of a study, or run it again and say whether the result is the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from anomalist.cli._options import Parser, a_path
from anomalist.core.errors import InputError

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Run the command; return 1 if the trial, run again, gives another result."""
    parser = Parser("trial", "Show one trial, or run it again and compare the results.")
    parser.add_argument("key", help="the trial's name, or the beginning of it")
    parser.add_argument("--rerun", action="store_true", help="fit and evaluate again, and compare")
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder of the study (default: results)",
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

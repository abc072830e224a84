"""Where trials run: the options that `study` and `benchmark` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anomalist.errors import InputError
from anomalist.options import Parser, a_path
from anomalist.studies import executors

__all__ = ["add_execution", "execution"]


def add_execution(parser: Parser) -> None:
    """Add the options."""
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder to write to (default: results)",
    )
    parser.add_argument(
        "--executor", choices=executors.EXECUTORS, default="local", help="where trials run"
    )
    parser.add_argument("--address", help="of the cluster; by default one is started here")
    parser.add_argument("--workers", type=int, help="trials at once (default: one a core)")
    parser.add_argument(
        "--no-shared-folder", action="store_true", help="workers do not see the results folder"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="run trials again that failed before"
    )


def execution(found: argparse.Namespace) -> dict[str, Any]:
    """Return what was given as :func:`anomalist.studies.runner.run_trials` takes it.

    Raises:
        InputError: fewer than one seed.
    """
    if found.seeds is not None and found.seeds < 1:
        raise InputError(f"--seeds takes 1 or more, got {found.seeds}")
    names = ("executor", "address", "workers", "retry_failed")
    return {name: getattr(found, name) for name in names} | {"shared": not found.no_shared_folder}

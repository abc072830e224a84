"""Where trials run: the options that ``study`` and ``benchmark`` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anomalist.cli._options import Parser, a_path
from anomalist.core.errors import InputError
from anomalist.running import executors

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
        "--executor",
        choices=executors.EXECUTORS,
        default="local",
        help="where trials run",
    )
    parser.add_argument("--address", help="cluster address; by default one is started here")
    parser.add_argument("--workers", type=int, help="trials at once (default: one per core)")
    parser.add_argument(
        "--no-shared-folder", action="store_true", help="workers do not see the results folder"
    )
    parser.add_argument("--retry-failed", action="store_true", help="run failed trials again")


def execution(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was given as :func:`anomalist.running.runner.run_trials` takes it.

    Raises:
        InputError: fewer than one seed.
    """
    if arguments.seeds is not None and arguments.seeds < 1:
        raise InputError(f"--seeds takes 1 or more, got {arguments.seeds}")
    return {
        "executor": arguments.executor,
        "address": arguments.address,
        "workers": arguments.workers,
        "retry_failed": arguments.retry_failed,
        "shared": not arguments.no_shared_folder,
    }

"""Execution options of ``study`` and ``benchmark``: where trials run, and how many at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anomalist.cli._options import add_formats
from anomalist.cli._parser import Parser, a_path
from anomalist.core.errors import InputError
from anomalist.running import executors

__all__ = ["add_execution", "execution"]


def add_execution(parser: Parser) -> None:
    """Add the options to a parser."""
    parser.add_argument(
        "--results",
        type=a_path,
        default=Path("results"),
        help="folder for the results (default: results)",
    )
    add_formats(parser)
    parser.add_argument(
        "--executor",
        choices=executors.EXECUTORS,
        default="local",
        help="run trials on this machine (local), or on a Dask or Ray cluster (default: local)",
    )
    parser.add_argument(
        "--address",
        help="address of a running Dask or Ray cluster; by default a cluster is started on this "
        "machine",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of worker processes (default: one per core)",
    )
    parser.add_argument(
        "--no-shared-folder",
        action="store_true",
        help="for clusters whose workers cannot access the results folder: they send their results "
        "back",
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="run trials that failed before again; by default they stay failed",
    )


def execution(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given options as arguments of :func:`anomalist.running.runner.run_trials`.

    Raises:
        InputError: the number of seeds is below 1.
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

"""Executors: apply one function to many items, here or on a cluster; yield results as they finish.

joblib runs processes on this machine and on a Dask cluster. Ray's joblib backend cannot return
results as they finish, so Ray is used directly.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import Any, Literal, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from anomalist.core.errors import InputError

__all__ = ["EXECUTORS", "Lost", "execute"]

Executor = Literal["local", "dask", "ray"]
Item = TypeVar("Item")
Result = TypeVar("Result")
EXECUTORS: tuple[Executor, ...] = ("local", "dask", "ray")


class Lost(Exception):  # noqa: N818
    """A worker died; its work must be assigned again."""


def execute(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    executor: Executor = "local",
    address: str | None = None,
    workers: int | None = None,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in the order of completion.

    Args:
        function: picklable; called in worker processes.
        items: picklable.
        executor: ``"local"`` (this machine's processes), ``"dask"`` or ``"ray"``.
        address: the cluster's address: ``tcp://…`` for Dask, the argument of ``ray.init`` for Ray;
            None starts a local cluster.
        workers: number of workers; None: one per core. A single local worker runs in this process.

    Raises:
        Lost: a local worker died. Dask and Ray reassign the work of dead workers themselves.
        InputError: the executor is not installed.
    """
    count = workers or os.cpu_count() or 1
    if executor == "ray":
        yield from _ray(function, items, address, count)
        return
    if executor == "local" and count == 1:
        yield from map(function, items)
        return
    with ExitStack() as stack:
        if executor == "dask":
            _enter_dask(stack, address, count)
            stack.enter_context(parallel_config(backend="dask"))
        else:  # one thread per worker, because multi-threaded processes slow each other down
            stack.enter_context(parallel_config(backend="loky", inner_max_num_threads=1))
            function = partial(_attended, function, os.getpid())
        jobs = Parallel(
            n_jobs=-1 if address else count,
            return_as="generator_unordered",
            batch_size=1,
        )
        try:
            yield from jobs(delayed(function)(item) for item in items)
        except TerminatedWorkerError as error:
            raise Lost(str(error)) from None


def _attended(
    function: Callable[[Item], Result],
    driver: int,
    item: Item,
) -> Result:
    """Call ``function`` in a worker that exits when its driver has ended for any reason."""
    _watch(driver)
    return function(item)


@cache
def _watch(driver: int) -> None:
    def end_with_driver() -> None:
        while os.getppid() == driver:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=end_with_driver, daemon=True).start()


def _enter_dask(stack: ExitStack, address: str | None, workers: int) -> None:
    """Connect to a scheduler, or start a local one with workers, until the stack is closed."""
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError:
        raise InputError(
            "executor 'dask' is not installed: pip install 'anomalist[dask]'"
        ) from None
    if not address:
        address = stack.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.ERROR,
            )
        )
    try:
        stack.enter_context(Client(address, timeout="10s"))
    except OSError:
        raise InputError(
            f"no Dask scheduler answers at {address}; start one, or omit --address"
        ) from None


def _ray(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    address: str | None,
    workers: int,
) -> Iterator[Result]:
    try:
        import ray
    except ImportError:
        raise InputError("executor 'ray' is not installed: pip install 'anomalist[ray]'") from None
    sizes: dict[str, Any] = (
        {"address": address} if address else {"num_cpus": workers, "include_dashboard": False}
    )
    with ray.init(
        log_to_driver=False,
        ignore_reinit_error=True,
        **sizes,
    ):
        remote = ray.remote(max_retries=3)(function)
        waiting = [remote.remote(item) for item in items]
        while waiting:
            done, waiting = ray.wait(waiting)
            yield ray.get(done[0])

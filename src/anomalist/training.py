"""The optimisation loop: every detector that learns by gradient descent uses it, once per stage.

The data are one tensor on the device, indexed by a permutation in each epoch, without a data
loader. The same seed, device, precision and thread count give the same weights.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from anomalist.core.console import due, is_live
from anomalist.core.devices import resolve
from anomalist.core.errors import InputError
from anomalist.core.files import atomic_write
from anomalist.core.memory import reusing_memory
from anomalist.core.randomness import derive

__all__ = ["apply_batched", "epochs_for_steps", "seeded", "small_batches", "train"]

CHECKPOINT_SECONDS = 60.0
# Up to so many images are a batch of their own; None: every batch has the same size.
_smallest: ContextVar[int | None] = ContextVar("smallest", default=None)
_LINES = 10  # approximate number of progress lines without a terminal


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's CPU generator from (seed, purpose) within the context, then restore it.

    Enter the context before the first weight of a network is drawn. GPU generators do not change
    (``torch.manual_seed`` would seed them too), so draw on the CPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, purpose))
        yield


def epochs_for_steps(steps: int, images: int, batch_size: int) -> int:
    """Return the number of epochs, at least one, closest to ``steps`` optimiser steps."""
    steps_per_epoch = -(-images // batch_size)
    return max(1, round(steps / steps_per_epoch))


def train(
    network: nn.Module,
    loss: Callable[..., Tensor],
    images: NDArray[np.float32],
    *,
    targets: NDArray[Any] | None = None,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: str = "auto",
    precision: str = "auto",
    channels_last: bool = False,
    title: str = "training",
    checkpoint: Path | None = None,
) -> list[float]:
    """Minimise ``loss`` over the network's parameters with Adam and a one-cycle schedule.

    Adam: Kingma & Ba, ICLR 2015; schedule: Smith & Topin, 2019.

    Args:
        network: the network, trained in place; afterwards it is on the CPU in evaluation mode.
        loss: maps a batch of images, float32 ``[n, C, H, W]``, and of ``targets`` if given, to a
            scalar. Its draws from torch's CPU generator, for example by ``torch.randn``, depend
            only on the seed and the step number.
        images: float32 ``[N, C, H, W]``.
        targets: a target for each image, such as its label: ``[N, …]``.
        epochs: number of epochs.
        batch_size: images per step; the last step of an epoch uses the rest.
        learning_rate: peak of the schedule, which increases over the first 30 % of steps and then
            decreases to 0.
        seed: seed of the order of the images.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"`` (autocast).
        channels_last: whether convolution weights use the channels-last memory format, which is
            faster on some processors.
        title: the first words of the progress line.
        checkpoint: a file to resume from if it exists, written once a minute. A resumed training
            gives the same weights as an uninterrupted one.

    Returns:
        the mean loss of each epoch.

    Raises:
        InputError: the loss is not finite.
    """
    where, dtype = resolve(device, precision)
    network.to(where).train()
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = [_to_device(part, where) for part in (images, targets) if part is not None]
    state = _new_state(
        network, learning_rate, epochs * -(-len(images) // batch_size), seed, checkpoint
    )
    state.restore(where)
    done = len(state.history)
    with (
        reusing_memory(),
        _Progress(title, epochs, len(images), done) as progress,
        torch.random.fork_rng(devices=[]),
    ):
        for epoch in range(done, epochs):
            total = _train_epoch(state, loss, data, epoch, batch_size, dtype, progress)
            state.history.append(total / len(images))
            progress.report(state.history)
            if not np.isfinite(state.history[-1]):
                raise InputError(
                    f"{title}: the loss is no longer finite; try a smaller learning rate"
                )
            state.save_if_due()
    network.to("cpu").eval()
    if channels_last:
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return state.history


def _train_epoch(
    state: _State,
    loss: Callable[..., Tensor],
    data: Sequence[Tensor],
    epoch: int,
    batch_size: int,
    dtype: torch.dtype,
    progress: _Progress,
) -> float:
    """Train for one epoch and return the sum of its losses."""
    count = len(data[0])
    where = data[0].device
    total = torch.zeros((), device=where)
    permutation = torch.randperm(count, generator=state.order).to(where)
    batches = torch.split(permutation, batch_size)
    for step, rows in enumerate(batches, epoch * len(batches)):
        # The loss may draw random numbers.
        torch.default_generator.manual_seed(derive(state.seed, f"step {step}"))
        with torch.autocast(where.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            value = loss(*(part[rows] for part in data))
        state.optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        state.optimiser.step()
        state.schedule.step()
        total += value.detach() * len(rows)
        progress.advance(len(rows))
    return float(total)


@contextmanager
def small_batches(size: int) -> Iterator[None]:
    """Let :func:`apply_batched` take up to ``size`` images as one batch of ``size``.

    A service that scores few images at a time is faster by far. Within the context a score may
    differ in its last digits from that of a large batch.
    """
    token = _smallest.set(size)
    try:
        yield
    finally:
        _smallest.reset(token)


@torch.inference_mode()
def apply_batched(
    function: Callable[[Tensor], Tensor],
    images: NDArray[np.float32],
    *,
    device: torch.device,
    dtype: torch.dtype,
    size: int = 256,
) -> NDArray[np.float32]:
    """Apply ``function`` to batches of exactly ``size`` images, the last one padded with zeros.

    The size is fixed, because results for batches of 1 and of 256 differ in the last bits. With a
    fixed size, convolutions, linear layers, ReLU and plain arithmetic give the same bytes for an
    image at any position in the batch. On a CPU with several threads this is not guaranteed for
    torch's elementwise sigmoid, tanh, exp, SiLU and GELU, because the end of each thread's part
    uses another code path. Do not use them in ``function``; apply them with NumPy or SciPy instead.

    Args:
        function: maps float32 ``[size, C, H, W]`` on ``device`` to ``[size, …]``.
        images: float32 ``[N, C, H, W]``.
        device: device of the function.
        dtype: torch.bfloat16 to run the function under autocast.
        size: images per batch.

    Returns:
        float32 ``[N, …]``.
    """
    smallest = _smallest.get()
    if smallest is not None and len(images) <= smallest:
        size = min(size, smallest)
    parts = []
    for first in range(0, len(images), size):
        count = min(size, len(images) - first)
        # A new array, because the caller's may be read-only or a view.
        batch = np.zeros((size, *images.shape[1:]), np.float32)
        batch[:count] = images[first : first + count]
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            output = function(torch.from_numpy(batch).to(device))
        parts.append(output[:count].float().cpu().numpy())
    return np.concatenate(parts)


def _to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)


@dataclass
class _State:
    """The complete state of a training, saved to a file once a minute."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    order: torch.Generator
    seed: int
    path: Path | None
    history: list[float] = field(default_factory=list)
    saved: float = field(default_factory=time.monotonic)

    def restore(self, device: torch.device) -> None:
        """Resume from the state in the file; a missing or damaged file is ignored."""
        if self.path is None or not self.path.is_file():
            return
        try:
            kept = torch.load(self.path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            return
        self.network.load_state_dict(kept["network"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.schedule.load_state_dict(kept["schedule"])
        self.order.set_state(kept["order"].cpu())
        self.history[:] = kept["history"]

    def save_if_due(self) -> None:
        """Write the file if the last write was at least a minute ago."""
        if self.path is None or time.monotonic() - self.saved < CHECKPOINT_SECONDS:
            return
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": self.order.get_state(),
            "history": self.history,
        }
        # torch.save rejects a path that begins with a dot, but accepts an open file.
        with atomic_write(self.path) as temporary, temporary.open("wb") as file:
            torch.save(state, file)
        self.saved = time.monotonic()


def _new_state(
    network: nn.Module,
    learning_rate: float,
    steps: int,
    seed: int,
    path: Path | None,
) -> _State:
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(derive(seed, "data order"))
    return _State(network, optimiser, schedule, order, seed, path)


class _Progress:
    """A progress bar on a terminal (epoch, loss, images/s, time left); otherwise plain lines.

    Without a terminal the first line appears after three seconds and estimates the time left. Then
    a line follows after about every tenth of the epochs, and at least every twenty seconds.
    """

    def __init__(
        self,
        title: str,
        epochs: int,
        images: int,
        first_epoch: int = 0,
    ) -> None:
        self.title = title
        self.epochs = epochs
        self.images = images
        self.first_epoch = first_epoch
        self.live = is_live()
        self.done = 0
        self.loss = ""
        self.last_line: float | None = None  # when the last line was printed, in seconds

    def __enter__(self) -> _Progress:
        self.start = time.monotonic()
        self.bar = tqdm(
            total=self.epochs * self.images,
            initial=self.first_epoch * self.images,
            desc=self.title,
            unit="image",
            unit_scale=True,
            disable=not self.live,
            leave=True,
            dynamic_ncols=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, count: int) -> None:
        """Count the images of a finished step."""
        self.done += count
        self.bar.update(count)
        if not self.live and due(time.monotonic() - self.start, self.last_line):
            self._print()

    def report(self, history: list[float]) -> None:
        """Report a finished epoch."""
        epoch = len(history)
        self.loss = f", loss {history[-1]:.5f}"
        self.bar.set_postfix_str(f"epoch {epoch}/{self.epochs}{self.loss}")
        is_tenth = epoch % max(1, self.epochs // _LINES) == 0
        if not self.live and (is_tenth or epoch == self.epochs):
            self._print()

    def _print(self) -> None:
        seconds = self.last_line = time.monotonic() - self.start
        epoch = self.first_epoch + self.done // self.images
        todo = (self.epochs - self.first_epoch) * self.images - self.done
        left = seconds / self.done * todo
        rate = self.done / max(seconds, 1e-9)
        print(
            f"{self.title}: epoch {epoch}/{self.epochs}{self.loss}, {rate:,.0f} images/s, "
            f"{left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

"""The one optimisation loop: every detector that learns by gradient calls it, once a stage.

The data are one tensor on the device, indexed by a permutation a pass; there is no loader. Same
seed, device, precision and thread count: the same weights.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from anomalist.console import due, is_live
from anomalist.errors import InputError
from anomalist.files import replacing
from anomalist.randomness import derive

__all__ = ["apply_batched", "passes", "resolve", "seeded", "train", "using_threads"]

CHECKPOINT_SECONDS = 60.0
_STEPS = 3_400  # the default length of a training: eight passes over MNIST in batches of 128


def resolve(device: str, precision: str) -> tuple[torch.device, torch.dtype]:
    """Return the device and the arithmetic that ``"auto"`` stands for on this machine.

    Raises:
        InputError: a GPU is asked for where there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device 'cuda' is not available here: use 'cpu' or 'auto'")
    where = torch.device("cuda" if available and device != "cpu" else "cpu")
    fast = precision == "bfloat16" or (precision == "auto" and where.type == "cuda")
    return where, torch.bfloat16 if fast else torch.float32


@contextmanager
def using_threads(count: int | None) -> Iterator[int]:
    """Within it torch computes on ``count`` processor threads (None: as many as before); yields the number."""
    most = 4 * (os.cpu_count() or 1)
    if count is not None and count > most:
        raise InputError(
            f"threads: {count:,} are more than this machine can use; give {most} or fewer"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield count or before
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Within it torch's CPU generator starts from (seed, purpose); afterwards it is as it was before.

    GPU generators are not touched (``torch.manual_seed`` would seed them too): draw on the CPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, purpose))
        yield


def passes(images: int, batch_size: int, steps: int | None = None) -> int:
    """Return how many passes over so many images make about ``steps`` steps, by default 3,400; at least one."""
    return max(1, round((steps or _STEPS) / -(-images // batch_size)))


def train(
    network: nn.Module,
    loss: Callable[..., Tensor],
    images: NDArray[np.float32],
    *,
    targets: NDArray[Any] | None = None,
    epochs: int | None,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: str = "auto",
    precision: str = "auto",
    title: str = "training",
    checkpoint: Path | None = None,
) -> list[float]:
    """Minimise ``loss`` over the network's parameters with Adam (Kingma & Ba, 2015) and a one-cycle schedule.

    Args:
        network: what is trained, in place; it ends on the CPU, in evaluation mode.
        loss: a batch of images, float32 ``[n, C, H, W]``, and of ``targets`` where they are given,
            to a scalar. What it draws from torch's CPU generator, with ``torch.randn(…)`` and the
            like, depends on the seed and the number of the step alone.
        images: float32 ``[N, C, H, W]``.
        targets: what belongs to each image, such as its label: ``[N, …]``.
        epochs: passes over the images; None: as many as make about 3,400 steps, since a small set
            needs more.
        batch_size: images a step; the last step of a pass takes what is left.
        learning_rate: the schedule's peak (Smith & Topin, 2019): up over the first 30 % of steps,
            then down to 0.
        seed: governs the order of the images.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"`` (autocast).
        title: what the progress line is headed with.
        checkpoint: a file to go on from if it is there, and to write once a minute; a training that
            went on from it ends with the very weights of one that was never stopped.

    Returns:
        the mean loss of each epoch.

    Raises:
        InputError: the loss is no longer finite.
    """
    where, dtype = resolve(device, precision)
    network.to(where).train()
    given = [_onto(where, part) for part in (images, targets) if part is not None]
    steps = -(-len(images) // batch_size)
    epochs = epochs or passes(len(images), batch_size)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * steps, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(derive(seed, "data order"))
    history: list[float] = []
    state = _State(network, optimiser, schedule, order, history, checkpoint)
    state.restore(where)
    with (
        _Progress(title, epochs, len(images), done=len(history)) as progress,
        torch.random.fork_rng(devices=[]),
    ):
        for epoch in range(len(history), epochs):
            total = torch.zeros((), device=where)
            batches = torch.split(
                torch.randperm(len(images), generator=order).to(where), batch_size
            )
            for step, rows in enumerate(batches, epoch * steps):
                torch.default_generator.manual_seed(
                    derive(seed, f"step {step}")
                )  # the loss may draw: see seeded
                with torch.autocast(where.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
                    value = loss(*(part[rows] for part in given))
                optimiser.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                total += value.detach() * len(rows)
                progress.advance(len(rows))
            history.append(float(total) / len(images))
            progress.report(history)
            if not np.isfinite(history[-1]):
                raise InputError(
                    f"{title}: the loss is no longer finite; try a smaller learning rate"
                )
            state.save_if_due()
    network.to("cpu").eval()
    return history


def _onto(where: torch.device, array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(where)


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

    One fixed size, since the arithmetic of a batch of 1 and of 256 differs in the last bits.
    Convolutions, linear layers, ReLU and plain arithmetic then give an image the same bytes
    wherever it lies in the batch. On a CPU with several threads torch's elementwise sigmoid, tanh,
    exp, SiLU or GELU need not: the end of each thread's share takes another code path. Leave them
    out of ``function``, or apply them with NumPy or SciPy.

    Args:
        function: float32 ``[size, C, H, W]`` on ``device`` to ``[size, …]``.
        images: float32 ``[N, C, H, W]``.
        device: where the function runs.
        dtype: torch.bfloat16 to run it under autocast.
        size: images a batch.

    Returns:
        float32 ``[N, …]``.
    """
    parts = []
    for first in range(0, len(images), size):
        count = min(size, len(images) - first)
        batch = np.zeros(
            (size, *images.shape[1:]), np.float32
        )  # our own: the caller's may be read-only or a view
        batch[:count] = images[first : first + count]
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            result = function(torch.from_numpy(batch).to(device))
        parts.append(result[:count].float().cpu().numpy())
    return np.concatenate(parts)


@dataclass
class _State:
    """All that the next epoch depends on, kept in a file now and then."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    order: torch.Generator
    history: list[float]
    path: Path | None
    saved: float = field(default_factory=time.monotonic)

    def restore(self, where: torch.device) -> None:
        if self.path is None or not self.path.is_file():
            return
        try:
            kept = torch.load(self.path, map_location=where, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            return  # damaged: start anew
        self.network.load_state_dict(kept["network"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.schedule.load_state_dict(kept["schedule"])
        self.order.set_state(kept["order"].cpu())
        self.history[:] = kept["history"]

    def save_if_due(self) -> None:
        if self.path is None or time.monotonic() - self.saved < CHECKPOINT_SECONDS:
            return
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": self.order.get_state(),
            "history": self.history,
        }
        with (
            replacing(self.path) as temporary,
            temporary.open("wb") as file,
        ):  # torch takes no file named .name-x
            torch.save(state, file)
        self.saved = time.monotonic()


class _Progress:
    """A live line on a terminal (epoch, loss, images/s, time left); elsewhere plain lines.

    Without a terminal the first line comes after three seconds and says how long it will take; then
    there is one for about every tenth of the epochs, and at least one every twenty seconds.
    """

    def __init__(self, title: str, epochs: int, images: int, done: int = 0) -> None:
        self.title, self.epochs, self.images, self.first = title, epochs, images, done
        self.live = is_live()
        self.done, self.loss = 0, ""
        self.said: float | None = None

    def __enter__(self) -> _Progress:
        self.start = time.monotonic()
        self.bar = tqdm(
            total=self.epochs * self.images,
            initial=self.first * self.images,
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
        """Count images of a step that is done."""
        self.done += count
        self.bar.update(count)
        if not self.live and due(time.monotonic() - self.start, self.said):
            self._print()

    def report(self, history: list[float]) -> None:
        """Tell of an epoch that is done."""
        epoch = len(history)
        self.loss = f", loss {history[-1]:.5f}"
        self.bar.set_postfix_str(f"epoch {epoch}/{self.epochs}{self.loss}")
        if not self.live and (epoch % max(1, self.epochs // 10) == 0 or epoch == self.epochs):
            self._print()

    def _print(self) -> None:
        seconds = self.said = time.monotonic() - self.start
        epoch = self.first + self.done // self.images
        left = seconds / self.done * ((self.epochs - self.first) * self.images - self.done)
        print(
            f"{self.title}: epoch {epoch}/{self.epochs}{self.loss}, "
            f"{self.done / max(seconds, 1e-9):,.0f} images/s, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

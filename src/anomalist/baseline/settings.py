"""Training settings of the reference autoencoder: choose those that are fastest on this processor.

Some processors train twice as fast in bfloat16 as in float32, others are slower. Memory format and
batch size matter too. ``anomalist tune`` measures all settings on this processor and saves their
speeds in a table; ``anomalist run`` uses the fastest. The package contains a table for the
processors that we measured. On other processors, and in studies, the autoencoder uses its defaults,
the reference settings.

``benchmarks/training_quality.py`` compares the quality of bfloat16 and channels last with that of
the reference: loss and AUROC on held-out training images of MNIST over ten seeds.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pooch
from numpy.typing import NDArray

from anomalist.core.console import track
from anomalist.core.devices import processor_features, resolve, using_threads
from anomalist.core.environment import processor
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder, write_json
from anomalist.core.randomness import uniform
from anomalist.models import Detector
from anomalist.models.autoencoder import Autoencoder

__all__ = [
    "LARGE",
    "SMALL",
    "Settings",
    "fastest",
    "key",
    "measure",
    "table_path",
    "with_settings",
]

_TABLE = "training_speeds.json"
_FEWEST_IMAGES = 20_000  # of small size: equal quality was measured with 54,000
_LARGEST_SIDE = 64  # of small images: the batch size of larger ones depends on their size
_MEASURED = {28: 12_800, 256: 64}  # images of one measured epoch, by their side
_REPEATS = 3


@dataclass(frozen=True)
class Settings:
    """How the reference autoencoder is trained.

    Attributes:
        batch_size: images per step; None: depends on the image size.
        learning_rate: peak of the schedule.
        epoch_share: number of epochs, as a fraction of the reference's.
        training_precision: ``"float32"`` or ``"bfloat16"``.
        channels_last: whether weights and images use the channels-last memory format.
    """

    batch_size: int | None
    learning_rate: float
    epoch_share: float
    training_precision: Literal["float32", "bfloat16"]
    channels_last: bool

    @property
    def label(self) -> str:
        """Description of the settings; the table of speeds uses it as key."""
        layout = "channels last" if self.channels_last else "channels first"
        batch = f"batches of {self.batch_size}" if self.batch_size else "large images"
        return f"{self.training_precision}, {layout}, {batch}"


# The first entry of each tuple is the reference. benchmarks/training_quality.py compares the
# quality of the settings for small images. Those for large images differ only in precision and
# memory format, which had no effect on the quality of small images.
SMALL = (
    Settings(128, 3e-3, 1.0, "float32", channels_last=False),
    Settings(128, 3e-3, 1.0, "bfloat16", channels_last=True),
    Settings(256, 8e-3, 5 / 8, "bfloat16", channels_last=True),
)
LARGE = (
    Settings(None, 3e-3, 1.0, "float32", channels_last=False),
    Settings(None, 3e-3, 1.0, "bfloat16", channels_last=True),
)
_PACKAGED = Path(__file__).with_name(_TABLE)
# Options of training: if the user sets one of them, all settings stay as they are.
_TRAINING_OPTIONS = {
    *("batch_size", "learning_rate", "training_precision", "channels_last"),
    *("architecture", "loss", "discard", "denoise"),
}


def key(threads: int) -> str:
    """Return the name of this processor in the table, with the number of threads."""
    return f"{processor()}, {processor_features()}, {threads} threads"


def table_path() -> Path:
    """Return the path of the table of ``anomalist tune``, in the user's cache folder."""
    return Path(pooch.os_cache("anomalist")) / _TABLE


def fastest(
    model: Detector,
    images: NDArray[np.float32],
    threads: int,
    device: str,
) -> tuple[Detector, str] | None:
    """Return the model with the fastest settings, and a line that describes them.

    Args:
        model: not yet fitted.
        images: the training images, float32 ``[N, C, H, W]``.
        threads: processor threads.
        device: device of the training.

    Returns:
        the model and the line, or None if the model keeps its settings. It keeps them if it is not
        an autoencoder, if it trains on a GPU, if the user chose a setting, if this processor was
        not measured, if no settings are faster, or if the training images are small and so few that
        the quality is unknown.
    """
    if not isinstance(model, Autoencoder) or model.model_fields_set & _TRAINING_OPTIONS:
        return None
    is_large = max(images.shape[2:]) > _LARGEST_SIDE
    is_known = is_large or len(images) >= _FEWEST_IMAGES
    if not is_known or resolve(device, "float32")[0].type != "cpu":
        return None
    group: tuple[Settings, ...] = LARGE if is_large else SMALL
    if model.epochs is not None:  # then larger batches do not need fewer
        group = tuple(replace(one, epoch_share=1.0) for one in group)
    reference, *others = group
    speeds = {**_read(_PACKAGED), **_read(table_path())}.get(key(threads), {})
    if reference.label not in speeds:
        return None
    measured = [reference, *(one for one in others if one.label in speeds)]
    best = min(measured, key=lambda one: one.epoch_share / speeds[one.label])
    if best == reference:
        return None
    ratio = speeds[best.label] / speeds[reference.label] / best.epoch_share
    epochs = model.usual_epochs(images)
    line = (
        f"training settings: {best.label}, {ratio:.1f} times as fast on this processor as the "
        "reference settings (choose these with --settings reference)"
    )
    return with_settings(model, best, epochs), line


def measure(threads: int | None = None) -> dict[str, float]:
    """Measure the speed of all settings, in turns, and save the table.

    Args:
        threads: processor threads; None: the number that torch uses.

    Returns:
        images per second, by label.

    Raises:
        InputError: fewer than one thread, too many, or a folder that cannot be written to.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads: {threads} is below 1")
    make_folder(table_path().parent, "cache folder")
    speeds = {}
    with using_threads(threads) as count:
        for side, group in ((28, SMALL), (256, LARGE)):
            images = uniform(0, "tune", np.arange(_MEASURED[side]), side * side)
            shaped = images.reshape(-1, 1, side, side)
            speeds.update(_measure_group(shaped, group))
        name = key(count)
    write_json(table_path(), {**_read(table_path()), name: speeds})
    return speeds


def _measure_group(images: NDArray[np.float32], group: tuple[Settings, ...]) -> dict[str, float]:
    """Return the median images per second of each setting, by label."""
    seconds: dict[str, list[float]] = {one.label: [] for one in group}
    turns = [one for _ in range(1 + _REPEATS) for one in group]
    for one in track(turns, f"tune: images of {images.shape[-1]} pixels"):
        model = with_settings(Autoencoder(epochs=1, device="cpu"), one, 1)
        start = time.perf_counter()
        model.fit(images)
        seconds[one.label].append(time.perf_counter() - start)
    # The first turn warms up.
    rates = {label: len(images) / statistics.median(times[1:]) for label, times in seconds.items()}
    return {label: round(rate, 1) for label, rate in rates.items()}


def with_settings(model: Autoencoder, settings: Settings, epochs: int) -> Autoencoder:
    """Return the model with the settings.

    Args:
        model: not yet fitted. If its number of epochs is set, it does not change.
        settings: how to train it.
        epochs: number of epochs with the reference settings.
    """
    update = asdict(settings)
    epoch_share = update.pop("epoch_share")
    update["epochs"] = model.epochs or max(1, round(epoch_share * epochs))
    return model.model_copy(update=update)


def _read(path: Path) -> dict[str, dict[str, float]]:
    """Return a table, images per second by processor and label; empty if absent or damaged."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    tables = table.items() if isinstance(table, dict) else ()
    return {name: _positive(speeds) for name, speeds in tables if isinstance(speeds, dict)}


def _positive(speeds: dict[str, Any]) -> dict[str, float]:
    """Return the speeds that are finite numbers above 0."""
    numbers = {label: rate for label, rate in speeds.items() if isinstance(rate, int | float)}
    return {label: rate for label, rate in numbers.items() if 0 < rate < math.inf}

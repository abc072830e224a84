"""Grid: a base trial, axes to vary and seeds make a list of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from anomalist import catalog, dataset
from anomalist.config import Config
from anomalist.detector import RUN_FIELDS, Detector
from anomalist.errors import InputError, unknown
from anomalist.task import TaskConfig
from anomalist.trial import Trial

__all__ = ["grid", "parse_axes", "parse_axis", "with_values"]

_SHOWN = 5  # faults that are said in full


def grid(base: Trial, axes: Mapping[str, Sequence[Any]], seeds: int) -> list[Trial]:
    """Return a trial for every combination of the axes' values and every seed 0, 1, …, ``seeds - 1``.

    Args:
        base: what all trials share.
        axes: values by the path of an option:
            ``{"model.bottleneck": [2, 4], "task.contamination": [0, 0.05]}``.
        seeds: how many.

    Raises:
        InputError: a path that no option has (the nearest ones are named), a value that it does not
            take, or a data set that is not here; all that is wrong is said in one line.
    """
    points = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    trials: list[Trial] = []
    faults: dict[str, None] = {}  # a set that keeps the order
    for point in points:
        try:
            base_of_point = with_values(base, point)
            _check_data(base_of_point)
            trials += [with_values(base, {**point, "seed": seed}) for seed in range(seeds)]
        except InputError as error:
            faults[str(error)] = None
    if faults:
        shown = list(faults)[:_SHOWN]
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise InputError("; ".join(shown) + more)
    return trials


def _check_data(trial: Trial) -> None:
    """Raise InputError where a data set does not exist, or is neither here nor can be fetched; nothing is read."""
    for spec in trial.task.sources:
        status = dataset.parse(spec).status()
        if status.state == "put here":
            raise InputError(f"the data set {spec} is not here: {status.detail}")


def with_values(base: Trial, values: Mapping[str, Any]) -> Trial:
    """Return ``base`` with the options at some paths changed; of a user's own files all are taken unless sizes say so.

    Raises:
        InputError: as for :func:`grid`.
    """
    dump = base.model_dump(mode="json")
    if (model := values.get("model")) is not None:  # another detector: its own defaults
        dump["model"] = {"name": model}
    if (kind := values.get("task.kind")) is not None and kind != base.task.name:
        dump["task"] = {
            name: value for name, value in dump["task"].items() if name in TaskConfig.model_fields
        } | {"kind": kind}
    if (data := values.get("task.dataset")) is not None and dataset.parse(data).own:
        dump["task"] |= {
            "train": None,
            "test": None,
        }  # all that there is: the sizes of a study are those of MNIST
    valid = _paths(Trial(**dump))  # of the detector and the task that the values choose
    for path, value in values.items():
        if path not in valid:
            raise unknown("option", path, valid)
        part, _, name = path.partition(".")
        if name:
            dump[part][name] = value
        elif path != "model":
            dump[part] = value
    return Trial(**dump)


def parse_axis(text: str) -> tuple[str, list[str]]:
    """Return the path and the values of ``"model.bottleneck=2,4,8"``.

    Values are parted by commas, or by ``;`` where there is one; parentheses keep a value together,
    as in ``"task.dataset=(folder:path=parts,resize=32),digits"``.

    Raises:
        InputError: there is no ``=``, no value, or a parenthesis that is not closed.
    """
    path, sign, values = text.partition("=")
    parts = catalog.split(values, ";")
    if len(parts) < 2:
        parts = catalog.split(values, ",")
    if not sign or not parts:
        raise InputError(
            f"--vary {text!r}: write it as option=value,value, e.g. model.bottleneck=2,4,8"
        )
    return path.strip(), [catalog.bare(part) for part in parts]


def parse_axes(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the values by path of several axes, each as :func:`parse_axis` reads it.

    Raises:
        InputError: as there; or an axis or a value is given twice, or the seed, which has an option
            of its own.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        path, values = parse_axis(text)
        if path in axes:
            raise InputError(f"--vary {path} is given twice: name all its values at once")
        if path == "seed":
            raise InputError("--vary seed: seeds are 0, 1, ...; say how many with --seeds")
        if len(set(values)) < len(values):
            raise InputError(f"--vary {text!r}: a value is given twice")
        axes[path] = values
    return axes


def _paths(base: Trial) -> list[str]:
    paths: list[str] = []
    for name, field in Trial.model_fields.items():
        value = getattr(base, name)
        if isinstance(value, Config):
            hidden = RUN_FIELDS if isinstance(value, Detector) else ()
            paths += [
                f"{name}.{inner}" for inner in type(value).model_fields if inner not in hidden
            ]
        if field.annotation is Detector or not isinstance(value, Config):
            paths.append(name)
    return paths

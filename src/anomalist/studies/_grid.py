"""Grids: lists of trials from a base trial, axes to vary, and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from anomalist import datasets
from anomalist.core.config import Config
from anomalist.core.errors import InputError, unknown
from anomalist.core.named import NamedConfig
from anomalist.core.spec import split, unwrap
from anomalist.models import RUN_FIELDS, Detector
from anomalist.tasks import Task
from anomalist.trial import Trial

__all__ = ["grid", "parse_axes", "parse_axis", "with_present_names", "with_values"]

_SHOWN = 5  # number of faults that are listed in full


def grid(
    base: Trial,
    axes: Mapping[str, Sequence[Any]],
    seeds: int,
) -> list[Trial]:
    """Return a trial for every combination of the axes' values and seeds 0 … ``seeds - 1``.

    Args:
        base: the trial that is varied.
        axes: values by the path of an option:
            ``{"model.bottleneck": [2, 4], "task.contamination": [0, 0.05]}``.
        seeds: number of seeds.

    Raises:
        InputError: an unknown option, an invalid value, or a missing data set; all faults are
            reported in one line.
    """
    trials: list[Trial] = []
    faults: dict[str, None] = {}  # an ordered set
    for values in product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        try:
            _check_data(with_values(base, point))
            trials += [with_values(base, {**point, "seed": seed}) for seed in range(seeds)]
        except InputError as error:
            faults[str(error)] = None
    if faults:
        shown = list(faults)[:_SHOWN]
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise InputError("; ".join(shown) + more)
    return trials


def with_values(base: Trial, values: Mapping[str, Any]) -> Trial:
    """Return ``base`` with the options at some paths changed.

    If the data set consists of the user's own files, all images are used unless sizes are set.

    Raises:
        InputError: see :func:`grid`.
    """
    dump = base.model_dump(mode="json")
    model = values.get("model")
    if model is not None:  # another detector starts from its own defaults
        dump["model"] = {"name": model}
    kind = values.get("task.kind")
    if kind is not None and kind != base.task.name:
        common = {name: dump["task"][name] for name in dump["task"] if name in Task.model_fields}
        dump["task"] = {**common, "kind": kind}
    dataset = values.get("task.dataset")
    if dataset is not None and datasets.parse(dataset).own:
        dump["task"] |= {"train": None, "test": None}  # the default sizes of a study are for MNIST
    valid = _paths(Trial(**dump))  # options of the chosen detector and task
    for path, value in values.items():
        if path not in valid:
            raise unknown("option", path, valid)
        part, _, name = path.partition(".")
        if name:
            dump[part].pop(valid[path], None)
            dump[part][name] = value
        elif path != "model":
            dump[part] = value
    return Trial(**dump)


def with_present_names(
    base: Trial,
    axes: Mapping[str, Sequence[Any]],
) -> dict[str, Sequence[Any]]:
    """Return the axes with the present names of renamed options, as in result rows.

    Args:
        base: the trial that is varied.
        axes: values by the path of an option, as accepted by :func:`grid`.
    """
    first = {path: values[0] for path, values in axes.items()}
    present = _paths(with_values(base, first))
    renamed: dict[str, Sequence[Any]] = {}
    for path, values in axes.items():
        part, dot, _ = path.partition(".")
        renamed[f"{part}.{present[path]}" if dot else path] = values
    return renamed


def parse_axis(text: str) -> tuple[str, list[str]]:
    """Return the path and the values of ``"model.bottleneck=2,4,8"``.

    Values are separated by commas, or by ``;`` if there is one; parentheses keep a value together,
    as in ``"task.dataset=(folder:path=parts,resize=32),digits"``.

    Raises:
        InputError: the ``=`` or the values are missing, or a parenthesis is unbalanced.
    """
    path, sign, values = text.partition("=")
    parts = split(values, ";")
    if len(parts) < 2:
        parts = split(values, ",")
    if not sign or not parts:
        raise InputError(
            f"--vary {text!r}: write it as option=value,value, e.g. model.bottleneck=2,4,8"
        )
    return path.strip(), [unwrap(part) for part in parts]


def parse_axes(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the values by path of several axes in the format of :func:`parse_axis`.

    Raises:
        InputError: see :func:`parse_axis`; or an axis or a value is given twice, or an axis is the
            seed, which has its own option.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        path, values = parse_axis(text)
        if path in axes:
            raise InputError(f"--vary {path} is given twice: give all its values at once")
        if path == "seed":
            raise InputError("--vary seed: seeds are 0, 1, ...; set their number with --seeds")
        if len(set(values)) < len(values):
            raise InputError(f"--vary {text!r}: a value is given twice")
        axes[path] = values
    return axes


def _check_data(trial: Trial) -> None:
    """Check that data sets exist or can be downloaded, without reading them.

    Raises:
        InputError: a data set is missing.
    """
    for spec in trial.task.dataset_specs:
        status = datasets.status(spec)
        if status.state == "manual":
            raise InputError(f"the data set {spec} is missing: {status.detail}")


def _paths(base: Trial) -> dict[str, str]:
    """Return the paths of all options, each with its present name."""
    paths: dict[str, str] = {}
    for name, field in Trial.model_fields.items():
        value = getattr(base, name)
        if isinstance(value, Config):
            hidden = RUN_FIELDS if isinstance(value, Detector) else ()
            inner_names = [inner for inner in type(value).model_fields if inner not in hidden]
            paths |= {f"{name}.{inner}": inner for inner in inner_names}
        if isinstance(value, NamedConfig):
            paths |= {f"{name}.{old}": new for new, old in value.old_names.items()}
        if field.annotation is Detector or not isinstance(value, Config):
            paths[name] = name
    return paths

"""Grid: all combinations of option values, for example `--vary model.bottleneck=2,4,8` per axis."""

from __future__ import annotations

from collections.abc import Sequence

from anomalist.analysis.layout import Layout
from anomalist.core.errors import InputError
from anomalist.studies import _grid
from anomalist.studies._base import Size, Study, base_trial, seeds_for

__all__ = ["ACCEPTS", "study"]

ACCEPTS = ("vary",)


def study(
    size: Size = "default",
    seeds: int | None = None,
    vary: Sequence[str] = (),
) -> Study:
    """Return the study of every combination of the axes' values.

    The axis with the most values is the x axis of the plots.

    Args:
        size: ``"quick"``, ``"default"`` or ``"full"``: the amount of work.
        seeds: number of seeds; None: the default of the size.
        vary: the axes, each as ``"option=value,value"``.

    Raises:
        InputError: no axis, or an axis that cannot be read.
    """
    axes = _grid.parse_axes(vary)
    if not axes:
        raise InputError("study grid needs at least one --vary, e.g. --vary model.bottleneck=2,4,8")
    base = base_trial(size)
    trials = _grid.grid(base, axes, seeds_for(size, seeds))
    named = _grid.with_present_names(base, axes)
    x, *lines = sorted(named, key=lambda path: -len(named[path]))
    return Study(
        Layout(
            name="grid",
            x=x,
            lines=tuple(lines),
        ),
        trials,
    )

"""Study pictures and tables show every point, its interval and its raw values."""

import numpy as np
import pytest

from anomalist.reports.study_pictures import curves
from anomalist.reports.study_tables import points_table


def points(ticks, lines=("a", "b")):
    rng = np.random.default_rng(0)
    return [
        {
            "x": tick,
            "line": line,
            "mean": 0.8,
            "low": 0.7,
            "high": 0.9,
            "n": 3,
            "values": list(0.8 + rng.normal(0, 0.1, 3)),
        }
        for line in lines
        for tick in ticks
    ]


@pytest.mark.parametrize(
    ("ticks", "scale"),
    [([2, 8, 32, 128], "log"), ([0.0, 0.1, 0.2], "linear"), (["p", "q"], "linear")],
)
def test_each_line_has_its_points_and_band(ticks, scale):
    given = points(ticks)
    axes = curves(given, "x", ["line"], "auroc").axes[0]
    assert axes.get_xscale() == scale
    means = [line for line in axes.lines if line.get_label() in ("a", "b")]
    assert [len(line.get_xdata()) for line in means] == [len(ticks)] * 2
    raw = [line for line in axes.lines if line.get_marker() == "."]
    assert sorted(np.concatenate([line.get_ydata() for line in raw])) == sorted(
        v for p in given for v in p["values"]
    )
    assert len(axes.collections) == 2


def test_few_ticks_are_named_and_many_are_left_to_the_axis():
    few = curves(points([1, 2, 3]), "x", ["line"], "auroc").axes[0]
    assert [label.get_text() for label in few.get_xticklabels()] == ["1", "2", "3"]
    many = curves(points(list(np.linspace(0.01, 0.2, 25))), "x", ["line"], "auroc").axes[0]
    assert len(many.get_xticks()) < 25


def test_one_seed_has_no_interval():
    alone = [
        {"x": 1, "line": None, "mean": 0.5, "low": None, "high": None, "n": 1, "values": [0.5]}
    ]
    assert "0.5000  " in points_table(alone, ["line", "x"], "auroc")
    assert "[" not in points_table(alone, ["line", "x"], "auroc").splitlines()[-1]
    assert len(curves(alone, "x", ["line"], "auroc").axes[0].lines) == 3


def test_many_lines_are_parted_into_panels():
    many = [
        {**point, "part": part} for part in ("p", "q") for point in points([0.0, 0.01, 0.2], "abcd")
    ]
    figure = curves(many, "x", ["part", "line"], "auroc")
    assert [axes.get_title() for axes in figure.axes] == ["p", "q"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == list("abcd")


def test_values_too_close_for_their_names_are_set_side_by_side():
    axes = curves(points([0.0, 0.01, 0.02, 0.2]), "x", ["line"], "auroc").axes[0]
    assert list(axes.get_xticks()) == [0, 1, 2, 3]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.01", "0.02", "0.2"]

"""Panels and tables show what the arrays and rows say, for grey and colour images."""

import numpy as np
import pytest

from anomalist.reports import panels, tables


def arrays(channels, n=9):
    rng = np.random.default_rng(0)
    return {
        "top": np.array(0.5),
        "threshold": np.array(0.3),
        "stripes/images": rng.random((n, channels, 10, 12), dtype=np.float32),
        "stripes/restored": rng.random((n, channels, 10, 12), dtype=np.float32),
        "stripes/maps": rng.random((n, 10, 12), dtype=np.float32),
        "stripes/masks": rng.random((n, 10, 12)) > 0.5,
        "stripes/scores": np.arange(n)[::-1] / 10,
        "stripes/source": np.arange(n),
    }


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_column_shows_its_array_on_its_scale(channels):
    given = arrays(channels)
    axes = {axis.get_title(): axis for axis in panels.cases(given, "stripes").axes}
    assert {"input", "reconstruction", "heatmap", "true mask", "predicted mask"} <= set(axes)
    shown = axes["predicted mask"].images[0].get_array()
    np.testing.assert_array_equal(shown[1:11, 1:13], given["stripes/maps"][0] > 0.3)
    assert axes["heatmap"].images[0].get_clim() == (0, 0.5)
    labels = [label.get_text() for label in axes["input"].get_yticklabels()]
    assert [label.split()[0] for label in labels] == ["highest"] * 3 + ["median"] * 3 + [
        "lowest"
    ] * 3
    assert labels[0] == "highest\n#0: 0.8"


def test_the_scale_begins_where_normal_images_are_and_says_what_it_shows():
    given = arrays(1) | {"bottom": np.array(0.2), "quantity": np.array("Mahalanobis distance")}
    axes = panels.cases(given, "stripes").axes
    assert next(axis for axis in axes if axis.get_title() == "heatmap").images[0].get_clim() == (
        0.2,
        0.5,
    )
    assert "Mahalanobis distance" in [axis.get_xlabel() for axis in axes]


def test_thin_marks_of_large_images_are_still_seen():
    given = arrays(3)
    for name in ("images", "restored", "maps", "masks"):
        shape = (9, 3, 300, 260) if given[f"stripes/{name}"].ndim == 4 else (9, 300, 260)
        given[f"stripes/{name}"] = np.zeros(shape, given[f"stripes/{name}"].dtype)
    given["stripes/masks"][:, 151] = True
    given["stripes/maps"][:, :, 7] = 0.4
    axes = {
        axis.get_title(): axis.images[0].get_array()
        for axis in panels.cases(given, "stripes").axes
        if axis.images
    }
    assert axes["true mask"].shape[0] < 9 * 130
    assert (
        np.nansum(axes["true mask"]) == 9 * 87
    )  # a row of each of nine tiles, 260 / 3 columns wide
    assert np.nansum(axes["predicted mask"]) == 9 * 100
    assert (axes["heatmap"] == np.float32(0.4)).sum() == 9 * 100


def test_files_name_their_rows():
    given = arrays(1) | {
        "stripes/files": np.array([f"lot/test/dent/{number}.png" for number in range(9)])
    }
    del given["stripes/masks"]
    axes = {axis.get_title(): axis for axis in panels.cases(given, "stripes").axes}
    assert axes["input"].get_yticklabels()[0].get_text() == "highest\ndent/0.png: 0.8"
    assert "true mask" not in axes


def test_without_reconstructions_there_is_no_such_column():
    given = arrays(1)
    del given["stripes/restored"]
    assert "reconstruction" not in [
        axis.get_title() for axis in panels.cases(given, "stripes").axes
    ]


def test_the_table_has_a_line_a_setting_and_dashes_for_what_was_not_measured():
    common = {"corruption": "stripes", "severity": 0.5, "n": 10, "left_out": 1_234}
    rows = [
        {
            **common,
            "setting": "stripes:lines=1",
            "metric": "auroc",
            "value": 0.98765,
            "low": 0.9,
            "high": 0.99,
        },
        {
            **common,
            "setting": "stripes:lines=1",
            "metric": "fpr95",
            "value": 0.1,
            "low": 0.0,
            "high": 0.2,
        },
        {
            **common,
            "setting": "stripes:lines=2",
            "metric": "auroc",
            "value": 1.0,
            "low": 0.99,
            "high": 1.0,
        },
    ]
    head, _, first, second = tables.baseline_table(rows).splitlines()
    assert head.split()[0] == "corruption"
    assert first.split() == [
        "stripes:lines=1",
        "0.500",
        "0.9877",
        "[0.9000,",
        "0.9900]",
        "-",
        "0.100",
        *"---",
        "1,234",
    ]
    assert second.startswith("stripes:lines=2")

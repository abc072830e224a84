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


@pytest.mark.parametrize("channels", [1, 3])
def test_every_column_shows_its_array_on_its_scale(channels):
    given = arrays(channels)
    axes = {axis.get_title(): axis for axis in panels.cases(given, "stripes").axes}
    assert {"input", "reconstruction", "error map", "true mask", "predicted mask"} <= set(axes)
    shown = axes["predicted mask"].images[0].get_array()
    np.testing.assert_array_equal(shown[1:11, 1:13], given["stripes/maps"][0] > 0.3)
    assert axes["error map"].images[0].get_clim() == (0, 0.5)
    labels = [label.get_text() for label in axes["input"].get_yticklabels()]
    assert [label.split()[0] for label in labels] == ["highest"] * 3 + ["median"] * 3 + ["lowest"] * 3
    assert labels[0] == "highest\n#0: 0.8"


def test_without_reconstructions_there_is_no_such_column():
    given = arrays(1)
    del given["stripes/restored"]
    assert "reconstruction" not in [axis.get_title() for axis in panels.cases(given, "stripes").axes]


def test_the_table_has_a_line_a_setting_and_dashes_for_what_was_not_measured():
    common = {"corruption": "stripes", "severity": 0.5, "n": 10, "left_out": 1_234}
    rows = [
        {**common, "setting": "stripes:lines=1", "metric": "auroc", "value": 0.98765, "low": 0.9, "high": 0.99},
        {**common, "setting": "stripes:lines=1", "metric": "fpr95", "value": 0.1, "low": 0.0, "high": 0.2},
        {**common, "setting": "stripes:lines=2", "metric": "auroc", "value": 1.0, "low": 0.99, "high": 1.0},
    ]
    head, _, first, second = tables.baseline_table(rows).splitlines()
    assert head.split()[0] == "corruption"
    assert first.split() == ["stripes:lines=1", "0.500", "0.9877", "[0.9000,", "0.9900]", "-", "0.100", *"---", "1,234"]
    assert second.startswith("stripes:lines=2")

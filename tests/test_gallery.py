"""The gallery: a picture of all corruptions, and a page with a line for each."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from anomalist import cli
from anomalist.cli import _gallery as gallery
from anomalist.core import catalog
from refusals import refused
from toys import toy_dataset

NAMES = catalog.names("corruptions")


def test_the_picture_and_the_page_hold_every_corruption(tmp_path):
    page = gallery.make(
        toy_dataset(train=2, shape=(3, 12, 12)).test, "toy", tmp_path / "new" / "all.png"
    )
    assert page == tmp_path / "new" / "all.md"
    text = page.read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")] == NAMES
    assert "](all.png)" in text
    assert "--dataset toy" in text
    picture = matplotlib.image.imread(tmp_path / "new" / "all.png")
    assert picture.shape[0] > 60 * len(NAMES)
    assert sorted(path.name for path in page.parent.iterdir()) == ["all.md", "all.png"]


def test_each_row_shows_an_image_that_the_weakest_one_changes(tmp_path, monkeypatch):
    from anomalist.reports import panels

    seen = {}
    draw = panels.gallery
    monkeypatch.setattr(
        panels, "gallery", lambda names, columns: draw(names, seen.update(columns) or columns)
    )
    gallery.make(toy_dataset(train=2, test=60, shape=(1, 28, 28)).test, "toy", tmp_path / "all.png")
    assert list(seen) == ["clean", "0.1", "0.25", "0.5", "0.75", "1", "mask at 0.5"]
    for weaker, stronger in (("clean", "0.1"), ("0.1", "0.5")):
        changed = (seen[weaker] != seen[stronger]).any(axis=(1, 2, 3))
        changed[NAMES.index("missing_stroke")] |= (
            weaker == "0.5"
        )  # a toy's only stroke may be gone by then
        assert changed.all(), (weaker, [NAMES[row] for row in np.flatnonzero(~changed)])
    np.testing.assert_array_equal(seen["mask at 0.5"], (seen["0.5"] != seen["clean"]).any(axis=1))


def test_the_committed_page_says_what_the_files_say():
    """A corruption added since needs no line there."""
    page = gallery._page(NAMES, "mnist", "corruption_gallery.svg").splitlines()
    committed = (
        (Path(__file__).parent.parent / "docs" / "guide" / "corruption_gallery.md")
        .read_text("utf-8")
        .splitlines()
    )
    assert set(committed) <= set(page), (
        "write it again: anomalist gallery --out docs/guide/corruption_gallery.svg"
    )
    assert len([line for line in committed if line.startswith("| `")]) >= 22


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "all.jpg"], "the picture must end in .png, .svg, .pdf; got 'all.jpg'"),
        (["--dataset", "mnits"], "did you mean 'mnist'?"),
        (["--output", "x"], "unknown anomalist gallery option '--output'"),
    ],
)
def test_bad_input_is_one_clear_line(words, message, capsys):
    assert cli.main(["gallery", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_paragraph_is_named():
    with refused("corruptions/stripes.py", "Weather:"):
        gallery.paragraph("stripes", "Weather")

"""Every code block of every second page of a detector is run; the other file runs the rest."""

import pytest

from doc_pages import detector_pages, make_workplace, name_of, run_page

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("default")  # of other libraries, as a reader would see them
@pytest.mark.parametrize("page", detector_pages()[1::2], ids=name_of)
def test_its_blocks_run(page, tmp_path, monkeypatch, capsys):
    make_workplace(tmp_path, monkeypatch)
    run_page(page, capsys)

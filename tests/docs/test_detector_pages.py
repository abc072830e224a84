"""Every code block of the detectors' pages is run."""

import pytest

from doc_pages import PAGES, blocks, make_workplace, name_of, run_page

RUN = [
    page
    for page in PAGES
    if "detectors" in page.parts
    and {"shell", "python"} & {language for language, _ in blocks(page)}
]

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("default")  # of other libraries, as a reader would see them
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_its_blocks_run(page, tmp_path, monkeypatch, capsys):
    make_workplace(tmp_path, monkeypatch)
    run_page(page, capsys)

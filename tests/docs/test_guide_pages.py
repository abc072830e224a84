"""Every code block of the README, the guide and the other pages but the detectors' is run."""

import pytest

from doc_pages import PAGES, ROOT, blocks, make_workplace, name_of, run_page

RUN = [
    page
    for page in PAGES
    if "detectors" not in page.relative_to(ROOT).parts
    and "developer" not in page.relative_to(ROOT).parts  # its examples are of test_one_file.py
    and {"shell", "python"} & {language for language, _ in blocks(page)}
]

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("default")  # of other libraries, as a reader would see them
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_its_blocks_run(page, tmp_path, monkeypatch, capsys):
    make_workplace(tmp_path, monkeypatch)
    run_page(page, capsys)

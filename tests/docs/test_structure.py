"""The documentation is complete: short pages, languages named, tables of kept rows, a page for each
thing, and a site without warnings."""

import re
import subprocess
import sys

import pytest

from anomalist.core import catalog
from doc_pages import DOCS, PAGES, ROOT, blocks, name_of

sys.path.insert(0, str(DOCS / "tools"))
import make_tables

LANGUAGES = {"shell", "python", "text", "{toctree}", "{include}", "{eval-rst}"}
QUESTIONS = {  # what a stranger asks, and the page that answers
    "How do I run it?": "getting_started",
    "What do the numbers mean?": "guide/metrics",
    "Which detector do I need?": "detectors/index",
    "How do I use my own images?": "guide/fit_and_score",
    "How do I add a detector?": "developer/add_detector",
    "How do I reproduce a table?": "guide/reproduce",
    "How do I look at results?": "guide/html_report",
    "How do I cite it?": "citing",
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_short_and_names_the_language_of_each_block(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("\n") <= 250
    for language, code in blocks(page):
        assert language in LANGUAGES, code
        if language == "shell":
            assert all(line.startswith(("anomalist ", " ")) for line in code.splitlines() if line)
    assert text.count("```") == 2 * len(blocks(page))
    assert "~~~" not in text  # blocks of another kind would not be run
    assert "{code" not in text


@pytest.mark.parametrize("room", ["models", "corruptions"])
def test_the_number_of_things_is_right(room):
    """Where pages say how many there are."""
    word = {"models": "detectors", "corruptions": "corruptions"}[room]
    pages = [
        page for page in PAGES if "results" not in page.parts and "lab_notes" not in page.parts
    ]
    said = {}
    for page in pages:
        for number in re.findall(
            rf"\b(?:[Ii]ts|has|all|All) (\d+) {word}\b", page.read_text("utf-8")
        ):
            said[name_of(page)] = int(number)
    assert set(said.values()) <= {len(catalog.names(room))}
    assert said or room == "corruptions"


def test_every_table_says_what_the_kept_rows_say():
    assert make_tables.rewrite(PAGES, check=True) == []


def test_a_typed_table_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- table: detector lof -->\n| 100 |\n<!-- end of table -->\n")
    assert make_tables.rewrite([page]) == [page]
    assert "97.34 ± 0.0" in page.read_text(encoding="utf-8")
    assert make_tables.rewrite([page], check=True) == []


def test_a_table_without_an_end_is_refused(tmp_path):
    page = tmp_path / "page.md"
    text = (
        "<!-- table: detector lof -->\n\nText\n\n<!-- table: one_class -->\n<!-- end of table -->\n"
    )
    page.write_text(text)
    with pytest.raises(SystemExit, match="has no line <!-- end of table -->"):
        make_tables.rewrite([page])
    assert page.read_text() == text


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_one_click_from_the_front_page(question):
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    card = re.search(rf"grid-item-card}} {re.escape(question)}\n:link: (.*)\n", text)
    assert card[1] == QUESTIONS[question]
    assert (DOCS / f"{card[1]}.md").exists()


@pytest.mark.parametrize("name", catalog.names("models"))
def test_every_detector_has_a_page(name):
    text = (DOCS / "detectors" / f"{name}.md").read_text(encoding="utf-8")
    for part in (
        f"# {name}\n",
        "## Formula",
        "## When to use it",
        "## How to run it",
        "## Sources",
    ):
        assert part in text or name in ("pyod",), part
    assert f"<!-- table: options {name} -->" in text


def test_every_picture_has_an_alternative_text_and_exists():
    for page in PAGES:
        for alt, target in re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text("utf-8"), re.DOTALL):
            assert len(alt) > 20, (page, target)
            assert (page.parent / target).exists(), (page, target)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    words = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*words, str(DOCS), str(tmp_path / "html")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    front = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{page}.html"' in front for page in QUESTIONS.values())

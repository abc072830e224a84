"""The notebooks run from top to bottom, define no logic, and are committed with their outputs."""

import ast
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
BOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_the_four_are_there():
    assert BOOKS == [
        "01_data_exploration.ipynb",
        "02_anomaly_examples.ipynb",
        "03_autoencoder_baseline.ipynb",
        "04_blind_to_what_is_missing.ipynb",
    ]


@pytest.mark.parametrize("name", BOOKS)
def test_it_defines_nothing_and_imports_from_the_package(name):
    tree = ast.parse("\n".join(cell.source for cell in code(read(name))))
    defined = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)
    ]
    assert not defined
    imported = [
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    ]
    assert "anomalist" in imported


@pytest.mark.parametrize("name", BOOKS)
def test_it_is_committed_with_its_outputs_and_no_path_of_a_machine(name):
    cells = code(read(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    pictures = [out for cell in cells for out in cell.outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 3
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "site-packages" not in text
    assert "Warning" not in text
    assert len(text) < 500_000


@pytest.mark.parametrize("name", BOOKS)
def test_a_sentence_before_each_code_cell_says_what_it_shows(name):
    cells = read(name).cells
    for before, cell in pairwise(cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", cell.source
            assert "." in before.source or ":" in before.source


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.filterwarnings(
    "default"
)  # the kernel's own machinery warns; the cells' errors still fail
def test_it_runs_from_top_to_bottom(name):
    book = read(name)
    NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    ).execute()
    assert all(cell.execution_count for cell in code(book))

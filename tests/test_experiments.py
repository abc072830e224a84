"""Scripts: a wrong option is one line, said before anything is fitted; a page's tables become its
pictures."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "experiments"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("choose_by_defects", ["tiles", "--models", "padim:channel=3"]),
        ("choose_by_defects", ["xrays", "--models", "pca", "--data", "no/such/folder"]),
        ("choose_one_class", ["--models", "autoencoder:width=0"]),
        ("blind_spot_ensemble", ["--results", "no/such/folder"]),
        ("plot_costs", ["no_such_page.md"]),
    ],
)
def test_bad_input_is_one_line(script, words):
    found = subprocess.run(
        [sys.executable, FOLDER / f"{script}.py", *words], capture_output=True, text=True
    )
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert found.stderr.count("\n") == 1


def test_a_table_with_costs_becomes_the_next_picture_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "| model | mean | fit, s | images/s |\n|---|---|---|---|\n| `lof` | 97.3 ± 0.1 | 1.4 | "
        "3,802 |\n"
        "| `pca` | 90.0 (one seed) | 0.3 | 33,386 |\n\n## Other\n\n"
        "| model | mean | fit, s | images/s |\n|---|---|---|---|\n| `knn` | 95.6 ± 0.1 | 0.1 | "
        "3,467 |\n\n"
        '<img src="a_vs_cost.png" width="640">\n'
    )
    found = subprocess.run(
        [sys.executable, FOLDER / "plot_costs.py", page], capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (0, "a_vs_cost.png: 1 detectors\n")
    assert (tmp_path / "a_vs_cost.png").stat().st_size > 1_000

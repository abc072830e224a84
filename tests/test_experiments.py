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

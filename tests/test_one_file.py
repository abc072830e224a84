"""One file adds one thing: a corruption dropped into a copy of the package is listed, typed, checked and usable."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import anomalist

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "CONTRIBUTING.md"


@pytest.fixture
def call(tmp_path):
    """Call Python where the package is a copy that has CONTRIBUTING.md's example as one file more."""
    package = tmp_path / "anomalist"
    shutil.copytree(
        Path(anomalist.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    (package / "corruptions" / "haze.py").write_text(code)

    def call(*words):
        return subprocess.run(
            [sys.executable, "-m", *words],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )

    return call


def test_it_is_listed_with_its_own_words(call):
    done = call("anomalist", "list", "corruptions")
    assert re.search(
        r"^  haze +The image drowns in white: haze, a fogged lens\.$", done.stdout, re.MULTILINE
    ), done


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("haze:density=much", "haze.density: input should be a valid number"),
        ("hase", "unknown corruption 'hase': did you mean 'haze'?"),
    ],
)
def test_its_options_are_checked_on_the_command_line(call, spec, words):
    done = call("anomalist", "run", "--corruptions", spec)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_it_is_usable_and_drawn(call, tmp_path):
    done = call("anomalist", "gallery", "--out", "gallery/all.png")
    assert done.returncode == 0, done.stderr
    assert "| `haze` | The image drowns in white" in (tmp_path / "gallery" / "all.md").read_text(
        encoding="utf-8"
    )
    tiny = "--train 300 --calibration 100 --test 40 --model.epochs 1 --model.width 4"
    done = call("anomalist", "run", "--corruptions", "haze:density=0.5", *tiny.split())
    assert done.returncode == 0, done.stderr
    assert "haze:density=0.5" in (tmp_path / "results" / "metrics.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_is_held_to_every_contract_and_to_the_types(call, tmp_path):
    shutil.copytree(TESTS, tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    done = call(
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/corruptions/test_corruption_contracts.py",
        "-k",
        "haze",
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) > 40
    done = call("mypy", "anomalist/corruptions/haze.py")
    assert done.returncode == 0, done.stdout

"""A data set is added by one file: listed, described, typed, checked and usable, with no other
file touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import anomalist

ROOT = Path(__file__).parents[2]

CHECKERS = '''
"""Chessboards of two phases, made on the spot."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from anomalist.datasets import DatasetConfig, Status
from anomalist.images import Dataset, ImageSet

__all__ = ["CheckerBoards"]


class CheckerBoards(DatasetConfig):
    """Chessboards, uint8 ``[N, 1, side, side]``, each of its own brightness."""

    licence: ClassVar[str] = "CC0"
    size: ClassVar[str] = "200 images"
    shape: ClassVar[str] = "1 x side x side"
    home: ClassVar[str] = "nowhere"

    side: int = Field(12, ge=4, le=64, description="height and width, in pixels")

    def load(self) -> Dataset:
        """Return the chessboards."""
        board = np.indices((self.side, self.side)).sum(axis=0) % 2
        light = np.arange(55, 255, dtype=np.uint8)
        images = (light[:, None, None, None] * board).astype(np.uint8)
        labels = np.zeros(200, np.int64)
        train, test = (ImageSet(images[i::2], labels[i::2], ("board",)) for i in (0, 1))
        return Dataset(str(self), train, test, "made on the spot")

    def status(self) -> Status:
        """Return "ready": nothing is needed."""
        return Status("ready", "made on the spot")
'''


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Run Python on a copy of the package that has one more file."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(anomalist.__file__).parent, folder / "src" / "anomalist", ignore=ignored)
    shutil.copytree(ROOT / "tests" / "datasets", folder / "tests" / "datasets", ignore=ignored)
    for name in (
        "conftest.py",
        "refusals.py",
        "picture_files.py",
        "web_server.py",
        "test_imports.py",
        "test_catalog.py",
    ):
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    shutil.copy(ROOT / "pyproject.toml", folder / "pyproject.toml")
    (folder / "src" / "anomalist" / "datasets" / "checker_boards.py").write_text(CHECKERS.lstrip())

    def run(*words, code=0):
        environment = os.environ | {"PYTHONPATH": str(folder / "src")}
        command = [sys.executable, "-m", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_it_is_listed_with_its_description_and_state(call):
    assert "checker_boards    Chessboards of two phases, made on the spot." in call(
        "anomalist", "list", "datasets"
    )
    (line,) = [
        line
        for line in call("anomalist", "data").splitlines()
        if line.startswith("checker_boards ")
    ]
    assert (
        " ".join(line.split())
        == "checker_boards ready 200 images 1 x side x side CC0 made on the spot"
    )
    assert "height and width, in pixels (now: 20)" in call(
        "anomalist", "data", "checker_boards:side=20"
    )


def test_its_options_are_checked(call):
    assert "checker_boards.side: input should be" in call(
        "anomalist", "data", "checker_boards:side=2", code=2
    )
    assert "did you mean 'checker_boards'?" in call("anomalist", "data", "checkerboards", code=2)


@pytest.mark.slow
def test_the_contracts_hold_it(call):
    files = (
        "tests/datasets/test_dataset_contracts.py",
        "tests/test_imports.py",
        "tests/test_catalog.py",
    )
    text = call("pytest", "-q", "-k", "checker_boards", *files)
    assert int(text.splitlines()[-1].split(" passed")[0].split()[-1]) > 10


@pytest.mark.slow
def test_it_is_typed(call):
    call("mypy", "src/anomalist/datasets/checker_boards.py")


@pytest.mark.slow
def test_a_detector_is_run_on_it_from_the_command_line(call):
    sizes = ["--train", "60", "--calibration", "30", "--test", "20", "--false_alarm_rate", "0.1"]
    words = [
        "--dataset",
        "checker_boards:side=16",
        "--model",
        "pca",
        "--corruptions",
        "patch_occlusion",
    ]
    text = call("anomalist", "run", *words, *sizes, "--results", "results")
    assert "on checker_boards:side=16, seed 0" in text
    assert "patch_occlusion" in text

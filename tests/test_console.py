"""Lines for the user: they never end the work, whatever has become of the terminal."""

import subprocess
import sys

import numpy as np
import pytest

from anomalist.core import console, memory
from anomalist.models import Autoencoder
from refusals import refused


def test_without_a_terminal_work_of_seconds_says_nothing_and_longer_work_does(capsys, monkeypatch):
    clock = iter([0.0, 0.5, 1.0, 4.0, 30.0, 31.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    assert list(console.track(range(5), "work")) == list(range(5))
    assert capsys.readouterr().err == "work: 60% done, 3 s left\nwork: 80% done, 8 s left\n"
    clock = iter(np.arange(7) * 0.1)
    assert list(console.track(range(5), "work")) == list(range(5))
    assert capsys.readouterr().err == ""


def test_the_first_line_of_a_training_comes_early(capsys, monkeypatch):
    monkeypatch.setattr(console, "FIRST", 0.0)
    Autoencoder(epochs=1, width=2, bottleneck=2, batch_size=4, device="cpu").fit(
        np.zeros((40, 1, 12, 12), np.float32)
    )
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("training autoencoder: epoch 0/1")
    assert first.endswith("s left")


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stderr = None; from anomalist import cli; sys.exit(cli.main(['run', "
        "'--dataset', 'digits',"
        "'--model', 'pca', '--corruptions', 'stripes', '--results', sys.argv[1]]))",
        "import sys; from anomalist import cli; sys.exit(cli.main(['list']))",
    ],
)
@pytest.mark.parametrize("reader", ["head -1", "true"])
@pytest.mark.slow
def test_nobody_listens_and_the_work_goes_on(tmp_path, code, reader):
    command = (
        f"'{sys.executable}' -c \"{code}\" '{tmp_path / 'results'}' | {reader}; exit "
        f"${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr
    assert (
        "run" not in code.split("main")[1] or (tmp_path / "results" / "environment.json").exists()
    )


def test_what_does_not_fit_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000_000_000)
    memory.check_fits(800_000_000, "this", "do that")
    with refused("this needs 0.9 GB of memory, 1.0 GB are free: do that"):
        memory.check_fits(950_000_000, "this", "do that")
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    memory.check_fits(10**15, "this", "do that")
    assert memory.available_bytes() is None


@pytest.mark.parametrize(
    ("side", "given", "expected"),
    [
        (28, None, 128),
        (64, None, 128),
        (128, None, 32),
        (256, None, 8),
        (1024, None, 8),
        (256, 100, 100),
    ],
)
def test_a_training_step_takes_fewer_of_large_images(side, given, expected):
    assert (
        Autoencoder(batch_size=given)._step_size(np.zeros((2, 1, side, side), np.float32))
        == expected
    )

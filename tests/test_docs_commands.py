"""Every command in the documentation is one that the program takes; those of a person's own files
run as they stand."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from anomalist import cli, studies
from anomalist.baseline import job as baseline
from anomalist.baseline.results import Results
from anomalist.cli import study as cli_study
from anomalist.running import benchmark

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OWN_FILES = ("parts", "scans", "line", "run7.h5", "digits", "textures")
PARTS = {"train": 60, "test": 20}  # images in the files of arrays
SYNOPSIS = re.compile(r"anomalist [a-z]+ {2,}")  # a table of what there is, not a command


def commands():
    """Return (page, words) of each command in an indented or fenced block; comments behind two
    spaces go."""
    found = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^(?:    )?(anomalist .*)$", text, re.MULTILINE):
            if not SYNOPSIS.match(line) and not line.startswith("anomalist: "):
                words = shlex.split(re.split(r"\s{2,}#|\s{3,}", line)[0], comments=True)
                found[" ".join(words)] = (page.name, words[1:])
    return found


COMMANDS = commands()


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder that holds the files that the documentation's commands name, beside
    ``../shared/data``."""
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "cache"))
    (tmp_path / "shared" / "data" / "magnetic_tile").mkdir(parents=True)
    tmp_path = tmp_path / "work"
    tmp_path.mkdir()
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def draw(folder, count, bad=False):
        for number in range(count):
            image = rng.integers(100, 130, (24, 32)).astype(np.uint8)
            image[4:9, 4:9] += np.uint8(100 * bad)
            path = tmp_path / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)

    for folder, count, bad in (
        ("parts/train/good", 40, False),
        ("parts/test/good", 10, False),
        ("parts/test/dent", 4, True),
        ("scans", 50, False),
        ("line/ok", 50, False),
        ("line/nok/dent", 3, True),
        ("line/nok/crack", 3, True),
    ):
        draw(folder, count, bad)
    (tmp_path / "scans" / "bad.tsv").write_text("0.png\n1.png\n2.png\n")
    images = {part: rng.random((n, 28, 28)).astype(np.float32) for part, n in PARTS.items()}
    arrays = {f"{part}_images": array * 4095 for part, array in images.items()}
    np.savez(tmp_path / "scans.npz", **arrays)
    np.savez(tmp_path / "pneumoniamnist.npz", a=np.zeros(1))
    with h5py.File(tmp_path / "run7.h5", "w") as file:
        for part, count in PARTS.items():
            defect = np.arange(count) % 5 == 4 if part == "test" else np.zeros(count, bool)
            file[f"{part}/frames"] = images[part] * 2 - 1
            file[f"{part}/defect"] = defect
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_documentation_is_taken_as_it_stands(command, workplace, monkeypatch):
    """All of it but the work: options, detectors, tasks, grids and suites are read and checked."""
    page, words = COMMANDS[command]
    if page == "CONTRIBUTING.md" and "haze" in command:
        pytest.skip("of the worked example, tested in test_one_file.py")
    if "theirs.csv" in command or "scores.npz" in command or "mine" in words:
        pytest.skip("of files and a detector that the reader has made")
    seen = []
    monkeypatch.setattr(baseline, "_run", lambda config, *_, **__: seen.append(config.detector()))
    monkeypatch.setattr(studies, "run", lambda chosen, *_, **__: seen.append(chosen.trials) or {})
    monkeypatch.setattr(cli_study, "print_report", lambda *_: None)
    monkeypatch.setattr(benchmark, "run_trials", lambda trials, *_, **__: seen.append(trials) or {})
    monkeypatch.setattr(benchmark, "dataset_hash", lambda spec: "0")
    assert cli.main(words) == 0, page
    assert seen or words[0] in ("list", "data", "gallery"), page


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        line
        for line, (_, words) in COMMANDS.items()
        if words[0] == "run" and any(name in line for name in OWN_FILES)
    ],
)
def test_a_command_on_own_files_runs_as_it_stands(command, workplace, capsys):
    words = COMMANDS[command][1]
    quick = (
        [] if "--model" in words else ["--model.epochs", "2"]
    )  # the rest as it stands: 3,400 steps take minutes
    assert cli.main([*words, *quick]) == 0, capsys.readouterr().err
    rows = Results(workplace / "results").earlier()
    assert rows is not None
    assert (workplace / "results" / "metrics.json").exists()


def test_the_first_command_on_a_folder_tests_its_defects(workplace, capsys):
    first = next(line for line, (page, _) in COMMANDS.items() if page == "datasets-folder.md")
    assert first == "anomalist run --dataset folder:path=parts,resize=64"
    assert cli.main([*COMMANDS[first][1], "--model", "pca"]) == 0
    assert "defect dent" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize(
    "words", [["benchmark", "--help"], ["run", "--help"], ["study", "--help"], ["--help"], ["data"]]
)
def test_help_survives_a_terminal_of_few_signs(monkeypatch, encoding, words):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    with contextlib.suppress(SystemExit):  # argparse leaves after its help
        assert cli.main(words) == 0
    stream.flush()
    assert len(stream.buffer.getvalue()) > 100

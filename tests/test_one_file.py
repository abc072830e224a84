"""One file adds one thing, in a copy of the package that has one more of each kind.

The corruption and the detector are the examples of the developer guide; the other files are in
``one_file/``. A metric takes a file and a line.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import anomalist

TESTS = Path(__file__).parent
GUIDE = TESTS.parent / "docs" / "developer"
FILES = {
    "dots.py": "datasets",
    "inverted.py": "tasks",
    "sharing.py": "studies",
    "dotty.py": "suites",
    "shout.py": "cli",
    "gap.py": "metrics",
}
# The line of a metric, and the line that it follows.
METRIC = '    Metric("gap", "gap", "image", shown=_shown("run"), interval=gap_interval),\n'
LAST_METRIC = (
    '    Metric("false_alarm_rate", "false-alarm rate", "threshold", higher_is_better=False),\n'
)


def example(page):
    """Return the worked example of a page of the developer guide."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    return re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A folder with a copy of the package that has one more of each kind."""
    folder = tmp_path_factory.mktemp("copy")
    package = folder / "anomalist"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(anomalist.__file__).parent, package, ignore=ignored)
    (package / "corruptions" / "haze.py").write_text(example("add_corruption.md"))
    (package / "models" / "median.py").write_text(example("add_detector.md"))
    for name, room in FILES.items():
        shutil.copy(TESTS / "one_file" / name, package / room)
    table = package / "metrics" / "table.py"
    text = table.read_text(encoding="utf-8")
    assert text.count(LAST_METRIC) == 1
    text = text.replace(LAST_METRIC, LAST_METRIC + METRIC)
    own = "from anomalist.metrics._bootstrap import Estimate\n"
    table.write_text(text.replace(own, own + "from anomalist.metrics.gap import gap_interval\n"))
    shutil.copytree(TESTS, folder / "tests", ignore=ignored)
    shutil.copy(TESTS.parent / "pyproject.toml", folder)
    return folder


@pytest.fixture
def call(copy, tmp_path):
    """Call Python with the copy, in a folder of its own."""

    def call(*words, cwd=tmp_path):
        return subprocess.run(
            [sys.executable, "-m", *words],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(copy)},
        )

    return call


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("corruptions", "haze", "The image drowns in white: haze, a fogged lens."),
        ("models", "median", "Median: an image is anomalous where it differs from the median"),
        ("datasets", "dots", "Squares with one bright pixel, drawn anew each time."),
        ("tasks", "inverted", "Normal is the data set; an anomaly is one of its images inverted."),
        ("studies", "sharing", "How the share of large differences that make a score changes"),
        ("suites", "dotty", "Inverted dots, in an instant."),
    ],
)
def test_each_is_listed_with_its_own_words(call, kind, name, words):
    done = call("anomalist", "list", kind)
    assert re.search(rf"^  {name} +{re.escape(words)}", done.stdout, re.MULTILINE), done


def test_a_command_is_listed_and_runs(call):
    assert re.search(r"^  shout +Say a word loudly\.$", call("anomalist").stdout, re.MULTILINE)
    assert call("anomalist", "shout", "detect").stdout == "DETECT\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("haze:density=much", "haze.density: input should be a valid number"),
        ("hase", "unknown corruption 'hase': did you mean 'haze'?"),
    ],
)
def test_options_are_checked_on_the_command_line(call, spec, words):
    done = call("anomalist", "run", "--corruptions", spec)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_all_of_them_run_together(call, tmp_path):
    words = "--dataset dots --model median --model.share 0.1 --corruptions haze:density=0.5"
    done = call("anomalist", "run", *words.split(), "--calibration", "100")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results" / "metrics.json").read_text(encoding="utf-8"))
    values = {row["metric"]: row["value"] for row in rows["rows"]}
    assert values["auroc"] == 1
    assert values["gap"] == 1
    header = next(line for line in done.stdout.splitlines() if "AUROC" in line)
    assert header.split()[-2:] == ["gap", "excluded"]


@pytest.mark.slow
def test_a_study_runs(call, tmp_path):
    done = call("anomalist", "study", "sharing", "--quick")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 trials are finished." in done.stdout
    assert "task `inverted`" in done.stdout
    assert (tmp_path / "results" / "plots" / "sharing_vs_auc.png").exists()


@pytest.mark.slow
def test_a_suite_runs(call):
    done = call("anomalist", "benchmark", "dotty")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 trials are finished." in done.stdout


@pytest.mark.slow
def test_a_corruption_is_drawn(call, tmp_path):
    done = call("anomalist", "gallery", "--out", "gallery/all.png")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "gallery" / "all.md").read_text(encoding="utf-8")
    assert "| `haze` | The image drowns in white" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "name", "fewest"),
    [
        ("tests/corruptions/test_corruption_contracts.py", "haze", 40),
        ("tests/models/test_model_contracts.py", "median", 20),
        ("tests/test_imports.py", "haze or median", 10),
        ("tests/test_catalog.py", "refused", 8),
        ("tests/test_cli.py", "status_2", 15),
    ],
)
def test_each_is_held_to_every_contract(call, copy, tests, name, fewest):
    done = call("pytest", "-q", "-p", "no:cacheprovider", tests, "-k", name, cwd=copy)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= fewest


@pytest.mark.slow
def test_each_is_typed(call, copy):
    files = ["corruptions/haze.py", "models/median.py"]
    files += [f"{room}/{name}" for name, room in FILES.items()]
    done = call("mypy", *[f"anomalist/{file}" for file in files], cwd=copy)
    assert done.returncode == 0, done.stdout

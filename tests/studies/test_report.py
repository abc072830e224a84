"""A report is made of rows alone: again, without torch, and not at all where nothing changed."""

import json
import subprocess
import sys
import time

import pytest
from small import trials

from anomalist import cli
from anomalist.analysis.layout import Claim, Layout
from anomalist.analysis.rows import points
from anomalist.reports.study import is_current
from anomalist.reports.study_tables import percent
from anomalist.studies import _base as study
from refusals import refused

CLAIM = Claim(
    statement="smaller is better", along="model.bottleneck", direction="less", reference=8
)
LAYOUT = Layout(name="small", x="model.bottleneck", lines=("task.corruption",), claims=(CLAIM,))
SMALL = study.Study(LAYOUT, trials())
KEYS = [trial.key for trial in SMALL.trials]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    assert study.run(SMALL, folder, workers=1) == {}
    return folder


def outputs(folder):
    return {
        path: path.read_bytes()
        for part in ("studies", "plots")
        for path in (folder / part).iterdir()
    }


def test_it_says_what_the_data_make_of_each_claim(finished):
    text = (finished / "studies" / "small.md").read_text()
    assert text.startswith("# Study: small\n\n12 of 12 trials are finished.")
    assert "The claim: 'smaller is better'. Of AUROC, the data" in text
    assert text.count("bottleneck 2 against 8: AUROC") == 3


def test_it_is_made_again_from_rows_alone_without_torch(finished):
    before = outputs(finished)
    for path in before:
        if path.suffix != ".json":
            path.unlink()
    code = (
        "import sys; from pathlib import Path; from anomalist.reports.study import remake;"
        "remake('small', Path(sys.argv[1])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(finished)], check=True)
    after = outputs(finished)
    assert {path.name for path in after} == {path.name for path in before}
    assert all(after[path] == before[path] for path in before if path.suffix != ".parquet")


def test_it_is_not_made_again_where_nothing_changed(finished):
    assert is_current(LAYOUT, KEYS, finished)
    times = {path: path.stat().st_mtime_ns for path in outputs(finished)}
    began = time.perf_counter()
    study.run(SMALL, finished, workers=1)
    assert time.perf_counter() - began < 3
    assert {path: path.stat().st_mtime_ns for path in outputs(finished)} == times
    assert not is_current(LAYOUT, KEYS[1:], finished)
    assert not is_current(LAYOUT.model_copy(update={"claims": ()}), KEYS, finished)


def test_another_row_makes_another_report(finished):
    path = finished / "trials" / f"{KEYS[0]}.json"
    whole = path.read_text()
    path.unlink()
    assert not is_current(LAYOUT, KEYS, finished)
    path.write_text(whole)
    assert is_current(LAYOUT, KEYS, finished)


def test_the_command_prints_it(finished, capsys):
    assert cli.main(["report", "small", "--results", str(finished)]) == 0
    assert "12 of 12 trials are finished." in capsys.readouterr().out


@pytest.mark.parametrize("damage", [None, "", "{", "[]", '{"layout": {}, "trials": []}'])
def test_what_cannot_be_remade_is_refused(tmp_path, damage):
    from anomalist.reports.study import remake

    if damage is not None:
        (tmp_path / "studies").mkdir()
        (tmp_path / "studies" / "small.json").write_text(damage)
    with refused("small"):
        remake("small", tmp_path)


def test_a_failed_trial_is_listed(tmp_path):
    from anomalist.reports.study import report
    from anomalist.running.store import Store

    Store(tmp_path / "trials").keep_failure("0123", {"error": "it went wrong"})
    report(LAYOUT, ["0123"], tmp_path)
    assert "1 failed:\n- `0123`: it went wrong" in (
        tmp_path / "studies" / "small.md"
    ).read_text().replace("\n\n", "\n")
    assert json.loads((tmp_path / "studies" / "small.json").read_text())["trials"] == ["0123"]


def test_intervals_of_points_stay_within_the_range_of_a_metric():
    rows = [
        {"size": 2, "seed": seed, "auroc": value} for seed, value in enumerate((0.999, 1.0, 0.97))
    ]
    rows += [{"size": 4, "seed": seed, "auroc": value} for seed, value in enumerate((0.0, 0.03))]
    high, low = points(rows, ["size"], "auroc")
    assert high["high"] == 1
    assert low["low"] == 0
    assert percent(high) == "98.97 ±4.23"  # half of the whole interval, not of what is left of it


def test_results_that_can_only_be_read_are_shown(finished, capsys, monkeypatch):
    def fail(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    monkeypatch.setattr("tempfile.mkstemp", fail)
    before = outputs(finished)
    assert cli.main(["report", "small", "--results", str(finished)]) == 0
    told = capsys.readouterr()
    assert "is read-only" in told.err
    assert "# Study: small" in told.out
    assert cli.main(["trial", KEYS[0], "--results", str(finished)]) == 0
    assert outputs(finished) == before


def test_a_report_names_what_was_tested(finished):
    text = (finished / "studies" / "small.md").read_text()
    assert "Tested: 2 values of detector, data `" in text
    assert "training images" in text

"""Every command in the documentation is one that the program takes as it stands."""

import contextlib
import io

import pytest

from anomalist import cli, studies
from anomalist.baseline import job as baseline
from anomalist.cli import report as cli_report
from anomalist.cli import study as cli_study
from anomalist.deployment import fitting
from anomalist.running import benchmark
from doc_pages import commands, make_workplace, reason_not_to_run

COMMANDS = commands()
AFTER_OTHERS = (
    "evaluate",
    "export",
    "gallery",
    "inspect",
    "report",
    "score",
    "trial",
    "tune",
)  # run by the tests of pages
CHEAP = ("list", "data")
ALONE = ("run", *CHEAP)  # commands that need no further word


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_taken_as_it_stands(command, tmp_path, monkeypatch):
    """All of it but the work: options, detectors, tasks, grids and suites are read and checked."""
    page, words = COMMANDS[command]
    if words[0] in AFTER_OTHERS or (len(words) == 1 and words[0] not in ALONE):
        pytest.skip("the name of a command, or of files that an earlier command writes")
    if reason_not_to_run(words) and words[0] != "study":
        pytest.skip(reason_not_to_run(words))
    make_workplace(tmp_path, monkeypatch)
    seen = []
    monkeypatch.setattr(baseline, "_run", lambda config, *_, **__: seen.append(config.detector()))
    monkeypatch.setattr(fitting, "_fit", lambda config, *_: seen.append(config))
    monkeypatch.setattr(studies, "run", lambda chosen, *_, **__: seen.append(chosen.trials) or {})
    monkeypatch.setattr(cli_study, "print_report", lambda *_: None)
    monkeypatch.setattr(cli_report, "print_report", lambda *_: None)
    monkeypatch.setattr(benchmark, "run_trials", lambda trials, *_, **__: seen.append(trials) or {})
    monkeypatch.setattr(benchmark, "dataset_hash", lambda spec: "0")
    if "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            cli.main(words)
        return
    assert cli.main(words) == 0, page
    assert seen or words[0] in CHEAP, page


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

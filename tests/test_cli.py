"""The command line: it starts fast, says what is wrong in one line, and exits as promised."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from anomalist import cli

TINY = [
    "--train",
    "600",
    "--calibration",
    "200",
    "--test",
    "50",
    "--model.epochs",
    "1",
    "--model.width",
    "4",
]


def call(*words):
    return subprocess.run(
        [sys.executable, "-m", "anomalist", *words], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["list"],
        ["list", "models"],
        ["list", "suites"],
        ["data"],
        ["data", "textures"],
        ["--version"],
    ],
)
def test_light_commands_never_import_torch(words):
    code = (
        "import sys; from anomalist.cli import main; status = main(sys.argv[1:]);"
        "assert 'torch' not in sys.modules, 'torch was imported'; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_help_answers_in_half_a_second():
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert "commands:" in call("--help").stdout
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_list_names_everything_with_its_description(capsys):
    assert cli.main(["list"]) == 0
    text = capsys.readouterr().out
    for name in (
        "mnist",
        "stripes",
        "pixel_dropout",
        "gaussian_noise",
        "patch_occlusion",
        "autoencoder",
    ):
        line = next(line for line in text.splitlines() if line.strip().startswith(name + " "))
        assert len(line.split(name)[1].strip()) > 10


def test_run_help_lists_the_options_of_the_typed_config(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in (
        "--model.bottleneck N",
        "--seed N",
        "--corruptions NAME",
        "--quick",
        "--device {auto,cpu,cuda}",
    ):
        assert option in text
    assert "--model.seed" not in text  # the run's own seed is the only one


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "unknown command 'rnu': did you mean 'run'? "),
        (["list", "modles"], "unknown kind 'modles': did you mean 'models'? valid: "),
        (["list", "--what"], "unknown anomalist list option '--what'"),
        (["data", "mnits"], "unknown data set 'mnits': did you mean 'mnist'?"),
        (
            ["data", "textures:sid=3"],
            "unknown option of textures 'sid': did you mean 'side'? valid: ",
        ),
        (["run", "--sede", "1"], "did you mean '--seed'? nearest of "),
        (["run", "--model.botleneck", "1"], "did you mean '--model.bottleneck'? nearest of "),
        (["run", "--seed"], "argument --seed: expected one argument"),
        (["run", "--seed", "one"], "baseline.seed: input should be a valid integer"),
        (["run", "--dataset", "mnits"], "unknown data set 'mnits': did you mean 'mnist'?"),
        (["report", "gird"], "unknown study 'gird': did you mean 'grid'?"),
        (["run", "--corruptions", "stripes:lines=1,lines=2"], "stripes: lines is given twice"),
        (
            ["run", "--model", "autoencodr"],
            "unknown model 'autoencodr': did you mean 'autoencoder'? nearest of ",
        ),
        (
            ["run", "--corruptions", "stripe"],
            "unknown corruption 'stripe': did you mean 'stripes'? nearest of ",
        ),
        (
            ["run", "--corruptions", "stripes:line=2"],
            "unknown option of stripes 'line': did you mean 'lines'?",
        ),
        (
            ["run", "--corruptions", "stripes:severity=1.5"],
            "stripes.severity: input should be less than or equal to 1",
        ),
        (
            ["run", "--corruptions", "stripes:lines=99"],
            "stripes.lines: at most 14 on 28 x 28 images, got 99",
        ),
        (
            ["run", "--model.bottleneck", "0"],
            "autoencoder.bottleneck: input should be greater than or equal to 1",
        ),
        (
            ["run", "--device", "gpu"],
            "baseline.device: input should be 'auto', 'cpu' or 'cuda', got 'gpu'",
        ),
        (["run", "--train", "60000"], "train: 60,000 images requested"),
    ],
)
def test_bad_input_is_one_clear_line_and_status_2(words, message, tmp_path, capsys):
    if words[0] == "run":
        words = [*words, "--results", str(tmp_path), *(TINY if "--train" not in words else [])]
    assert cli.main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert said[-1].startswith("anomalist: error: ")
    assert not (tmp_path / "metrics.json").exists()


def test_bad_input_prints_no_traceback():
    done = call("run", "--model.bottleneck", "0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_results_folder_that_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    assert cli.main(["run", "--results", str(tmp_path / "file" / "results")]) == 2
    assert "cannot write to the results folder" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_exits_130(tmp_path):
    many = [
        f"stripes:lines={1 + i % 14},value={('white', 'black')[i // 14 % 2]}" for i in range(28)
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    words = ["run", "--results", tmp_path, *TINY, "--test", "3000", "--corruptions", *many]
    process = subprocess.Popen(
        [sys.executable, "-m", "anomalist", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # a background shell's children ignore it
    )
    deadline = time.monotonic() + 90
    while not (tmp_path / "metrics.json").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    rows = json.loads((tmp_path / "metrics.json").read_text())["rows"]
    finished = {row["setting"] for row in rows}
    assert 1 <= len(finished) < len(many)
    assert f"interrupted: {len(finished)} of {len(many)} kinds of anomaly are finished" in out
    assert (tmp_path / "scores.npz").exists()
    assert (tmp_path / "model" / "detector.json").exists()
    assert {path.name for path in tmp_path.rglob(".*")} == {
        ".run.lock"
    }  # no temporary file is left

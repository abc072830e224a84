"""Options in files: what --print-config prints is read back, by every command."""

import json

import pytest

from anomalist import cli

COMMANDS = {
    "benchmark": ["quick", "--models", "pca", "knn:k=3", "--seeds", "2"],
    "evaluate": ["m", "parts", "--good", "a", "b"],
    "export": ["m", "--out", "x.onnx"],
    "fit": [
        *("parts", "--model", "ensemble", "--model.members", "pca", "knn:k=3", "--resize", "24x32"),
        *("--intensity", "0;4095", "--good", "ok", "--bad", "nok/a", "nok/b"),
    ],
    "gallery": ["--dataset", "digits"],
    "inspect": ["m", "--json"],
    "list": ["models"],
    "report": ["difficulty", "--format", "svg,tex"],
    "run": ["--quick", "--model", "pca", "--corruptions", "stripes:lines=2,value=black", "haze"],
    "score": ["m", "a", "b/c", "--heatmaps", "--maps", "float16"],
    "serve": ["m", "--port", "0", "--insecure"],
    "study": ["grid", "--vary", "model.bottleneck=2,4", "--vary", "task.contamination=0,0.05"],
    "tune": ["--threads", "2"],
}


def printed(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*words, "--print-config"])
    assert not stopped.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_printed_is_read_back(command, tmp_path, capsys):
    words = [word for word in COMMANDS[command] if word != "haze"]
    first = printed([command, *words], capsys)
    file = tmp_path / "options.yaml"
    file.write_text(first)
    assert printed([command, "--config", str(file)], capsys) == first


def test_every_command_takes_a_file(capsys):
    with pytest.raises(SystemExit):
        cli.main(["trial", "abc", "--print-config"])
    assert "key: abc" in capsys.readouterr().out


def test_the_command_line_takes_precedence(tmp_path, capsys):
    file = tmp_path / "fit.yaml"
    file.write_text("path: there\ngood: [ok]\nfalse_alarms: 0.1\nmodel: {name: knn, k: 3}\n")
    out = printed(["fit", "parts", "--config", str(file), "--false-alarms", "0.2"], capsys)
    assert "path: parts" in out
    assert "false_alarms: 0.2" in out
    assert "k: 3" in out
    assert "ok" in out


def test_a_list_at_the_end_of_a_file_does_not_take_the_folder(tmp_path, capsys):
    file = tmp_path / "fit.yaml"
    file.write_text("seed: 3\ngood: [ok, fine]\n")
    out = printed(["fit", "--config", str(file), "parts"], capsys)
    assert "path: parts" in out
    assert "good: [ok, fine]" in out


def test_json_and_sizes_as_lists(tmp_path, capsys):
    file = tmp_path / "fit.json"
    file.write_text("\ufeff" + json.dumps({"resize": [24, 32], "intensity": [0, 4095], "seed": 3}))
    out = printed(["fit", "parts", "--config", str(file)], capsys)
    for words in ("24", "32", "4095", "seed: 3"):
        assert words in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resiz: 3", "did you mean '--resize'"),
        ("- a\n- b", "must contain lines NAME: VALUE"),
        ("a: [", "is not valid"),
        ("resize: {a: {b: 1}}", "resize"),
        ("model: {name: knn, kk: 3}", "did you mean '--model.k'"),
        ("seed: 2026-11-27", "must be a text, a number"),
        ("'seed=3': 1", "is no name of an option"),
    ],
)
def test_mistakes_in_a_file_are_one_line(text, message, tmp_path, capsys):
    file = tmp_path / "fit.yaml"
    file.write_text(text)
    assert cli.main(["fit", "parts", "--config", str(file)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_files_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for words in (
        ["--config"],
        ["--config", "nothing.yaml"],
        ["--config", str(tmp_path / "bytes.yaml")],
    ):
        assert cli.main(["run", *words]) == 2
        assert capsys.readouterr().err.startswith("anomalist: error: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "file"),
    [
        (
            ["benchmark", "quick", "--models", "pca", "--seeds", "1"],
            "benchmarks/quick/options.yaml",
        ),
        (
            ["study", "one_class", "--quick", "--models", "pca", "--seeds", "1"],
            "studies/one_class.options.yaml",
        ),
    ],
)
def test_a_study_and_a_benchmark_keep_their_options(words, file, tmp_path, capsys):
    words = [*words, "--results", str(tmp_path), "--workers", "1"]
    assert cli.main(words) == 0
    capsys.readouterr()
    assert printed([words[0], "--config", str(tmp_path / file)], capsys) == printed(words, capsys)


@pytest.mark.slow
def test_the_options_of_a_run_are_read_from_its_results(tmp_path, capsys):
    words = ["run", "--quick", "--dataset", "digits", "--model", "pca", "--calibration", "50"]
    words += ["--corruptions", "stripes:lines=1", "--results"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    again = [
        "run",
        "--config",
        str(tmp_path / "one/config.json"),
        "--results",
        str(tmp_path / "two"),
    ]
    assert cli.main(again) == 0
    same = [(tmp_path / name / "metrics.json").read_bytes() for name in ("one", "two")]
    assert same[0] == same[1]

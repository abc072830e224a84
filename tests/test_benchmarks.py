"""The benchmarks' runner: what it keeps, what it compares, what it says; nothing is timed here."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("_bench")


@pytest.fixture
def runner(bench):
    return importlib.import_module("run")


def record(ratios, skipped=()):
    return {"name": "speed", "ratios": ratios, "skipped": list(skipped)}


def test_a_ratio_that_fell_by_more_than_a_quarter_got_worse(bench):
    kept = {"a / b": 10.0, "c / d": 10.0, "e / f": 10.0}
    comparison = bench.compare(kept, {"a / b": 7.4, "c / d": 7.6, "e / f": 99.0})
    assert comparison.worse == {"a / b": (10.0, 7.4)}
    assert comparison.new == []
    assert comparison.missing == []


def test_new_and_missing_ratios_are_named(bench):
    comparison = bench.compare({"same": 1.0, "gone": 2.0}, {"same": 1.0, "added": 3.0})
    assert comparison.worse == {}
    assert comparison.new == ["added"]
    assert comparison.missing == ["gone"]


def test_a_result_is_kept_with_machine_versions_and_commit(bench, tmp_path):
    file = tmp_path / "speed.json"
    result = bench.Result("speed", {"a / b": 2.0}, {"a, s": 0.5}, 2, ["no c: install it"])
    bench.write_result(file, result, 1.5)
    assert bench.read_result(file) == result
    surroundings = json.loads(file.read_text())["environment"]
    assert {"processor", "system", "python", "commit", "finished"} <= surroundings.keys()
    assert {"anomalist", "torch", "scikit-learn"} <= surroundings["packages"].keys()
    assert surroundings["threads"] == 2
    assert surroundings["seconds"] == {"benchmark": 1.5}


def test_a_result_that_is_no_number_is_not_kept(bench, tmp_path):
    file = tmp_path / "speed.json"
    file.write_text("kept")
    with pytest.raises(ValueError):
        bench.write_result(file, bench.Result("speed", {"a / b": float("nan")}), 1.0)
    assert file.read_text() == "kept"


def test_calls_are_timed_in_turns(bench):
    order = []
    seconds = iter([0.0, 5.0, 0.0, 1.0, 0.0, 7.0, 0.0, 3.0])
    times = bench.median_times(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")},
        2,
        clock=lambda: next(seconds),
        warm_ups=1,
    )
    assert order == ["a", "b"] * 3
    assert times == {"a": 6.0, "b": 2.0}


def test_the_check_says_what_got_worse_what_is_new_and_what_is_missing(runner):
    lines, worse = runner.check_lines(
        record({"a / b": 7.4, "added": 1.0}),
        record({"a / b": 10.0, "gone": 1.0}),
    )
    assert worse
    assert lines == [
        "speed: worse by 26%: a / b: 10 before, 7.4 now",
        "speed: new: added",
        "speed: missing: gone",
    ]


def test_the_check_passes_where_nothing_got_worse(runner):
    assert runner.check_lines(record({"a / b": 7.6}), record({"a / b": 10.0})) == ([], False)


def test_the_check_says_that_nothing_is_kept_yet(runner):
    lines, worse = runner.check_lines(record({"a / b": 1.0}), None)
    assert not worse
    assert lines == ["speed: new: no ratios are kept yet; `make bench` keeps them"]


def test_a_skipped_benchmark_is_one_line_and_replaces_nothing(runner, tmp_path):
    skipped = record({}, ["no maps here: make them"])
    assert runner.skipped_lines(skipped) == ["speed: skipped: no maps here: make them"]
    assert runner.check_lines(skipped, record({"a / b": 1.0})) == ([], False)
    assert not runner.keep(skipped, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_read_again(runner, tmp_path):
    assert runner.read_kept("speed", tmp_path) is None
    assert runner.keep(record({"a / b": 2.0}), tmp_path / "results")
    assert runner.read_kept("speed", tmp_path / "results") == record({"a / b": 2.0})


def test_the_table_shows_each_ratio_beside_the_kept_one(runner):
    text = runner.table([record({"a / b": 2.5, "added": 1234.5})], [record({"a / b": 2.0})])
    rows = [line.split() for line in text.splitlines()[2:]]
    assert rows == [["speed", "a", "/", "b", "2.5", "2"], ["speed", "added", "1,234", "-"]]


def test_every_benchmark_is_found(runner):
    assert runner.names() == sorted(runner.names())
    for name in runner.names():
        assert "\ndef measure(" in (FOLDER / f"{name}.py").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [(["no_such"], "there is no benchmark 'no_such'"), (["--quick", "--check"], "have no meaning")],
)
def test_wrong_words_are_refused(runner, monkeypatch, capsys, words, says):
    monkeypatch.setattr(sys, "argv", ["run.py", *words])
    with pytest.raises(SystemExit):
        runner.main()
    assert says in capsys.readouterr().err


def test_a_benchmark_that_misses_something_is_skipped(bench, tmp_path):
    """In the process that the runner starts, with a benchmark of its own."""
    (tmp_path / "lacking.py").write_text(
        "def measure(quick):\n"
        "    from _bench import Missing\n\n"
        "    raise Missing('no maps here: make them')\n"
    )
    file = tmp_path / "result.json"
    script = (
        f"import sys; sys.path[:0] = [{str(FOLDER)!r}, {str(tmp_path)!r}]; import _child; "
        f"sys.argv = ['_child.py', 'lacking', {str(file)!r}, '--quick']; _child.main()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert bench.read_result(file) == bench.Result("lacking", skipped=["no maps here: make them"])

"""Studies lose no work: killed, doubled, damaged or failing, the rows come out the same bytes,
each run once."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from small import BASE, trials

from anomalist import cli
from anomalist.core.errors import InputError
from anomalist.running.executors import Lost, execute
from anomalist.running.runner import run_trials
from anomalist.running.store import Store
from anomalist.studies._grid import with_values

HERE = Path(__file__).parent
DRIVER = (
    "import sys; sys.path.insert(0, sys.argv[1]); from small import trials; from pathlib import "
    "Path;"
    "from anomalist.running.runner import run_trials;"
    "sys.exit(bool(run_trials(trials(), Path(sys.argv[2]), workers=int(sys.argv[3]))))"
)


def rows_in(folder):
    paths = [path for path in (folder / "trials").glob("[!.]*.json") if path.name.count(".") == 1]
    return {path.name: path.read_bytes() for path in paths}


def start(folder, workers=1):
    command = [sys.executable, "-c", DRIVER, HERE, folder, str(workers)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert run_trials(trials(), folder, workers=1) == {}
    found = rows_in(folder)
    assert len(found) == 12
    return found


def test_a_finished_study_runs_nothing_and_answers_at_once(tmp_path):
    run_trials(trials(1), tmp_path, workers=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    began = time.perf_counter()
    assert run_trials(trials(1), tmp_path, workers=1) == {}
    assert time.perf_counter() - began < 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before


@pytest.mark.slow
def test_a_damaged_row_is_set_aside_and_run_again(tmp_path, expected):
    run_trials(trials(), tmp_path, workers=1)
    names = sorted(expected)[:3]
    (tmp_path / "trials" / names[0]).write_text("{")
    (tmp_path / "trials" / names[1]).write_bytes(b"")
    altered = expected[names[2]].replace(b'"seed": ', b'"seed": 1')
    (tmp_path / "trials" / names[2]).write_bytes(altered)
    run_trials(trials(), tmp_path, workers=1)
    assert rows_in(tmp_path) == expected
    assert len(list((tmp_path / "trials").glob("*.damaged"))) == 3


def test_a_trial_that_raises_is_noted_and_the_rest_goes_on(tmp_path):
    bad = with_values(BASE, {"task.corruption": "stripes:lines=0"})  # nothing changes: no anomaly
    unfit = with_values(BASE, {"task.train": 70_000})
    failures = run_trials([bad, unfit, *trials(1)], tmp_path, workers=1)
    assert set(failures) == {bad.key, unfit.key}
    assert "no anomalies" in failures[bad.key]
    assert "70,000 images requested" in failures[unfit.key]
    assert len(rows_in(tmp_path)) == 6
    store = Store(tmp_path / "trials")
    before = store.failure(bad.key)
    store.keep_failure(bad.key, {**before, "error": "an old story"})
    assert run_trials([bad], tmp_path, workers=1) == {
        bad.key: "an old story"
    }  # not run again unasked
    assert "no anomalies" in run_trials([bad], tmp_path, workers=1, retry_failed=True)[bad.key]


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_the_rows_are_the_same(tmp_path, expected):
    chance = random.Random(0)
    for _ in range(20):
        process = start(tmp_path)
        try:
            process.wait(timeout=chance.uniform(1.0, 4.5))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert start(tmp_path).wait(timeout=120) == 0
    assert rows_in(tmp_path) == expected


@pytest.mark.slow
def test_two_drivers_at_once_give_the_same_rows(tmp_path, expected):
    both = [start(tmp_path), start(tmp_path)]
    assert [process.wait(timeout=180) for process in both] == [0, 0]
    assert rows_in(tmp_path) == expected


def _die_once(path):
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


@pytest.mark.slow
def test_the_death_of_a_local_worker_is_noticed(tmp_path):
    with pytest.raises(Lost):
        list(execute(_die_once, [tmp_path / "one", tmp_path / "two"], workers=2))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # joblib's own, of the worker that stopped
def test_the_work_of_a_dead_local_worker_is_given_out_again(tmp_path, expected, capsys):
    def kill_after_the_first_row():
        while not rows_in(tmp_path):
            time.sleep(0.02)
        children = psutil.Process().children(recursive=True)
        next(child for child in children if "popen_loky" in " ".join(child.cmdline())).kill()

    (tmp_path / "trials").mkdir()
    killer = threading.Thread(target=kill_after_the_first_row)
    killer.start()
    assert run_trials(trials(), tmp_path, workers=2) == {}
    killer.join()
    assert rows_in(tmp_path) == expected
    assert "a worker died; its trials are assigned again" in capsys.readouterr().err


_ENDLESS = """
import os, sys, time
from pathlib import Path
from anomalist.running.executors import execute

def endless(name):
    Path(sys.argv[1], name).write_text(str(os.getpid()))
    while True:
        time.sleep(0.1)

list(execute(endless, ["one", "two"], workers=2))
"""


@pytest.mark.slow
def test_workers_end_with_a_driver_that_is_killed(tmp_path):
    driver = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(tmp_path)])
    files = [tmp_path / "one", tmp_path / "two"]
    while not all(file.exists() and file.read_text() for file in files):
        assert driver.poll() is None
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    workers = [int(file.read_text()) for file in files]
    deadline = time.monotonic() + 10
    while any(map(psutil.pid_exists, workers)):
        assert time.monotonic() < deadline, "a worker goes on without its driver"
        time.sleep(0.1)


GRID = ["study", "grid", "--quick", "--vary", "model.bottleneck=2,4,8", "--vary", "model.epochs=1"]


def command(folder, *words, limit=None):
    def prepare():
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # a shell's background jobs ignore it
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    line = [sys.executable, "-m", "anomalist", *GRID, "--results", str(folder), *words]
    return subprocess.Popen(
        line, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=prepare
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_within_seconds_and_keeps_what_is_finished(tmp_path, workers):
    process = command(tmp_path, "--workers", workers)
    while not rows_in(tmp_path):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    said = process.communicate(timeout=30)[1]
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert "anomalist: interrupted; finished results are kept" in said.splitlines()
    assert "Traceback" not in said
    kept = rows_in(tmp_path)
    assert 0 < len(kept) < 9
    assert all(json.loads(row) for row in kept.values())
    assert cli.main([*GRID, "--results", str(tmp_path), "--workers", "1"]) == 0
    assert len(after := rows_in(tmp_path)) == 9
    assert kept.items() <= after.items()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_is_one_clear_line_and_nothing_is_half_written(tmp_path, workers):
    """No file may grow beyond 50 kB, which a model does and a row does not: the system refuses as
    a full disk does."""
    process = command(tmp_path, "--workers", workers, limit=50_000)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert "Traceback" not in said
    told = [line for line in said.splitlines() if line.startswith("anomalist: ")]
    assert len(told) == 1
    assert told[0].startswith("anomalist: error: File too large")
    assert told[0].endswith("finished results are kept")
    assert rows_in(tmp_path) == {}
    assert not list(tmp_path.rglob("*.error.json"))
    assert cli.main([*GRID, "--results", str(tmp_path), "--workers", "1"]) == 0
    assert len(rows_in(tmp_path)) == 9


@pytest.mark.parametrize("folder", ["/proc/no/results", "file"])
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path, folder, capsys):
    (tmp_path / "file").touch()
    assert cli.main([*GRID, "--results", str(tmp_path / folder)]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert folder in said


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "dask", "ray"])
@pytest.mark.filterwarnings("default")  # the engines' own
def test_every_executor_gives_the_same_bytes(executor, tmp_path, expected):
    assert run_trials(trials(), tmp_path, executor=executor, workers=2) == {}
    assert rows_in(tmp_path) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_without_a_shared_folder_rows_come_back_to_the_driver(tmp_path, expected):
    assert run_trials(trials(), tmp_path, executor="dask", workers=2, shared=False) == {}
    assert rows_in(tmp_path) == expected
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_the_command_runs_a_grid_shows_a_trial_and_reruns_it(tmp_path, capsys):
    words = [
        "study",
        "grid",
        "--quick",
        "--seeds",
        "2",
        "--workers",
        "1",
        "--results",
        str(tmp_path),
    ]
    words += [
        "--vary",
        "model.bottleneck=2,8",
        "--vary",
        "model.epochs=1",
        "--vary",
        "task.train=200",
    ]
    assert cli.main(words) == 0
    assert "4 of 4 trials are finished" in capsys.readouterr().out
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("[sp]*/*")}
    assert {
        "studies/grid.csv",
        "studies/grid.parquet",
        "studies/grid.md",
        "plots/grid_vs_auc.png",
    } <= written
    key = next(iter(rows_in(tmp_path))).removesuffix(".json")
    assert cli.main(["trial", key[:9], "--results", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["trial"] == key
    assert cli.main(["trial", key, "--rerun", "--results", str(tmp_path)]) == 0
    assert "the same, to the last digit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["study", "bottelneck"], "unknown study 'bottelneck': did you mean 'bottleneck'?"),
        (["study", "grid"], "study grid needs at least one --vary"),
        (["study", "grid", "--vary", "model.botleneck=2"], "did you mean 'model.bottleneck'?"),
        (["study", "bottleneck", "--vary", "seed=1"], "--vary belongs to grid"),
        (["study", "bottleneck", "--seeds", "0"], "--seeds takes 1 or more"),
        (["study", "bottleneck", "--executor", "slurm"], "argument --executor: invalid choice"),
        (["trial", "0123"], "trial '0123': no trial in "),
    ],
)
def test_bad_input_is_one_line(words, message, tmp_path, capsys):
    assert cli.main([*words, "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_one_clear_line(tmp_path):
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
    ):
        run_trials(trials(1), tmp_path, executor="dask", address="tcp://127.0.0.1:9")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_dask_worker_killed_in_the_middle_loses_nothing(tmp_path, expected):
    from dask.distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        victim = next(iter(cluster.workers.values())).pid

        def kill_after_the_first_row():
            while not rows_in(tmp_path):
                time.sleep(0.05)
            os.kill(victim, signal.SIGKILL)

        (tmp_path / "trials").mkdir()
        killer = threading.Thread(target=kill_after_the_first_row)
        killer.start()
        assert (
            run_trials(trials(), tmp_path, executor="dask", address=cluster.scheduler_address) == {}
        )
        killer.join()
    assert rows_in(tmp_path) == expected

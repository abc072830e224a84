"""Benchmarks: rows side by side only where they may be, nothing dropped silently, other software
in the same table."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from anomalist import cli, datasets, exchange
from anomalist.analysis import benchmark_rows as rows
from anomalist.analysis.benchmark_rows import Place
from anomalist.analysis.leaderboard import leaderboard
from anomalist.core import catalog
from anomalist.datasets import parse as parse_dataset
from anomalist.models import Pca
from anomalist.models import parse as parse_detector
from anomalist.reports import benchmark as benchmark_report
from anomalist.reports.benchmark_pictures import critical_differences
from anomalist.running import benchmark
from anomalist.suites import Suite
from anomalist.suites import _base as suite
from anomalist.tasks import parse
from refusals import refused

SMALL = Suite(
    "small",
    1,
    2,
    ("pca", "knn"),
    {
        "one-class": tuple(
            parse(f"one_class:dataset=digits,normal_classes={n},calibration=20") for n in (2, 5)
        ),
        "noise": (
            parse(
                "corrupted:dataset=digits,corruption=gaussian_noise,train=200,calibration=50,test=40"
            ),
        ),
        "elsewhere": (parse("defects:dataset=(medmnist:set=pneumoniamnist,path=nowhere.npz)"),),
    },
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A benchmark that was run, its folder, and the beginning of its report."""
    results = tmp_path_factory.mktemp("results")
    outcome = benchmark.run(SMALL, results, workers=1)
    return outcome, results, benchmark_report.report(outcome, results / "small")


def test_every_detector_task_and_seed_has_a_row_and_what_is_absent_is_named(finished):
    outcome, results, said = finished
    assert outcome.failures == {}
    assert len(outcome.table) == outcome.total == 2 * 3 * 2
    assert list(outcome.absent) == ["elsewhere (`medmnist:set=pneumoniamnist,path=nowhere.npz`)"]
    assert "their data sets are not available:\n- elsewhere" in said
    assert said.startswith("# Benchmark: small, version 1\n\n12 of 12 trials are finished.")
    files = {path.name for path in (results / "small").iterdir()}
    assert files >= {
        "report.md",
        "rows.csv",
        "leaderboard.csv",
        "critical_difference.png",
        "auc_vs_cost.png",
    }


def test_the_leaderboard_is_of_means_over_groups(finished):
    outcome, results, _ = finished
    with (results / "small" / "leaderboard.csv").open() as file:
        board = {line["model"]: line for line in csv.DictReader(file)}
    for model in ("pca", "knn"):
        groups = [
            np.mean(
                [
                    row["auroc"]
                    for row in outcome.table
                    if (row["model"], row["group"]) == (model, group)
                ]
            )
            for group in ("one-class", "noise")
        ]
        assert float(board[model]["auroc"]) == pytest.approx(np.mean(groups))
        assert (
            float(board[model]["auroc_low"])
            < float(board[model]["auroc"])
            < float(board[model]["auroc_high"])
        )
    assert board["knn"]["aupro"] == ""  # it has no map
    assert 0 < float(board["pca"]["aupro"]) < 1
    assert sorted(float(line["mean_rank"]) for line in board.values()) in ([1.0, 2.0], [1.5, 1.5])


def test_a_new_detector_stands_beside_kept_rows_and_nothing_else_is_run(finished, tmp_path):
    outcome, results, _ = finished
    kept = results / "small" / "rows.csv"
    beside = benchmark.run(SMALL, tmp_path, models=["lof"], references=[kept], workers=1)
    assert {(row["model"], row["origin"]) for row in beside.table} == {
        ("lof", "run here"),
        ("pca", "rows.csv"),
        ("knn", "rows.csv"),
    }
    assert (
        len([path for path in (tmp_path / "trials").iterdir() if path.name.count(".") == 1])
        == beside.total
        == 6
    )
    old = {(row["model"], row["task"], row["seed"]): row["auroc"] for row in outcome.table}
    for row in beside.table:
        if row["model"] != "lof":
            assert row["auroc"] == old[row["model"], row["task"], row["seed"]]
    said = benchmark_report.report(beside, tmp_path / "small")
    assert "12 further rows are from rows.csv." in said
    assert "Friedman" in said  # three detectors


def test_what_was_run_here_is_believed_before_a_file(finished, tmp_path):
    outcome, results, _ = finished
    text = (results / "small" / "rows.csv").read_text()
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(text.replace(str(outcome.table[0]["auroc"]), "0.123"))
    again = benchmark.run(SMALL, results, references=[wrong], workers=1)
    assert again.table == outcome.table


def test_rows_of_another_version_task_or_seed_are_left_out_and_counted(finished, tmp_path):
    outcome, results, _ = finished
    places = [Place(row["group"], row["task"], row["task_sha256"]) for row in outcome.table]
    read = rows.read(results / "small" / "rows.csv")
    assert rows.matching(read, "small", 1, places, 2)[1] == 0
    assert rows.matching(read, "small", 2, places, 2) == ([], 12)
    assert rows.matching(read, "large", 1, places, 2) == ([], 12)
    kept, left = rows.matching(read, "small", 1, places, 1)
    assert (len(kept), left) == (6, 6)
    other = [Place("noise", "noise", "0" * 16)]
    assert rows.matching(read, "small", 1, other, 2) == ([], 12)
    newer = benchmark.run(
        Suite("small", 2, 1, ("pca",), SMALL.groups),
        tmp_path,
        references=[results / "small" / "rows.csv"],
        workers=1,
    )
    assert "12 rows of" in benchmark_report.report(newer, tmp_path / "report")


def test_rows_come_back_from_their_file(finished):
    outcome, results, _ = finished
    written = [
        {name: value for name, value in row.items() if name != "origin"} for row in outcome.table
    ]
    assert rows.read(results / "small" / "rows.csv") == [
        {**row, "threads": row["threads"] and float(row["threads"])} for row in written
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", ["no column 'suite'"]),
        (lambda text: text.replace("task_sha256", "task_md5"), ["no column 'task_sha256'"]),
        (lambda text: text.replace(",pca,", ",p|ca,"), ["model must be a name"]),
        (lambda text: text.replace(",pca,", ",,"), ["model must be a name"]),
        (
            lambda text: text.replace(",0,pca,", ",zero,pca,"),
            ["line 2", "seed must be a non-negative integer", "'zero'"],
        ),
        (
            lambda text: text.replace(",0,pca,0.", ",0,pca,1."),
            ["line 2", "auroc must be a number in [0, 1]"],
        ),
        (
            lambda text: text.replace(",0,pca,0.", ",0,pca,nan0."),
            ["auroc must be a number in [0, 1]"],
        ),
        (lambda text: text.replace(",0,pca,", ",,pca,"), ["seed and auroc must not be empty"]),
        (lambda text: text + "\0", ["rows.csv"]),
    ],
)
def test_damaged_rows_are_one_clear_line(change, words, finished, tmp_path):
    _, results, _ = finished
    text = change((results / "small" / "rows.csv").read_text())
    (tmp_path / "rows.csv").write_text(text)
    with refused("rows.csv", *words):
        rows.read(tmp_path / "rows.csv")


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path):
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    for path in (tmp_path / "absent.csv", tmp_path / "binary.csv", tmp_path):
        with refused(str(path)):
            rows.read(path)


def test_no_data_at_all_is_refused(tmp_path):
    nothing = Suite("nothing", 1, 1, ("pca",), {"elsewhere": SMALL.groups["elsewhere"]})
    with refused("all data sets of the suite 'nothing' are missing", "nowhere.npz"):
        benchmark.run(nothing, tmp_path)
    with refused("unknown model 'pac': did you mean 'pca'?"):
        benchmark.run(SMALL, tmp_path, models=["pac"])


def test_a_detector_that_was_trained_on_what_is_tested_has_no_row_and_is_named(tmp_path):
    blobs = Suite(
        "blobs",
        1,
        1,
        (),
        {"blobs": (parse("corrupted:dataset=digits,corruption=blobs,calibration=50"),)},
    )
    outcome = benchmark.run(blobs, tmp_path, models=["synthetic:defects=blobs"])
    assert outcome.table == []
    (message,) = outcome.failures.values()
    assert "does not measure the detection of unseen anomalies" in message
    assert "nothing to compare" in benchmark_report.report(outcome, tmp_path)


def table(values):
    """Rows of made values: detector to group to values of its tasks."""
    return [
        {
            "model": model,
            "group": group,
            "task": str(n),
            "task_sha256": f"{group}{n}",
            "seed": seed,
            "auroc": value + seed / 100,
            "origin": "run here",
            "duplicates": None,
        }
        for model, groups in values.items()
        for group, tasks in groups.items()
        for n, value in enumerate(tasks)
        for seed in (0, 1)
        if value is not None
    ]


def test_a_group_counts_once_and_only_where_all_of_its_tasks_are_there():
    made = table({"a": {"x": [0.5, 0.7], "y": [0.9]}, "b": {"x": [0.8, None], "y": [0.9]}})
    found = benchmark_report.grouped(made, "auroc")
    values = {(row["model"], row["group"], row["seed"]): row["auroc"] for row in found}
    assert values["a", "x", 0] == pytest.approx(0.6)
    assert ("b", "x", 0) not in values
    assert values["b", "y", 1] == pytest.approx(0.91)


def test_the_report_says_what_cannot_be_told(tmp_path):
    many = {
        f"m{n}": {f"g{group}": [0.5 + 0.01 * n + 0.001 * group] for group in range(8)}
        for n in range(3)
    }
    outcome = benchmark.Outcome("made", 1, table(many | {"late": {"g0": [0.9]}}))
    outcome.table[0]["duplicates"] = 7
    said = benchmark_report.report(outcome, tmp_path)
    assert "Friedman: chi-squared 16.00, p = 0.00034: the detectors differ significantly." in said
    assert "Wilcoxon, Holm: neighbours by rank that do not differ significantly: none." in said
    assert "Not ranked, because a group is missing: late." in said
    assert "identical to a training image:\n- g0, 0: 7" in said
    whole = (tmp_path / "report.md").read_text()
    line = next(line for line in whole.splitlines() if line.startswith("| 1. m2"))
    assert [cell.strip() for cell in line.split("|")] == ["", "1. m2", "", "8 : 0", "8 : 0", ""]
    few = benchmark.Outcome(
        "made",
        1,
        table(
            {name: {g: [v] for g, v in zip("xyz", (0.5, 0.6, 0.7), strict=True)} for name in "ab"}
        ),
    )
    assert "3 groups are too few" in benchmark_report.report(few, tmp_path)
    one = benchmark.Outcome("made", 1, table({"a": {"x": [0.5]}}))
    assert "There are no tests" in benchmark_report.report(one, tmp_path)
    assert not (tmp_path / "critical_difference.png").exists()  # none that the rows do not speak of


def test_the_picture_has_a_bar_for_each_clique_and_a_label_for_each_detector():
    many = {f"m{n}": {f"g{group}": [0.5 + 0.01 * n] for group in range(9)} for n in range(4)}
    order, ranks = benchmark_report.ranking(leaderboard(table(many), "group", "auroc"))
    figure = critical_differences(order, ranks, 0.05)
    nemenyi, wilcoxon = figure.axes
    assert {text.get_text().strip() for text in nemenyi.texts} >= {
        f"m{n} ({4 - n:.2f})" for n in range(4)
    }
    bars = [
        [item for item in axes.collections if item.get_linewidth()[0] == 4]
        for axes in (nemenyi, wilcoxon)
    ]
    assert [len(found) for found in bars] == [3, 0]  # neighbours only: the difference is 1.56 ranks


@pytest.mark.parametrize("name", catalog.names("suites"))
def test_every_suite_reads_and_names_data_sets_and_detectors_that_exist(name):
    found = suite.load(name, Path("somewhere"))
    assert found.version >= 1
    assert len({parse_detector(model) for model in found.models}) == len(found.models)
    for group, tasks in found.groups.items():
        assert group
        assert len({task.label for task in tasks}) == len(tasks)
        for task in tasks:
            for spec in task.dataset_specs:
                parse_dataset(spec)


def test_the_command_exports_evaluates_and_puts_other_scores_in_the_same_table(tmp_path, capsys):
    task = parse(
        "corrupted:dataset=digits,corruption=gaussian_noise,train=200,calibration=50,test=40"
    )
    own = Suite("own", 1, 1, ("pca",), {"noise": (task,)})
    test, scores, row = tmp_path / "test.npz", tmp_path / "scores.npz", tmp_path / "row.csv"
    assert cli.main(["data", "export", str(task), "--out", str(test)]) == 0
    sha256 = capsys.readouterr().out.split()[-1]
    with np.load(test) as given:  # as other software would
        assert json.loads(str(given["about"]))["sha256"] == sha256
        built = task.build(datasets.load("digits"), 0)
        found = Pca().fit(built.train.images).score(given["images"])
    np.savez_compressed(
        scores, image=found.image, pixel=found.pixel, test_sha256=sha256, method="our PCA"
    )
    assert (
        cli.main(["evaluate", "--scores", str(scores), "--test", str(test), "--row", str(row)]) == 0
    )
    said = capsys.readouterr().out
    assert "our PCA on corrupted:dataset=digits" in said
    assert "AUPRO" in said
    outcome = benchmark.run(own, tmp_path / "results", references=[row], workers=1)
    assert outcome.excluded == {}
    here, theirs = outcome.table
    assert (here["model"], theirs["model"], theirs["group"]) == ("pca", "our PCA", "noise")
    for name in ("auroc", "auroc_low", "auroc_high", "average_precision", "aupro", "aupro_low"):
        assert theirs[name] == pytest.approx(here[name], abs=1e-9), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["benchmark", "quikc"], "unknown suite 'quikc': did you mean 'quick'?"),
        (["benchmark", "quick", "--seeds", "0"], "--seeds takes 1 or more"),
        (["benchmark", "quick", "--reference", "nowhere.csv"], "cannot read 'nowhere.csv'"),
        (["benchmark", "quick", "--models", "nothing"], "unknown model 'nothing'"),
        (["evaluate", "--scores", "a.npz", "--test", "nowhere.npz"], "cannot read 'nowhere.npz'"),
        (
            ["evaluate", "--scores", "a.npz", "--test", "b.npz", "--row", "c.txt"],
            "--row writes a .csv file",
        ),
        (
            ["data", "export", "quick/digits", "--out", "a.npz"],
            "unknown task of the suite quick 'digits'",
        ),
        (["data", "export", "one_clas", "--out", "a.npz"], "unknown task 'one_clas'"),
        (
            ["data", "export", "one_class:dataset=digits", "--out", "a.npz"],
            "calibration: 6,000 images requested",
        ),
    ],
)
def test_wrong_words_are_one_clear_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()


def test_a_task_of_a_suite_is_exported_by_its_place(tmp_path, capsys):
    assert (
        cli.main(
            [
                "data",
                "export",
                "quick/digits one-class/class 5",
                "--out",
                str(tmp_path / "five.npz"),
            ]
        )
        == 0
    )
    assert exchange.read(tmp_path / "five.npz").task == str(
        suite.load("quick").groups["digits one-class"][1]
    )
    assert (
        cli.main(["data", "export", "quick/digits stripes", "--out", str(tmp_path / "lines.npz")])
        == 0
    )


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        cli.main(["benchmark", "--help"])
    said = capsys.readouterr().out
    for name in catalog.names("suites"):
        assert name.replace("_", "-") in said
    assert "--reference docs/benchmark/quick.csv" in said

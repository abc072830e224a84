"""Leaderboards: a row a detector, means only over what all have, costs from the trials that
fitted."""

import pytest
from small import BASE

from anomalist import cli
from anomalist.analysis.leaderboard import Cost, leaderboard, median_costs, spent
from anomalist.analysis.rows import averaged
from anomalist.models import parse
from anomalist.reports.study_pictures import against_cost
from anomalist.reports.study_tables import standings_table
from anomalist.running.runner import run_trials
from anomalist.running.store import Store
from anomalist.studies._grid import grid

TABLE = [
    {"model": model, "seed": seed, "digit": digit, "auroc": base + 0.01 * seed + 0.1 * digit}
    for model, base in (("fair", 0.6), ("good", 0.7))
    for seed in range(3)
    for digit in (0, 1)
]
ONE_MISSING = [row for row in TABLE if (row["model"], row["seed"], row["digit"]) != ("good", 2, 1)]


def test_a_seeds_mean_is_over_all_columns_or_not_at_all():
    found = averaged(ONE_MISSING, "digit", ("model", "seed"), "auroc")
    assert [(row["model"], row["seed"]) for row in found] == [
        ("fair", 0),
        ("fair", 1),
        ("fair", 2),
        ("good", 0),
        ("good", 1),
    ]
    assert found[0]["auroc"] == pytest.approx(0.65)


def test_the_best_mean_comes_first():
    first, second = leaderboard(TABLE, "digit", "auroc")
    assert (first.model, second.model) == ("good", "fair")
    assert first.mean["mean"] == pytest.approx(0.76)
    assert first.mean["n"] == 3
    assert first.cells[1]["mean"] == pytest.approx(0.81)


def test_what_is_not_run_leaves_a_gap_and_goes_last():
    partly = [*TABLE, {"model": "new", "seed": 0, "digit": 1, "auroc": 0.99}]
    standings = leaderboard(partly, "digit", "auroc")
    assert standings[-1].model == "new"
    assert standings[-1].mean is None
    text = standings_table(standings, "digit", {"good": Cost(12.0, 3_456.0, 1)})
    assert "| good    | 76.00 ±2.48 | 71.00 ±2.48 | 81.00 ±2.48 | 12.0     | 3,456      |" in text
    assert next(line for line in text.splitlines() if "| new" in line).split("|")[2:4] == [
        " -           ",
        " -           ",
    ]
    figure = against_cost(standings, {"good": Cost(12.0, 3_456.0, 1)}, "AUROC")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]


def test_costs_are_those_of_the_trials_that_fitted(tmp_path):
    trials = grid(
        BASE,
        {
            "model": ["pca", "autoencoder:epochs=2"],
            "task.corruption": ["stripes", "gaussian_noise"],
        },
        1,
    )
    assert run_trials(trials, tmp_path, workers=1) == {}
    store = Store(tmp_path / "trials")
    rows = [store.row(trial.key) for trial in trials]
    found = median_costs(
        {"model": row["facts"]["model"], **spent(row, store.side(row["trial"]))} for row in rows
    )
    assert set(found) == {"pca", "autoencoder:epochs=2"}
    assert found["pca"].fit < found["autoencoder:epochs=2"].fit
    assert all(cost.rate > 10 and cost.threads == 1 for cost in found.values())


@pytest.mark.parametrize(
    "spec",
    [
        "autoencoder",
        "autoencoder:bottleneck=8",
        "lof:blur=1.0,deskew=True",
        "ensemble:members=(lof:blur=1.0,k=5);pca",
    ],
)
def test_a_detectors_text_reads_back(spec):
    assert parse(spec).spec == spec
    assert parse(parse(spec).spec) == parse(spec)


@pytest.mark.slow
def test_the_command_compares_the_detectors_that_it_is_given(tmp_path, capsys):
    words = ["study", "one_class", "--quick", "--models", "pca", "lof:blur=1", "--workers", "1"]
    assert cli.main([*words, "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 trials are finished." in said
    assert "normal_classes 8" in said
    assert "lof:blur=1.0" in said
    assert (tmp_path / "plots" / "one_class_auc_vs_cost.png").is_file()


def test_models_are_for_the_studies_that_compare_them(tmp_path, capsys):
    assert cli.main(["study", "bottleneck", "--models", "pca", "--results", str(tmp_path)]) == 2
    assert "--models belongs to blind_spot, labelled, one_class" in capsys.readouterr().err


@pytest.mark.slow
def test_the_labelled_study_has_a_leaderboard_for_each_pair_of_shares_and_every_pair_of_classes(
    tmp_path, capsys
):
    from anomalist.studies.labelled import study

    full = study("full").trials
    pairs = {
        (trial.task.normal_classes[0], trial.task.labelled_class)
        for trial in full
        if trial.task.labelled
    }
    assert pairs == {(one, other) for one in range(10) for other in range(10) if one != other}
    assert all(trial.task.labelled for trial in full if getattr(trial.model, "made", None) == 0)
    tenth = [trial.task for trial in study(seeds=10).trials if trial.seed == 9]
    assert {task.labelled_class - task.normal_classes[0] for task in tenth} == {1, -9}
    words = [
        "study",
        "labelled",
        "--quick",
        "--models",
        "deep_sad:epochs=1,pretraining=1",
        "pca",
        "--workers",
        "1",
    ]
    assert cli.main([*words, "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "## AUROC: labelled=0.01, contamination=0\n" in text
    assert "## AUROC: labelled=0.05, contamination=0.1\n" in text
    assert (
        tmp_path / "plots" / "labelled_labelled=0.05_contamination=0.1_auc_vs_cost.png"
    ).is_file()

"""Figures are written in every format that is asked for, with the same bytes each time; tables also
as LaTeX; no two lines share a colour."""

import json
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure

from anomalist import cli
from anomalist.baseline import Baseline
from anomalist.baseline import job as baseline
from anomalist.reports.output import Output, save
from anomalist.reports.plots import PALETTE, line_styles
from anomalist.reports.study_pictures import against_cost
from anomalist.reports.study_tables import points_table

MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def a_figure():
    figure = Figure()
    figure.subplots().plot([0, 1], [1, 0], label="a line")
    return figure


@pytest.mark.parametrize("ending", MAGIC)
def test_the_same_figure_gives_the_same_bytes(ending, tmp_path):
    for name in ("one", "two"):
        save(a_figure(), tmp_path / f"{name}.{ending}")
    one, two = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert one.startswith(MAGIC[ending])
    assert one == two


def test_png_and_markdown_are_always_written_and_the_rest_on_request(tmp_path):
    point = {"x": 0.5, "mean": 0.8, "low": 0.7, "high": 0.9, "n": 3}

    def make(style):
        return points_table([point], ["x"], "100 % of_it", style)

    plain = Output(tmp_path / "plain")
    plain.figure(a_figure(), "curve")
    assert plain.table("points", make) == make("github")
    assert [path.name for path in plain.folder.rglob("*")] == ["curve.png"]
    all_of_it = Output(tmp_path / "all", ("svg", "pdf", "tex"))
    all_of_it.figure(a_figure(), "curve")
    assert all_of_it.table("points", make) == make("github")
    names = {path.name for path in all_of_it.folder.rglob("*.*")}
    assert names == {"curve.png", "curve.svg", "curve.pdf", "points.tex"}
    text = (all_of_it.tables / "points.tex").read_text(encoding="utf-8")
    assert text.startswith("\\begin{tabular}")
    assert "100 \\% of\\_it" in text
    all_of_it.clear()
    assert [path for path in all_of_it.folder.rglob("*.*") if path.is_file()] == []


@pytest.mark.parametrize("count", [1, 8, 9, 24])
def test_no_two_lines_share_a_colour(count):
    styles = line_styles(count)
    assert len({colour for colour, _ in styles}) == len(styles) == count
    if count <= len(PALETTE):
        assert [colour for colour, _ in styles] == list(PALETTE[:count])


def test_detectors_against_cost_are_numbered_and_differ_in_colour():
    from anomalist.analysis.leaderboard import Cost, Standing

    mean = {"mean": 0.9, "low": 0.8, "high": 1.0}
    standings = [Standing(f"m{i}", {}, mean) for i in range(20)]
    costs = {one.model: Cost(1.0 + i, 10.0 + i, 1) for i, one in enumerate(standings)}
    left, _ = against_cost(standings, costs, "AUROC").axes
    marks = [line for line in left.lines if line.get_label().endswith(tuple("0123456789"))]
    assert len({line.get_color() for line in marks}) == 20
    assert [text.get_text() for text in left.texts] == [str(i + 1) for i in range(20)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    config = Baseline(dataset="digits", model={"name": "pca"}, corruptions=("stripes",))
    baseline.run(config, folder, formats=("svg", "tex"))
    return folder


def test_a_run_writes_its_figures_and_table_in_further_formats(finished):
    assert {path.suffix for path in (finished / "plots").iterdir()} == {".png", ".svg"}
    assert "stripes" in (finished / "tables" / "results.tex").read_text(encoding="utf-8")


def test_a_run_writes_its_rows_as_csv_too(finished):
    import csv

    rows = json.loads((finished / "metrics.json").read_text(encoding="utf-8"))["rows"]
    with (finished / "metrics.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(rows)
    assert {line["score"] for line in lines} == {"default"}
    for row, line in zip(rows, lines, strict=True):
        assert float(line["value"]) == row["value"]
        assert (line["metric"], int(line["excluded"])) == (row["metric"], row["left_out"])


def test_score_histograms_mark_the_threshold(finished):
    from anomalist.reports.plots import histograms

    rows = json.loads((finished / "metrics.json").read_text(encoding="utf-8"))["rows"]
    with np.load(finished / "scores.npz") as scores:
        (axes,) = histograms(rows, dict(scores)).axes
        marked = [line for line in axes.lines if line.get_label() == "threshold"]
        assert marked[0].get_xdata()[0] == scores["threshold"]


def test_report_run_draws_a_finished_run_again(finished, tmp_path, capsys):
    copy = shutil.copytree(finished, tmp_path / "copy")
    shutil.rmtree(copy / "plots")
    words = ["report", "run", "--results", str(copy), "--format", "pdf"]
    assert cli.main(words) == 0
    assert {path.suffix for path in (copy / "plots").iterdir()} == {".png", ".pdf"}
    assert not (copy / "tables" / "results.tex").exists()
    assert "stripes" in capsys.readouterr().out


def test_what_other_commands_wrote_beside_a_run_stays(finished, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "copy")
    for path in ("plots/grid_vs_auc.png", "tables/grid_auc.tex", "plots/roc.pdf"):
        (copy / path).write_text("of a study")
    assert cli.main(["report", "run", "--results", str(copy)]) == 0
    assert (copy / "plots" / "grid_vs_auc.png").read_text() == "of a study"
    assert (copy / "tables" / "grid_auc.tex").read_text() == "of a study"
    assert not (copy / "plots" / "roc.pdf").exists()  # of an earlier report of the run
    assert not (copy / "tables" / "results.tex").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["report", "run"], "no finished run in"),
        (["report", "run", "--format", "jpg"], "there is no format 'jpg'; choose from svg, pdf"),
        (["run", "--format", ""], "there is no format ''"),
        (["study", "grid", "--format", "svg;pdf"], "there is no format 'svg;pdf'"),
    ],
)
def test_bad_input_is_one_clear_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"rows": [{}]}'),
        ("metrics.json", '{"rows": []}'),
        ("scores.npz", ""),
        ("curves.npz", "PK, and then nothing of a zip file"),
    ],
)
def test_damaged_results_are_one_clear_line(name, content, finished, tmp_path, capsys):
    copy = shutil.copytree(finished, tmp_path / "copy")
    (copy / name).write_text(content)
    assert cli.main(["report", "run", "--results", str(copy)]) == 2
    assert "are damaged" in capsys.readouterr().err

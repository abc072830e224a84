"""New measurements are taken over into the documentation as they are."""

import csv
import sys

import pytest

from doc_pages import DOCS

sys.path.insert(0, str(DOCS / "tools"))
import keep_rows
import measured_rows


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """An empty folder in the place of docs/measured, and one in the place of docs."""
    monkeypatch.setattr(measured_rows, "MEASURED", tmp_path)
    monkeypatch.setattr(keep_rows, "MEASURED", tmp_path)
    monkeypatch.setattr(keep_rows, "DOCS", tmp_path)
    return tmp_path


def write(path, lines):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def line(model, task, seed, auroc, **more):
    return {"model": model, "task": task, "seed": seed, "auroc": auroc, "fit_s": 2.0, **more}


def test_the_rows_of_a_detector_are_replaced_by_means_over_seeds(measured, capsys):
    old = [
        measured_rows.Row("pca", "auroc", "both", 50.0, 1.0, 3),
        measured_rows.Row("pca", "fit_s", "", 9.0, None, None),
        measured_rows.Row("lof", "auroc", "both", 60.0, None, 1),
    ]
    measured_rows.write("tiles", old)
    lines = []
    for seed, auroc in enumerate((0.7, 0.8, 0.9)):
        lines.append(line("pca", "blowhole crack", seed, auroc, images_per_s=100.0))
        lines.append(line("knn:blur=2.0", "crack", seed, auroc, images_per_s=50.0))
    write(measured / "new.csv", lines)
    keep_rows.keep_detectors("tiles", measured / "new.csv", costs=False)
    rows = measured_rows.read("tiles")
    assert [row.model for row in rows] == ["pca", "pca", "lof", "knn:blur=2"]
    pca = measured_rows.of_model(rows, "pca")
    assert pca["auroc", "both"][3:] == (80.0, 24.84, 3)  # Student's t with two degrees: 4.303
    assert pca["fit_s", ""].value == 9.0  # costs stay unless they are asked for
    assert "pca auroc: 50.00 -> 80.00" in capsys.readouterr().out
    keep_rows.keep_detectors("tiles", measured / "new.csv", costs=True)
    costs = measured_rows.of_model(measured_rows.read("tiles"), "pca")
    assert (costs["fit_s", ""].value, costs["images_per_s", ""].value) == (2.0, 100.0)


def test_a_mean_over_tasks_needs_all_of_them(measured):
    measured_rows.write("one_class", [])
    lines = [
        {"model": "lof", "task.normal_classes": digit, "seed": 0, "auroc": auroc}
        for digit, auroc in ((0, 0.8), (1, 0.9))
    ]
    lines.append({"model": "pca", "task.normal_classes": 0, "seed": 0, "auroc": 0.5})
    write(measured / "new.csv", lines)
    keep_rows.keep_detectors("one_class", measured / "new.csv", costs=False)
    rows = measured_rows.read("one_class")
    assert measured_rows.of_model(rows, "lof")["auroc", "mean"].value == 85.0
    assert ("auroc", "mean") not in measured_rows.of_model(rows, "pca")


def test_a_report_becomes_a_page_for_each_metric(measured):
    results = measured / "results"
    (results / "studies").mkdir(parents=True)
    (results / "plots").mkdir()
    (results / "plots" / "depth_vs_auc.svg").write_text("<svg/>")
    (results / "studies" / "depth.csv").write_text("a,same\n1,0\n2,0\n")
    (results / "studies" / "depth.md").write_text(
        "# Study: depth\n\n2 of 2 trials are finished.\n\n## AUROC\n\n| x |\n\n## AUPRO\n\n| y |\n"
        "\n## Detection thresholds\n\n| z |\n"
    )
    (measured / "findings").mkdir()
    keep_rows.keep_study("depth", results)
    folder = measured / "findings"
    names = {"depth.csv", "depth_vs_auc.svg", "depth_auroc.md", "depth_aupro.md"}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "depth.csv").read_text() == "a\n1\n2\n"  # a constant column says nothing
    text = (folder / "depth_auroc.md").read_text(encoding="utf-8")
    assert text.startswith("# Depth: every point of AUROC\n")
    assert "2 of 2 trials" in text
    assert text.index("| x |") < text.index("## Detection thresholds\n\n| z |")
    assert "| z |" not in (folder / "depth_aupro.md").read_text(encoding="utf-8")

"""What the HTML report shows: counts, studies, scores of files, damaged and strange folders."""

import json
import os

import numpy as np
import pytest
from report_content import NORMAL, SPOTS, THRESHOLD, content, scale, thumbnail

from anomalist.calibration import ReferenceScores
from anomalist.cli import report
from anomalist.core.errors import InputError, escaped, printable
from anomalist.core.files import write_csv, write_json
from anomalist.reports import html
from anomalist.reports.html.content import ScoreRows
from anomalist.reports.html.counts import counts_of
from anomalist.thumbnails import (
    LEVELS,
    MapScale,
    Scoring,
    ThumbnailFile,
    Thumbnails,
    encode_image,
    encode_map,
)
from refusals import refused

RNG = np.random.default_rng(0)


def test_counts_equal_a_count_by_hand():
    [rows] = content().scores
    counts = counts_of(rows)
    thresholds = np.array(counts["thresholds"])
    assert (np.diff(thresholds) > 0).all()
    assert thresholds[counts["start"]] == THRESHOLD
    for place, threshold in enumerate(thresholds):
        assert counts["above"][0][place] == (threshold < NORMAL).sum()
        assert counts["above"][1][place] == (threshold < SPOTS).sum()
        expected = (1 + (threshold < NORMAL).sum()) / 41
        assert counts["rates"][place] == pytest.approx(expected)
    assert counts["above"][0][0] == 40  # below every score
    assert counts["above"][1][-1] == 0
    assert [sum(bins) for bins in counts["bins"]] == [40, 20]


def test_the_mask_at_the_saved_threshold_is_exact():
    values = RNG.uniform(0, 1, (50, 50)).astype(np.float32)
    chosen = 0.123456
    one = MapScale.make("error", (0, 1), chosen, [0.1], [chosen])
    marked = one.levels(values) >= one.level_above(chosen)
    assert np.array_equal(marked, values > chosen)
    assert one.level_at(0.1) == one.level_above(chosen)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.4, 0.5), (2.0, 2.0), (-3.0, 5.0)])
def test_masks_elsewhere_are_right_to_one_level(ends):
    values = RNG.uniform(-1, 2, 5000).astype(np.float32)
    thresholds = [0.2, 0.6, 1.2]
    one = MapScale.make("error", ends, 0.6, [0.5, 0.1, 0.01], thresholds)
    edges = np.array(one.edges)
    width = np.diff(edges).max()
    assert (np.diff(edges) > 0).all()
    for rate, threshold in zip((0.5, 0.1, 0.01), thresholds, strict=True):
        marked = one.levels(values) >= one.level_at(rate)
        assert not marked[values < threshold - width].any()
        assert marked[values > threshold + width].all()


def test_without_rates_no_pixel_is_marked():
    assert MapScale.make("error", (0, 1), None).level_at(0.1) == LEVELS


def test_two_detectors_count_by_p_values(tmp_path):
    """The verdicts of cross calibration are p <= rate; the counts at the start must equal them."""
    folds = ReferenceScores([RNG.normal(size=30).astype(np.float32) for _ in range(2)])
    scores = RNG.normal(0.8, 1, (2, 200)).astype(np.float32)
    chances = folds.p_values(scores)
    rate = 0.05
    rows = [
        {"path": f"{n}.png", "score": f"{scores[:, n].mean():.9g}", "p_value": f"{p:.6g}"}
        for n, p in enumerate(chances)
    ]
    write_scores(tmp_path, rows, threshold=None, false_alarms=rate, images=60)
    [made] = html.collect(tmp_path).scores
    counts = counts_of(made)
    assert made.is_p_value
    assert counts["above"][0][counts["start"]] == folds.exceeded(scores, rate).sum()
    assert counts["rates"][counts["start"]] == pytest.approx(3 / 61)  # floor(0.05 * 61) of 61


def write_scores(folder, rows, *, threshold=0.5, false_alarms=0.1, images=20, calibration=()):
    write_csv(folder / "scores.csv", rows)
    scoring = Scoring(
        model={"detector": "pca"},
        options={},
        false_alarms=false_alarms,
        threshold=threshold,
        calibration=tuple(calibration),
        calibration_images=images,
    )
    write_json(folder / "scoring.json", scoring.model_dump(mode="json"))


def test_scores_without_calibration_and_pictures(tmp_path):
    rows = [{"path": f"a/{n}.png", "score": str(n), "p_value": ""} for n in range(5)]
    write_scores(tmp_path, rows, threshold=None, false_alarms=None, images=0)
    made = html.collect(tmp_path)
    counts = counts_of(made.scores[0])
    assert counts["rates"] is None
    assert not counts["hasThreshold"]
    assert "no calibration" in made.summary[0]
    assert "--heatmaps" in made.summary[-1]
    html.write(made, tmp_path / "report.html")


def test_evaluated_images_have_kinds(tmp_path):
    rows = [
        {"path": f"{n}.png", "kind": kind, "score": str(n), "p_value": "0.5"}
        for n, kind in enumerate(["good", "dent", "good", "crack"])
    ]
    write_scores(tmp_path, rows, calibration=np.arange(20.0))
    kinds = html.collect(tmp_path).kinds
    assert [(one.name, one.is_anomaly) for one in kinds] == [
        ("good", False),
        ("crack", True),
        ("dent", True),
    ]


def test_of_many_images_the_highest_and_some_others_are_shown(tmp_path):
    rows = [{"path": f"{n}.png", "score": str(n), "p_value": "0.5"} for n in range(7000)]
    write_scores(tmp_path, rows, threshold=5.0, calibration=[1.0])
    made = html.collect(tmp_path)
    shown = {one.scores[0].value for one in made.images}
    assert len(made.images) == len(shown) == 5000
    assert set(range(4500, 7000)) <= shown
    assert min(shown) == 0
    assert "5,000 of 7,000" in " ".join(made.summary)
    assert len(made.scores[0].by_kind[0]) == 7000


def test_studies_and_benchmarks_are_sections_and_their_html_is_text(tmp_path):
    studies = tmp_path / "studies"
    studies.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    inner = tmp_path / "results"
    (inner / "studies").mkdir(parents=True)
    (inner / "benchmarks" / "quick").mkdir(parents=True)
    (inner / "plots").mkdir()
    (inner / "plots" / "a.png").write_bytes(b"figure")
    text = "# Study\n\n| a | b |\n|---|---|\n| <script>x</script> | 2 |\n\n![A](../plots/a.png)\n"
    (inner / "studies" / "one.md").write_text(text + "![B](../../secret.png)\n![C](http://x/y.png)")
    (inner / "benchmarks" / "quick" / "report.md").write_text("# Benchmark\n\n## Part\n\n- x\n")
    made = html.collect(inner)
    assert [one.title for one in made.documents] == ["Study", "Benchmark"]
    shown = made.documents[0].html
    assert "&lt;script&gt;" in shown
    assert "<table>" in shown
    assert shown.count("data:image/png;base64,ZmlndXJl") == 1
    assert "c2VjcmV0" not in shown
    assert "http://" not in shown
    assert "<h3>Part</h3>" in made.documents[1].html
    html.write(made, tmp_path / "report.html")


def test_2000_images_of_photographs_stay_below_15_megabytes(tmp_path):
    """Of 256 x 256 pixels, noisy as photographs are, with a reconstruction, map and mask each."""
    y, x = np.mgrid[:256, :256] / 256
    images = []
    for number in range(12):
        smooth = 0.5 + 0.3 * np.sin(9 * x + number) * np.cos(7 * y * (1 + number / 9))
        photo = np.stack([smooth + RNG.normal(0, 0.03, (256, 256)) for _ in range(3)])
        heat = np.exp(-((x - 0.3) ** 2 + (y - 0.1 * number / 2) ** 2) * 30)
        heat += 0.1 * np.abs(np.sin(23 * x * y + number))
        one = thumbnail(str(number), "spot", 0.5)
        score = one.scores[0].model_copy(
            update={
                "map": encode_map(heat.astype(np.float32), scale()),
                "restored": encode_image(np.repeat(smooth[None], 3, 0).astype(np.float32)),
            }
        )
        photo = encode_image(photo.clip(0, 1).astype(np.float32))
        images.append(one.model_copy(update={"input": photo, "scores": (score,)}))
    html.write(content(images=[images[n % 12] for n in range(2000)]), tmp_path / "r.html")
    size = (tmp_path / "r.html").stat().st_size
    print(f"{size / 1e6:.1f} MB")
    assert size < 15e6


def test_a_file_of_thumbnails_survives_an_interruption(tmp_path):
    file = ThumbnailFile(tmp_path, [scale()])
    file.add([thumbnail("a", "spot", 0.2), thumbnail("b", "spot", 0.3)])
    with file.path.open("ab") as out:
        out.write(b'{"name": "c", "sco')
    assert [one.name for one in Thumbnails.read(tmp_path).images] == ["a", "b"]


def test_a_file_that_is_continued_after_a_cut_loses_only_the_cut_line(tmp_path):
    file = ThumbnailFile(tmp_path, [scale()])
    file.add([thumbnail("a", "spot", 0.2)])
    with file.path.open("ab") as out:
        out.write(b'{"name": "c", "sco')
    ThumbnailFile(tmp_path, [scale()]).add([thumbnail("c", "spot", 0.4), thumbnail("a", "spot", 1)])
    images = Thumbnails.read(tmp_path).images
    assert [(one.name, one.scores[0].value) for one in images] == [("a", 1), ("c", 0.4)]


@pytest.mark.parametrize("damage", ["{}\n", "not json\n", '{"format": 9, "scales": []}\n'])
def test_damaged_thumbnails_are_one_line(tmp_path, damage):
    (tmp_path / "thumbnails.jsonl").write_text(damage)
    with refused("thumbnails.jsonl", "damaged"):
        Thumbnails.read(tmp_path)


def test_a_damaged_folder_of_scores_is_one_line(tmp_path):
    rows = [{"path": "a.png", "score": "1", "p_value": "0.5"}]
    write_scores(tmp_path, rows, calibration=[1.0])
    changes = [
        ("scores.csv", f"path,score,p_value\na,{bad},1\n") for bad in ("nan", "inf", "1e308")
    ]
    changes += [("scores.csv", "path\na"), ("scoring.json", "{"), ("scoring.json", "[]")]
    for name, text in changes:
        kept = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text)
        with refused(str(tmp_path)):
            html.collect(tmp_path)
        (tmp_path / name).write_text(kept)
    (tmp_path / "scores.csv").write_text("path,score,p_value\n")
    with refused("no file"):
        html.collect(tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing", "--html", "r.html"], "no folder"),
        ([".", "--html", "r.html"], "no results"),
        ([".", "--html", "r.txt"], ".html"),
        ([".", "--html", "not/there.html"], "cannot be written"),
        (["."], "--html"),
    ],
)
def test_what_cannot_be_reported_is_one_line(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    with refused(says):
        report.main(words)
    assert list(tmp_path.iterdir()) == []


def test_equal_scores_have_a_histogram():
    rows = ScoreRows("error", [np.full(5, 0.0), np.full(3, 0.0)], np.full(9, 0.0), 0.0)
    counts = counts_of(rows)
    assert sum(counts["bins"][0]) == 5
    assert json.loads(json.dumps(counts))["above"][0][counts["start"]] == 0


def test_a_tie_with_the_threshold_has_the_verdict_of_the_table(tmp_path):
    """The table has 9 digits of a float32, and the threshold is one of these scores."""
    scores = RNG.normal(0.1, 0.01, 200).astype(np.float32)
    threshold = float(np.sort(scores)[150])
    rows = [{"path": str(n), "score": f"{s:.9g}", "p_value": "0.5"} for n, s in enumerate(scores)]
    write_scores(tmp_path, rows, threshold=threshold, calibration=scores.tolist())
    made = html.collect(tmp_path)
    counts = counts_of(made.scores[0])
    assert counts["above"][0][counts["start"]] == (scores > threshold).sum()
    shown = [one.scores[0].value > threshold for one in made.images]
    assert shown == (scores > threshold).tolist()


def test_files_whose_names_look_alike_have_their_own_pictures(tmp_path):
    names = ["a\nb.png", "a\\nb.png"]
    scores = [0.25, 0.75]
    rows = [
        {"path": printable(name), "score": str(score), "p_value": "0.5"}
        for name, score in zip(names, scores, strict=True)
    ]
    assert rows[0]["path"] == rows[1]["path"]
    write_scores(tmp_path, rows, calibration=[0.1])
    file = ThumbnailFile(tmp_path, [scale()])
    own = [
        thumbnail(escaped(name), "spot", score) for name, score in zip(names, scores, strict=True)
    ]
    file.add(own)
    shown = html.collect(tmp_path).images
    assert [one.scores[0].map for one in shown] == [one.scores[0].map for one in own]
    assert shown[0].scores[0].map != shown[1].scores[0].map


def test_damaged_studies_and_strange_figures(tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "my fig.png").write_bytes(b"figure")
    text = f"# T\n\n![A](../plots/my%20fig.png) ![B](../plots/{'x' * 400}.png)\n"
    (tmp_path / "studies" / "one.md").write_text(text)
    shown = html.collect(tmp_path).documents[0].html
    assert shown.count("data:image/png") == 1
    (tmp_path / "studies" / "one.md").write_bytes(b"# T\n\xff")
    with refused("damaged"):
        html.collect(tmp_path)


def test_thumbnails_that_were_cut_off_at_once_are_none(tmp_path):
    (tmp_path / "thumbnails.jsonl").write_text('{"format": 1, "sca')
    assert Thumbnails.read(tmp_path).images == ()


def test_a_link_is_followed_and_what_is_no_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_scores(tmp_path, [{"path": "a", "score": "1", "p_value": "0.5"}], calibration=[1.0])
    (tmp_path / "link.html").symlink_to("target.html")
    (tmp_path / "target.html").write_text("old")
    report.main([".", "--html", "link.html"])
    assert (tmp_path / "link.html").is_symlink()
    assert "anomalist" in (tmp_path / "target.html").read_text()
    os.mkfifo(tmp_path / "pipe.html")
    with refused("cannot be written"):
        report.main([".", "--html", "pipe.html"])


def test_an_error_of_ours_is_no_html(tmp_path):
    with pytest.raises(InputError):
        html.collect(tmp_path)
    assert not list(tmp_path.iterdir())

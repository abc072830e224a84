"""Comparisons along an axis: paired by seed, corrected within a corruption, said with care."""

import numpy as np
import pytest

from anomalist.analysis.comparisons import claim_markdown, compare, psychometrics
from anomalist.analysis.layout import Claim
from anomalist.analysis.rows import points
from anomalist.metrics.comparison import holm, paired
from anomalist.reports.study_pictures import curves
from anomalist.reports.study_tables import thresholds_table

RNG = np.random.default_rng(0)
SEEDS = RNG.normal(0.8, 0.05, 10)
AXES = ("kind", "size")
TABLE = [
    {
        "seed": seed,
        "size": size,
        "kind": kind,
        "corruption": kind,
        "auroc": SEEDS[seed] + gain + RNG.normal(0, 0.002),
    }
    for kind in ("a", "b")
    for size, gain in ((8, -0.01 if kind == "a" else 0.0), (32, 0.0), (128, 0.0))
    for seed in range(10)
]
CLAIM = Claim(statement="smaller is better", along="size", direction="less", reference=32)


def by_hand(kind, base, other):
    return paired(
        *(
            [row["auroc"] for row in TABLE if (row["kind"], row["size"]) == (kind, size)]
            for size in (base, other)
        )
    )


def test_each_line_is_compared_and_each_corruption_corrected_by_itself():
    found = compare(TABLE, AXES, CLAIM, "auroc")
    assert [(one.line["kind"], one.base, one.setting) for one in found] == [
        ("a", 32, 8),
        ("a", 32, 128),
        ("b", 32, 8),
        ("b", 32, 128),
    ]
    own = [by_hand("a", 32, other) for other in (8, 128)]
    assert [one.comparison[:6] for one in found[:2]] == [result[:6] for result in own]
    assert [one.comparison.p_holm for one in found[:2]] == pytest.approx(
        holm([result.p for result in own])
    )


def test_lines_of_one_corruption_are_one_family():
    together = [row | {"corruption": "the same"} for row in TABLE]
    found = compare(together, AXES, CLAIM, "auroc")
    p = holm([by_hand(kind, 32, other).p for kind in "ab" for other in (8, 128)])
    assert [one.comparison.p_holm for one in found] == pytest.approx(p)


def test_without_a_reference_each_value_is_compared_with_the_one_before():
    found = compare(TABLE, AXES, CLAIM.model_copy(update={"reference": None}), "auroc")
    assert [(one.base, one.setting) for one in found] == [(8, 32), (32, 128)] * 2


def test_the_rows_order_does_not_matter_and_lone_seeds_are_left_out():
    shuffled = [TABLE[i] for i in RNG.permutation(len(TABLE))]
    first = sorted(compare(TABLE, AXES, CLAIM, "auroc"), key=str)
    assert sorted(compare(shuffled, AXES, CLAIM, "auroc"), key=str) == first
    lone = [*TABLE, {"seed": 99, "size": 8, "kind": "a", "corruption": "a", "auroc": 0.0}]
    assert sorted(compare(lone, AXES, CLAIM, "auroc"), key=str) == first


@pytest.mark.parametrize(
    ("direction", "verdict"), [("less", "contradicted"), ("greater", "supported")]
)
def test_a_claim_is_turned_round_below_the_reference(direction, verdict):
    claim = CLAIM.model_copy(update={"direction": direction})
    found = compare(TABLE, AXES, claim, "auroc")
    assert [one.verdict for one in found] == [verdict, "open", "open", "open"]
    text = claim_markdown(found, claim, "AUROC")
    word = verdict.removesuffix("ed")
    assert text[1] == f"- kind a: {word} it at size 8; leave open it at size 128"
    assert text[2].startswith("    - size 8 against 32: AUROC lower by 0.0")
    assert text[2].endswith(verdict)
    assert text[4] == "- kind b: leave open it at size 8, 128"


def test_a_small_loss_agrees_with_a_claim_that_allows_for_it():
    shares = [row | {"size": {32: 0.0, 8: 0.1, 128: 0.2}[row["size"]]} for row in TABLE]
    claim = Claim(
        statement="it costs little", along="size", direction="greater", reference=0.0, margin=0.02
    )
    assert {one.verdict for one in compare(shares, AXES, claim, "auroc")} == {"supported"}
    strict = claim.model_copy(update={"margin": 0.0})
    assert [one.verdict for one in compare(shares, AXES, strict, "auroc")] == [
        "contradicted",
        "open",
        "open",
        "open",
    ]


def test_without_the_reference_nothing_is_compared():
    assert compare(TABLE, AXES, CLAIM.model_copy(update={"reference": 64}), "auroc") == []


SEVERITIES = (0.05, 0.1, 0.2, 0.4, 0.8)
COURSES = {
    "easy": [0.6, 0.7, 0.8, 0.97, 1.0],
    "blind": [0.5, 0.52, 0.5, 0.51, 0.5],
    "instant": [0.99, 1, 1, 1, 1],
}
GRADED = [
    {
        "seed": seed,
        "kind": kind,
        "severity": s,
        "auroc": min(1.0, y + 0.001 * seed),
        "changed_energy": s**2,
    }
    for kind, course in COURSES.items()
    for s, y in zip(SEVERITIES, course, strict=True)
    for seed in range(4)
]


def test_thresholds_are_found_line_by_line_with_the_energy_there():
    found = psychometrics(GRADED, "severity", ["kind"], (0.75, 0.95), resamples=50)
    at = {(fit.line["kind"], one.level): (one, e) for fit in found for one, e in zip(fit.bootstrap.thresholds, fit.energies, strict=True)}  # fmt: skip  # noqa: E501
    easy, energy = at["easy", 0.75]
    assert 0.1 < easy.low <= easy.value <= easy.high < 0.2
    assert 0.1**2 < energy < 0.2**2
    assert at["blind", 0.75] == (at["blind", 0.75][0]._replace(value=None), None)
    assert at["instant", 0.95][0].below
    text = thresholds_table(found, ["kind"])
    assert "not reached" in text
    assert "0.05 or less" in text


def test_fitted_curves_are_drawn_with_their_band():
    found = psychometrics(GRADED, "severity", ["kind"], (0.75,), resamples=20)
    axes = curves(
        points(GRADED, ("kind", "severity"), "auroc"), "severity", ["kind"], "AUROC", found
    ).axes[0]
    smooth = [line for line in axes.lines if len(line.get_xdata()) == len(found[0].bootstrap.grid)]
    assert [list(line.get_ydata()) for line in smooth] == [
        list(f.bootstrap.fit.curve.at(f.bootstrap.grid)) for f in found
    ]
    assert len(axes.collections) == 3


def test_one_seed_has_a_curve_and_no_interval():
    alone = [row for row in GRADED if row["seed"] == 0]
    found = psychometrics(alone, "severity", ["kind"], (0.75,), resamples=20)
    easy = next(line for line in thresholds_table(found, ["kind"]).splitlines() if "easy" in line)
    assert "[" not in easy
    assert "one seed shows no spread" in easy
    assert curves(
        points(alone, ("kind", "severity"), "auroc"), "severity", ["kind"], "AUROC", found
    ).axes


def test_too_few_severities_have_no_curve():
    assert (
        psychometrics(
            [row for row in GRADED if row["severity"] < 0.2], "severity", ["kind"], (0.75,)
        )
        == []
    )

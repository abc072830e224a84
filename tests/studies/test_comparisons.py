"""Comparisons along an axis: paired by seed, corrected within a line, said with care."""

import numpy as np
import pytest

from anomalist.metrics.comparison import holm, paired
from anomalist.reports.studies import thresholds_table
from anomalist.studies.comparisons import compare, detection_thresholds, sentence

RNG = np.random.default_rng(0)
SEEDS = RNG.normal(0.8, 0.05, 10)
TABLE = [
    {"seed": seed, "size": size, "kind": kind, "auroc": SEEDS[seed] + gain + RNG.normal(0, 0.002)}
    for kind in ("a", "b")
    for size, gain in ((8, -0.01 if kind == "a" else 0.0), (32, 0.0), (128, 0.0))
    for seed in range(10)
]


def test_each_line_is_compared_and_corrected_by_itself():
    found = compare(TABLE, "size", ["kind"], 32, "auroc")
    assert [(row["kind"], row["size"]) for row in found] == [("a", 8), ("a", 128), ("b", 8), ("b", 128)]
    by_hand = [
        paired(*([row["auroc"] for row in TABLE if (row["kind"], row["size"]) == ("a", size)] for size in (32, other)))
        for other in (8, 128)
    ]
    assert [row["difference"] for row in found[:2]] == [result.difference for result in by_hand]
    assert [row["p_holm"] for row in found[:2]] == pytest.approx(holm([result.p for result in by_hand]))


def test_the_rows_order_does_not_matter_and_lone_seeds_are_left_out():
    shuffled = [TABLE[i] for i in RNG.permutation(len(TABLE))]
    again = {(row["kind"], row["size"]): row["difference"] for row in compare(shuffled, "size", ["kind"], 32, "auroc")}
    first = {(row["kind"], row["size"]): row["difference"] for row in compare(TABLE, "size", ["kind"], 32, "auroc")}
    assert again == first
    lone = [*TABLE, {"seed": 99, "size": 8, "kind": "a", "auroc": 0.0}]
    assert compare(lone, "size", ["kind"], 32, "auroc") == compare(TABLE, "size", ["kind"], 32, "auroc")


def test_it_says_lower_where_it_is_and_leaves_the_rest_open():
    said = [sentence(row, "size", ["kind"], 32, "auroc") for row in compare(TABLE, "size", ["kind"], 32, "auroc")]
    assert said[0].startswith("kind a: size 8 against 32: auroc is lower, by -0.0")
    assert "p < 0.0001" in said[0] or "p = 0.0" in said[0]
    assert all(line.endswith("left open.") for line in said[1:])


def test_without_the_reference_nothing_is_compared():
    assert compare(TABLE, "size", ["kind"], 64, "auroc") == []


def test_thresholds_are_found_line_by_line_with_the_energy_there():
    severities = (0.05, 0.1, 0.2, 0.4, 0.8)
    curves = {"easy": [0.6, 0.7, 0.8, 0.97, 1.0], "blind": [0.5, 0.52, 0.5, 0.51, 0.5], "instant": [0.99, 1, 1, 1, 1]}
    table = [
        {"seed": seed, "kind": kind, "severity": s, "auroc": min(1.0, y + 0.001 * seed), "changed_energy": s**2}
        for kind, course in curves.items()
        for s, y in zip(severities, course, strict=True)
        for seed in range(4)
    ]
    found = {
        (row["kind"], row["level"]): row for row in detection_thresholds(table, "severity", ["kind"], (0.75, 0.95))
    }
    easy = found["easy", 0.75]
    assert 0.1 < easy["low"] <= easy["value"] <= easy["high"] < 0.2
    assert easy["energy"] == pytest.approx(np.interp(easy["value"], severities, np.square(severities)))
    assert found["blind", 0.75]["value"] is None
    assert found["instant", 0.95]["below"]
    text = thresholds_table(list(found.values()), ["kind"])
    assert "not reached" in text
    assert "0.05 or less" in text

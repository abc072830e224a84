"""Folders of images, and a cache of their own."""

import pytest
from folders import mask_at, put


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path / "cache"))


@pytest.fixture
def mvtec(tmp_path):
    """Five to train on, two good and three defects to test; masks named in both ways."""
    root = tmp_path / "parts"
    for number in range(5):
        put(root / "train" / "good" / f"{number}.png")
    for number in range(2):
        put(root / "test" / "good" / f"{number}.png")
    for kind, name, mask in (("dent", "a", "a_mask"), ("dent", "b", "b"), ("crack", "a", "a_mask")):
        put(root / "test" / kind / f"{name}.png")
        put(root / "ground_truth" / kind / f"{mask}.png", mask_at(4 if name == "a" else 8))
    return root


@pytest.fixture
def flat(tmp_path):
    root = tmp_path / "flat"
    for number in range(10):
        put(root / f"day_{number % 2}" / f"{number}.png")
    return root

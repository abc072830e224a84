"""Run the contracts on what the command line names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anomalist import corruptions as _corruptions
from anomalist import datasets as _datasets
from anomalist import models as _models
from anomalist.testing import corruptions, datasets, detectors

__all__ = ["test_corruption", "test_dataset", "test_detector"]

Check = Callable[[Any], None]


def _name(check: Check) -> str:
    return check.__name__


@pytest.mark.parametrize("check", detectors.CHECKS, ids=_name)
def test_detector(detector: str, check: Check) -> None:
    """Check a detector."""
    check(_models.parse(detector))


@pytest.mark.parametrize("check", corruptions.CHECKS, ids=_name)
def test_corruption(corruption: str, check: Check) -> None:
    """Check a corruption."""
    check(_corruptions.parse(corruption))


@pytest.mark.parametrize("check", datasets.CHECKS, ids=_name)
def test_dataset(dataset: str, check: Check) -> None:
    """Check a data set."""
    check(_datasets.parse(dataset))

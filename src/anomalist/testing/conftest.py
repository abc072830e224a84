"""Give the contracts what the command line names."""

from __future__ import annotations

from typing import Any

from anomalist.testing.plugin import KINDS

__all__ = ["pytest_generate_tests"]


def pytest_generate_tests(metafunc: Any) -> None:
    """Parametrize each test by the things named on the command line."""
    for kind in KINDS:
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, metafunc.config.getoption(f"--{kind}"))

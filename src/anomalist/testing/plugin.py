"""The options of ``pytest --pyargs anomalist.testing``; an entry point of pytest's loads them."""

from __future__ import annotations

import pytest

__all__ = ["KINDS", "pytest_addoption"]

KINDS = ("detector", "corruption", "dataset")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for each kind of thing that has a contract."""
    group = parser.getgroup("anomalist")
    for kind in KINDS:
        group.addoption(
            f"--{kind}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"{kind} whose contract is checked: a name, package.module:Class, or either with "
            ":OPTION=VALUE,…; may be given several times",
        )

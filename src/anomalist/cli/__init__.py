"""The command line, one file per command: ``run.py`` is ``anomalist run``."""

from anomalist.cli._main import main

__all__ = ["main"]

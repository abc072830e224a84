"""Studies, one per file: sets of trials that run in any order, on any machine, resumable."""

from anomalist.studies._base import Size, Study, run

__all__ = ["Size", "Study", "run"]

"""Studies, one file each: many trials, run in any order, anywhere, resumable."""

from anomalist.studies._base import Size, Study, run

__all__ = ["Size", "Study", "run"]

"""Output: the files of a report, its figures as PNG, SVG or PDF and its tables as LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalist.core.files import atomic_write, make_folder, write_text

if TYPE_CHECKING:  # Matplotlib loads slowly
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "Output", "save"]

FORMATS = ("svg", "pdf", "tex")  # in addition to PNG and Markdown, which are always written
_FIGURES = ("png", "svg", "pdf")
_DPI = 120
# Without dates and versions, the same figure gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class Output:
    """A folder of figures, with a folder of LaTeX tables.

    Args:
        folder: the folder of the figures; it is made if necessary.
        formats: further formats: ``"svg"`` and ``"pdf"`` for figures, ``"tex"`` for tables.
        tables: the folder of LaTeX tables; by default ``tables/`` in ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        formats: Sequence[str] = (),
        tables: Path | None = None,
    ) -> None:
        self.folder = make_folder(folder)
        self.formats = tuple(formats)
        self.tables = folder / "tables" if tables is None else tables

    def clear(self, name: str = "*") -> None:
        """Remove the figures and the table of an earlier report.

        Args:
            name: of the figure or table; by default all, for a folder that no other report uses.
        """
        for ending in _FIGURES:
            for old in self.folder.glob(f"{name}.{ending}"):
                old.unlink()
        for old in self.tables.glob(f"{name}.tex"):
            old.unlink()

    def figure(self, figure: Figure, name: str) -> None:
        """Write a figure as ``NAME.png`` and in the further formats."""
        save(figure, self.folder / f"{name}.png")
        for ending in _FIGURES[1:]:
            if ending in self.formats:
                save(figure, self.folder / f"{name}.{ending}")

    def table(self, name: str, make: Callable[[str], str]) -> str:
        """Return a table in Markdown; if the format ``tex`` is on, also write ``NAME.tex``.

        Args:
            name: name of the file without its ending.
            make: returns the table in a table format of tabulate.
        """
        if "tex" in self.formats:
            write_text(make_folder(self.tables) / f"{name}.tex", make("latex_booktabs") + "\n")
        return make("github")


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's ending; the same figure gives the same bytes."""
    import matplotlib

    ending = path.suffix.removeprefix(".")
    with (
        atomic_write(path) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "anomalist"}),
    ):
        figure.savefig(temporary, format=ending, dpi=_DPI, metadata=_METADATA[ending])

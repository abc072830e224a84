"""The interactive report: one HTML file that opens anywhere, made from the files of a folder."""

from anomalist.reports.html.collecting import collect
from anomalist.reports.html.writing import write

__all__ = ["collect", "write"]

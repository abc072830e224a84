"""Detectors as torch modules, for export: the same scores, without NumPy in between."""

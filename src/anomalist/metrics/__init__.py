"""Metrics: pure functions of arrays (NumPy and SciPy only), each with an honest interval."""

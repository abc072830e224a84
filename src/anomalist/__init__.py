"""Image anomaly detection and localisation: train on normal images, score, show where."""

from anomalist._version import __version__

__all__ = ["__version__"]

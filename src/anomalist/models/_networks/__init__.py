"""Networks of the detectors, one file each; nothing here knows about scores or training."""

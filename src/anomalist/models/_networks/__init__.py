"""Networks of the detectors, without scores or training."""

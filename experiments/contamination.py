"""Contamination: what do unnoticed anomalies in the training set cost?

    python experiments/contamination.py            all trials; finished trials are not run again
    python experiments/contamination.py --quick    a minute or less
    python experiments/contamination.py --help     all options

1. Anomalies replace 0 to 20 % of the training digits. They are digits with the tested corruption,
   digits with another corruption, or digits of another class.
2. Detectors are fitted as usual, and with a remedy that discards the highest losses of each batch,
   with ten seeds each.
3. Every share is compared with clean training, paired over seeds, with Holm's correction.

This script runs `anomalist study contamination`: see src/anomalist/studies/contamination.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", "contamination", *sys.argv[1:]]))

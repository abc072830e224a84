"""Contamination: what do unnoticed anomalies in the training set cost?

    python experiments/contamination.py            everything; what is finished is never run again
    python experiments/contamination.py --quick    a minute or less
    python experiments/contamination.py --help     every option

1. A share of 0 to 20 % of the training digits is replaced: by the tested corruption, by another, by
    another class.
2. Detectors are fitted plain and with a remedy that discards the highest losses of each batch, ten
    seeds each.
3. Every share is compared with clean training, paired over seeds, Holm-corrected.

The same code as `anomalist study contamination`: see src/anomalist/studies/contamination.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", "contamination", *sys.argv[1:]]))

"""Bottleneck: does a narrower autoencoder detect anomalies better?

    python experiments/bottleneck.py            all trials; finished trials are not run again
    python experiments/bottleneck.py --quick    a minute or less
    python experiments/bottleneck.py --help     all options

1. Autoencoders with 2 to 128 bottleneck units are fitted on the same digits, with ten seeds each.
2. Each autoencoder is tested on four corruptions that are hard enough to show differences, and on
   one-class digits.
3. Every size is compared with the default of 32, paired over seeds, with Holm's correction.

This script runs `anomalist study bottleneck`: see src/anomalist/studies/bottleneck.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", "bottleneck", *sys.argv[1:]]))

"""Bottleneck: does a narrower autoencoder see anomalies better?

    python experiments/bottleneck.py            everything; what is finished is never run again
    python experiments/bottleneck.py --quick    a minute or less
    python experiments/bottleneck.py --help     every option

1. Autoencoders of 2 to 128 bottleneck units are fitted on the same digits, ten seeds each.
2. Each is tested on four corruptions that are hard enough to show differences, and on one-class
   digits.
3. Every size is compared with the default of 32, paired over seeds, Holm-corrected.

The same code as `anomalist study bottleneck`: see src/anomalist/studies/bottleneck.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", "bottleneck", *sys.argv[1:]]))

"""Difficulty: how strong must a corruption be to be detected?

    python experiments/difficulty.py            all trials; finished trials are not run again
    python experiments/difficulty.py --quick    a minute or less
    python experiments/difficulty.py --help     all options

1. One autoencoder per seed is fitted on clean digits, with ten seeds.
2. Each autoencoder is tested on every corruption at seven strengths. Localisation is tested at
   three of them.
3. A psychometric curve gives the severity, and the change of the pixels, at which AUROC reaches
   0.75 and 0.95.

This script runs `anomalist study difficulty`: see src/anomalist/studies/difficulty.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", "difficulty", *sys.argv[1:]]))

"""Difficulty: how strong must a corruption be to be seen?

    python experiments/difficulty.py            everything; what is finished is never run again
    python experiments/difficulty.py --quick    a minute or less
    python experiments/difficulty.py --help     every option

1. One autoencoder a seed is fitted on clean digits, ten seeds.
2. Each is tested on every corruption at seven strengths, and localises at three of them.
3. A psychometric curve gives the severity, and the change of pixels, at which AUROC reaches 0.75
    and 0.95.

The same code as `anomalist study difficulty`: see src/anomalist/studies/difficulty.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["study", "difficulty", *sys.argv[1:]]))

"""The baseline on MNIST: train on normal digits, find corrupted ones, show where.

    python experiments/baseline_mnist.py            about a minute on two cores; writes to results/
    python experiments/baseline_mnist.py --quick    seconds
    python experiments/baseline_mnist.py --help     every option

1. 54,000 training digits fit a convolutional autoencoder; 6,000 more set the thresholds.
2. All 10,000 test digits are scored clean, and again with each of four corruptions at four
    strengths.
3. Every figure is written with its 95 % interval, and every picture drawn from what was written.

The same code as `anomalist run`: see src/anomalist/baseline/job.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))

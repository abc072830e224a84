"""The baseline on MNIST: train on normal digits, detect and localise corruptions.

    python experiments/baseline_mnist.py            about a minute on two cores; writes to results/
    python experiments/baseline_mnist.py --quick    seconds
    python experiments/baseline_mnist.py --help     all options

1. A convolutional autoencoder is fitted on 54,000 training digits; 6,000 more set the thresholds.
2. All 10,000 test digits are scored clean, and with each of four corruptions at four strengths.
3. Every metric is written with its 95 % interval, and every figure is drawn from the written files.

This script runs `anomalist run`: see src/anomalist/baseline/job.py.
"""

import sys

from anomalist.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))

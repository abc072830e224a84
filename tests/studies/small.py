"""Studies of seconds, for tests: real MNIST, tiny networks."""

from anomalist.studies._grid import grid
from anomalist.trial import Trial

BASE = Trial(
    task={"kind": "corrupted", "train": 300, "calibration": 150, "test": 40},
    model={"name": "autoencoder", "epochs": 2, "width": 4, "batch_size": 32},
    localize=False,
)
AXES = {
    "model.bottleneck": [2, 8],
    "task.corruption": [
        "stripes:lines=1",
        "gaussian_noise:sigma=0.2",
        "pixel_dropout:probability=0.2",
    ],
}


def trials(seeds=2):
    return grid(BASE, AXES, seeds)

"""The classic training script, a DataLoader over PIL images, against `anomalist`, in one run.

    python benchmarks/classic_loop.py

The same work for both: the 60,000 training images of MNIST, a dense autoencoder 784-128-64-8, 5
epochs of batches of 128 with Adam, then 200 clean and 200 noisy test images scored by their mean
squared error. The two are run in turn, each `--repeats` times; the ratio of the medians is what
counts, since machines are noisy. Reading the data set from disk is not timed for either.
"""

import argparse
import statistics
import time
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, Dataset

from anomalist import datasets, models
from anomalist.corruptions import GaussianNoise

EPOCHS, BATCH, BOTTLENECK, SCORED = 5, 128, 8, 200


class PilImages(Dataset):
    """Each image becomes a PIL image, then a tensor, when asked for, as torchvision does."""

    def __init__(self, images, labels):
        self.images, self.labels = torch.from_numpy(images[:, 0]), torch.from_numpy(labels)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        image, label = Image.fromarray(self.images[row].numpy()), int(self.labels[row])
        values = torch.from_numpy(np.array(image, np.uint8, copy=True))
        values = values.view(image.height, image.width, 1).permute(2, 0, 1).contiguous()
        return values.to(torch.float32).div(255), label


def classic(mnist, clean, noisy):
    """Train and score the way that tutorials do."""
    torch.manual_seed(0)
    sizes = (784, 128, 64, BOTTLENECK, 64, 128, 784)
    layers = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    network = nn.Sequential(*layers[:-1], nn.Sigmoid())
    data = PilImages(mnist.train.images, mnist.train.class_index)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for batch, _ in DataLoader(data, batch_size=BATCH, shuffle=True):
            loss = nn.functional.mse_loss(network(batch), batch.flatten(1))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        images = torch.from_numpy(np.concatenate([clean, noisy]))
        return ((network(images) - images.flatten(1)) ** 2).mean(1).numpy()


def ours(mnist, clean, noisy):
    """Do the same with the package."""
    detector = models.Autoencoder(
        architecture="dense",
        bottleneck=BOTTLENECK,
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=1e-3,
    )
    detector.fit(mnist.train.to_float())
    return detector.score(np.concatenate([clean, noisy])).image


def main():
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (default: 3)")
    repeats = parser.parse_args().repeats
    mnist = datasets.load("mnist")
    clean = mnist.test.to_float()[:SCORED]
    noisy = GaussianNoise(sigma=0.3)(clean, seed=0).images
    labels = np.repeat([0, 1], SCORED)
    seconds = {classic: [], ours: []}
    for _ in range(repeats):
        for method, taken in seconds.items():
            start = time.perf_counter()
            scores = method(mnist, clean, noisy)
            taken.append(time.perf_counter() - start)
            print(
                f"{method.__name__:8s} {taken[-1]:6.2f} s   AUROC "
                f"{roc_auc_score(labels, scores):.4f}",
                flush=True,
            )
    middle = {method: statistics.median(taken) for method, taken in seconds.items()}
    print(
        f"median of {repeats}: classic {middle[classic]:.2f} s, ours {middle[ours]:.2f} s, "
        f"ratio {middle[classic] / middle[ours]:.1f} (torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads)"
    )


if __name__ == "__main__":
    main()

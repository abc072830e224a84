"""Tiles: the map of a whole image has no seams, and equals that of an untiled one where it can."""

import numpy as np
import pytest
from PIL import Image

from anomalist import models
from anomalist.core.errors import InputError
from anomalist.core.memory import peak_bytes
from anomalist.deployment import FitConfig, fit, load
from anomalist.deployment.scorers import TiledScorer
from anomalist.deployment.tiling import Tiling
from made_parts import write


class Blur:
    """A detector whose map at a pixel depends on the pixels within ``reach``."""

    def __init__(self, reach):
        self.reach = reach

    def __call__(self, images):
        padded = np.pad(images[:, 0].astype(np.float32), ((0, 0), *[(self.reach, self.reach)] * 2))
        span = range(2 * self.reach + 1)
        height, width = images.shape[2:]
        maps = sum(padded[:, y : y + height, x : x + width] for y in span for x in span)
        return maps.max(axis=(1, 2))[None], maps[None]


@pytest.mark.parametrize("shape", [(256, 320), (100, 70), (301, 257), (64, 64), (20, 500)])
@pytest.mark.parametrize(("side", "overlap"), [(64, 32), (128, 32), (64, 0)])
def test_every_pixel_is_covered_and_weights_are_whole(shape, side, overlap):
    image = np.random.default_rng(0).integers(0, 255, (1, 1, *shape), np.uint8)
    scorer = TiledScorer(Blur(0), Tiling(side=side, overlap=overlap))
    score, maps = scorer(image)
    assert maps.shape == (1, 1, *shape)
    assert np.allclose(maps[0, 0], image[0, 0], rtol=1e-6)
    assert score[0, 0] == image.max()


@pytest.mark.parametrize("shape", [(256, 320), (301, 257)])
def test_the_map_equals_the_untiled_one_within_a_quarter_of_the_overlap(shape):
    image = np.random.default_rng(1).integers(0, 255, (1, 1, *shape), np.uint8)
    whole = Blur(8)(image)[1][0, 0]
    tiled = TiledScorer(Blur(8), Tiling(side=64, overlap=32))(image)[1][0, 0]
    inside = tuple(slice(0, length // 32 * 32 - 8) for length in shape)  # the rest is mirrored
    assert np.allclose(tiled[inside], whole[inside], rtol=1e-5)


def test_a_real_detector_has_no_seams():
    """FCDD, whose receptive field is known: tiled and untiled maps are equal inside."""
    rng = np.random.default_rng(2)
    small = rng.random((40, 1, 64, 64), np.float32)
    detector = models.Fcdd(width=4, epochs=1, downsamplings=1, spread=0.2, device="cpu").fit(small)
    image = rng.random((1, 1, 160, 224), np.float32)
    large = detector.model_copy()
    large._network = detector._network
    large._shape = (1, 160, 224)
    whole = large.score(image).pixel[0]

    def score(tiles):
        scores = detector.score(tiles)
        return scores.image[None], scores.pixel[None]

    tiled = TiledScorer(score, Tiling(side=64, overlap=32))(image)[1][0, 0]
    assert np.abs(tiled - whole).max() <= 1e-3 * whole.max()


def test_impossible_tiles():
    for side, overlap in ((48, 0), (64, 16), (64, 64)):
        with pytest.raises(InputError, match="multiples of 32"):
            Tiling(side=side, overlap=overlap)


def test_a_model_of_tiles_finds_a_small_defect_in_images_of_any_size(tmp_path):
    folder = write(tmp_path / "good", range(24), side=96)
    for number in range(24, 30):
        write(folder, [number], side=128)
    config = FitConfig(path=str(folder), tile=32, overlap=0, model="pca")
    fit(config, tmp_path / "model")
    model = load(tmp_path / "model")
    assert model.description.reading.size is None
    assert model.batch_size() == 1
    write(tmp_path / "new", [100], side=110)
    write(tmp_path / "new", [101], side=110, spot=True)
    scores = []
    for path in sorted((tmp_path / "new").iterdir()):
        read = model.description.reading.read(path)
        predictions = model.predict(read.image[None])
        assert predictions.maps.shape == (1, 110, 110)
        scores.append(predictions.score[0])
    assert scores[1] > scores[0]


@pytest.mark.slow
def test_large_images_are_scored_in_bounded_memory(tmp_path):
    """An image of 4,000 x 3,000 pixels takes less than 600 MB more."""
    folder = write(tmp_path / "good", range(12), side=256)
    config = FitConfig(path=str(folder), tile=128, model="pca", calibration="split", held_out=4)
    model = fit(config, tmp_path / "model")
    rng = np.random.default_rng(0)
    large = rng.integers(0, 255, (3_000, 4_000), np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    before = peak_bytes()
    read = model.description.reading.read(tmp_path / "large.png")
    predictions = model.predict(read.image[None])
    assert predictions.maps.shape == (1, 3_000, 4_000)
    assert peak_bytes() - before < 600e6

"""Micro-batches: a bad image fails alone, and requests share a limit of bytes."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import HTTPException

from anomalist.core.errors import InputError
from anomalist.deployment import load
from anomalist.deployment.model import Predictions
from anomalist.deployment.reading import ImageFile
from anomalist.service import scoring
from anomalist.service.batching import Batcher
from anomalist.service.config import ServeConfig
from anomalist.service.counters import Counters


class FragileModel:
    """A model whose score is the first pixel, and that fails on images of 13."""

    description = SimpleNamespace(reading=SimpleNamespace(size=None))
    scorer = SimpleNamespace(small_batches=nullcontext)
    batches: list[int]

    def __init__(self):
        self.batches = []

    def threads(self, count):
        return nullcontext()

    def batch_size(self):
        return 8

    def predict(self, images):
        self.batches.append(len(images))
        scores = images[:, 0, 0, 0].astype(np.float32)
        if 13 in scores:
            raise InputError("scores that are not finite")
        nothing = np.zeros(len(scores))
        return Predictions(scores, nothing, nothing, nothing > 0, scores, None, None)


def image(value):
    return ImageFile(np.full((1, 2, 2), value, np.uint8), (2, 2), None)


async def score_all(model, values):
    batcher = Batcher(model, 0.05, None, Counters())
    await batcher.prepare()
    task = asyncio.create_task(batcher.run())
    waiting = [batcher.score(image(value)) for value in values]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    task.cancel()
    batcher.close()
    return results


def test_an_image_that_fails_does_not_fail_the_others():
    model = FragileModel()
    results = asyncio.run(score_all(model, [1, 13, 3]))
    assert [type(one).__name__ for one in results] == ["Scored", "InputError", "Scored"]
    for one, value in ((results[0], 1), (results[2], 3)):
        assert one.predictions.score[one.number] == value
    assert model.batches == [3, 1, 1, 1]


def test_more_images_than_a_batch_are_several_batches():
    model = FragileModel()
    results = asyncio.run(score_all(model, range(20, 40)))
    assert [one.predictions.score[one.number] for one in results] == list(range(20, 40))
    assert sum(model.batches) == 20
    assert max(model.batches) == 8


def test_requests_share_a_limit_of_bytes(monkeypatch, model_folder):
    monkeypatch.setattr(scoring, "_MOST_HELD", 1000)
    service = scoring.ScoringService(load(model_folder), ServeConfig(max_bytes=500, decoders=1))
    try:
        with service.receiving() as first, service.receiving() as second:
            first(400)
            first(200)
            second(400)
            with pytest.raises(HTTPException) as caught:
                second(1)
            assert caught.value.status_code == 503
            assert caught.value.headers["Retry-After"] == "1"
        with service.receiving() as third:
            third(1000)  # everything was given back
    finally:
        service.close()

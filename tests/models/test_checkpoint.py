"""A long fit that is stopped and taken up again ends with the very weights of one that never
stopped."""

import numpy as np
import pytest

from anomalist import training
from anomalist.models import Autoencoder
from toys import blobs

IMAGES = blobs(200)


def detector():
    return Autoencoder(width=4, bottleneck=3, epochs=5, batch_size=32, device="cpu")


def stop_in_epoch(monkeypatch, epoch):
    """Have Ctrl-C come while the epoch's loss is reported, before its checkpoint is written."""
    report = training._Progress.report

    def interrupted(self, history):
        if len(history) == epoch:
            raise KeyboardInterrupt
        report(self, history)

    monkeypatch.setattr(training._Progress, "report", interrupted)


def test_resumed_it_is_bit_equal(tmp_path, monkeypatch):
    whole = detector().fit(IMAGES)
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    path = tmp_path / "fit.checkpoint"
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            detector().fit(IMAGES, checkpoint=path)
    assert path.exists()
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 1)  # starting anew would come by here
        resumed = detector().fit(IMAGES, checkpoint=path)
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.score(IMAGES).pixel, whole.score(IMAGES).pixel)


def test_a_short_fit_writes_none(tmp_path):
    detector().fit(IMAGES, checkpoint=tmp_path / "fit.checkpoint")
    assert not list(tmp_path.iterdir())


def test_a_damaged_checkpoint_is_not_used(tmp_path):
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(b"not a checkpoint")
    assert detector().fit(IMAGES, checkpoint=path).history == detector().fit(IMAGES).history

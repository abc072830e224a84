"""Training: one loop whose outcome is a function of its arguments, and batches that do not
matter."""

from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn

from anomalist import training
from anomalist.core.devices import resolve, using_threads
from anomalist.core.randomness import derive
from anomalist.training import apply_batched, seeded, train
from refusals import refused
from toys import blobs

CPU = {"device": torch.device("cpu"), "dtype": torch.float32}
IMAGES = blobs(70, (1, 6, 5))


def network():
    with seeded(0, "test"):
        return nn.Sequential(nn.Flatten(), nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 30))


def fit(images=IMAGES, net=None, **changes):
    net = net or network()

    def loss(batch):
        return nn.functional.mse_loss(net(batch), batch.flatten(1))

    settings = {
        "epochs": 3,
        "batch_size": 32,
        "learning_rate": 1e-2,
        "seed": 0,
        "title": "learning",
    }
    history = train(net, loss, images, **{**settings, **changes})
    return history, np.concatenate([value.detach().numpy().ravel() for value in net.parameters()])


def test_the_loss_falls_and_the_network_ends_ready_to_score():
    net = network()
    history, weights = fit(net=net, epochs=30)
    assert len(history) == 30
    assert history[-1] < 0.3 * history[0]
    assert not net.training
    assert np.isfinite(weights).all()


def test_the_seed_alone_decides():
    torch.manual_seed(1)
    history, weights = fit()
    torch.manual_seed(2)
    again, same = fit()
    other, different = fit(seed=1)
    assert (history, weights.tobytes()) == (again, same.tobytes())
    assert history != other
    assert weights.tobytes() != different.tobytes()


def seen(images, seed, **changes):
    """The batches that the loss is given, as the images' numbers."""
    net, batches = nn.Linear(1, 1), []

    def loss(batch):
        batches.append(batch[:, 0, 0, 0].int().tolist())
        return net(batch.flatten(1)[:, :1]).mean()

    settings = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3}
    train(net, loss, images, **{**settings, **changes}, seed=seed)
    return batches


def test_each_pass_shows_every_image_once_in_an_order_that_the_seed_decides():
    numbered = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    batches = seen(numbered, 3)
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    order = torch.Generator().manual_seed(derive(3, "data order"))
    expected = [torch.randperm(10, generator=order).tolist() for _ in range(2)]
    assert [[*chain(*batches[:3])], [*chain(*batches[3:])]] == expected
    assert expected[0] != expected[1]
    assert seen(numbered, 3) == batches
    assert seen(numbered, 4) != batches


def test_each_image_comes_with_its_target():
    net, seen = nn.Linear(1, 1), []

    def loss(batch, target):
        seen.append((batch[:, 0, 0, 0].int().tolist(), target.tolist()))
        return net(batch.flatten(1)[:, :1]).mean()

    numbered = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    train(
        net,
        loss,
        numbered,
        targets=np.arange(10) ** 2,
        epochs=2,
        batch_size=4,
        learning_rate=1e-3,
        seed=0,
    )
    assert len(seen) == 6
    assert all(target == [number**2 for number in batch] for batch, target in seen)


def test_the_epochs_closest_to_a_number_of_steps():
    for images, batch_size, steps in (
        (10, 1, 120),
        (10, 4, 120),
        (5, 2, 120),
        (7, 2, 120),
        (99, 1, 99),
        (200, 1, 200),
    ):
        epochs = training.epochs_for_steps(120, images, batch_size)
        assert epochs * -(-images // batch_size) == steps


def test_the_history_is_the_mean_over_images_not_batches():
    numbered = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    net = nn.Linear(1, 1)

    def loss(batch):
        return batch.mean() + 0 * net(batch.flatten(1)).sum()

    assert train(net, loss, numbered, epochs=1, batch_size=4, learning_rate=1e-3, seed=0) == [
        pytest.approx(4.5)
    ]


def test_global_random_state_and_threads_are_as_before():
    torch.manual_seed(77)  # no state that a fit ends in
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    fit()
    apply_batched(lambda batch: batch, IMAGES, **CPU)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), torch.get_num_threads()) == before[1:]
    assert torch.is_grad_enabled()


def test_a_seeded_draw_leaves_no_trace_even_after_an_error():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    draws = []
    for seed, purpose in ((0, "a"), (0, "a"), (1, "a"), (0, "b")):
        with seeded(seed, purpose):
            draws.append(torch.rand(3).tolist())
    with pytest.raises(RuntimeError), seeded(0, "a"):
        torch.rand(-1)
    assert draws[0] == draws[1]
    assert len({str(draw) for draw in draws}) == 3
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_are_as_before_even_after_an_error():
    before = torch.get_num_threads()
    with using_threads(before + 1) as count:
        assert (count, torch.get_num_threads()) == (before + 1, before + 1)
    with using_threads(None) as count:
        assert count == before
    with pytest.raises(RuntimeError, match="stop"), using_threads(before + 1):
        raise RuntimeError("stop")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("learning_rate", [1e30, 1e38])
def test_a_loss_that_is_no_longer_finite_is_refused(learning_rate):
    with refused("learning: the loss is no longer finite", "learning rate"):
        fit(learning_rate=learning_rate)


def test_images_are_not_modified_and_may_be_read_only_or_a_view():
    history, weights = fit()
    locked = IMAGES.copy()
    locked.flags.writeable = False
    mirrored = np.ascontiguousarray(IMAGES[..., ::-1])[..., ::-1]  # negative strides
    strided = np.repeat(IMAGES, 2, axis=0)[::2]
    for given in (locked, mirrored, strided):
        again, same = fit(given)
        assert (history, weights.tobytes()) == (again, same.tobytes())
        np.testing.assert_array_equal(given, IMAGES)
        np.testing.assert_array_equal(apply_batched(lambda batch: batch, given, **CPU), IMAGES)


def test_progress_is_plain_lines_when_nobody_watches(capsys):
    fit(epochs=3)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert [line.split(",")[0] for line in lines] == [
        f"learning: epoch {epoch}/3" for epoch in (1, 2, 3)
    ]
    assert all(
        "loss 0." in line and "images/s" in line and line.endswith("s left") for line in lines
    )
    assert "\r" not in err
    assert "\x1b" not in err


def test_a_long_training_says_about_ten_lines_the_last_included(capsys):
    fit(epochs=43)
    lines = capsys.readouterr().err.splitlines()
    assert 10 <= len(lines) <= 12
    assert lines[-1].startswith("learning: epoch 43/43")


def test_a_terminal_gets_one_live_line(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    fit(epochs=2)
    err = capsys.readouterr().err
    assert "\r" in err
    assert "epoch 2/2" in err
    assert "images/s" not in err.replace("image/s", "")  # no plain line besides


@pytest.mark.parametrize("count", [1, 3, 8, 9, 16, 17])
def test_every_batch_has_the_one_size_and_padding_is_cut_off(count):
    images = blobs(count, (2, 5, 3))
    sizes = []

    def double(batch):
        sizes.append(tuple(batch.shape))
        assert not batch[count - 8 * (len(sizes) - 1) :].any()  # black beyond the images
        return 2 * batch

    result = apply_batched(double, images, size=8, **CPU)
    assert sizes == [(8, 2, 5, 3)] * -(-count // 8)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, 2 * images)


def test_what_is_applied_may_have_another_shape_and_no_gradient_is_kept():
    def summed(batch):
        assert not torch.is_grad_enabled()
        return batch.sum(dim=(1, 2, 3))

    result = apply_batched(summed, IMAGES, **CPU)
    assert result.shape == (70,)
    np.testing.assert_allclose(result, IMAGES.sum(axis=(1, 2, 3)), rtol=1e-5)


def test_reduced_precision_reaches_the_function():
    layer = nn.Linear(30, 4)

    def applied(batch):
        result = layer(batch.flatten(1))
        assert result.dtype == torch.bfloat16
        return result

    assert (
        apply_batched(applied, IMAGES, device=torch.device("cpu"), dtype=torch.bfloat16).dtype
        == np.float32
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU where there is none")
def test_a_gpu_that_is_not_there_is_refused():
    with refused("device 'cuda'", "'cpu' or 'auto'"):
        resolve("cuda", "auto")
    assert resolve("auto", "auto") == (torch.device("cpu"), torch.float32)


def test_precision_is_resolved():
    assert resolve("cpu", "auto") == (torch.device("cpu"), torch.float32)
    assert resolve("cpu", "bfloat16") == (torch.device("cpu"), torch.bfloat16)

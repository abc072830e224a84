"""ResNets and vision transformers: another implementation's outputs, published sizes, and weights
under the names of several libraries."""

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from anomalist import models
from anomalist.core.errors import InputError
from anomalist.models import parse
from anomalist.models._networks import backbone, resnet, vit
from toys import blobs

slow = pytest.mark.slow
# Seven values of each layer's output by Hugging Face transformers 5.24 (ResNetModel, Dinov2Model,
# DINOv3ViTModel), with the weights and the image of ``fill`` and ``waves`` below.
REFERENCE = {
    "resnet18": [
        [0.264726, 0.29671, 0.149256, 0.154076, 0.10871, 0.0, 0.205467],
        [0.12526, 0.166352, 0.572695, 0.0388494, 0.0658766, 0.0, 0.175397],
        [0.336626, 0.203548, 0.126343, 0.916547, 0.0, 0.0519711, 0.38103],
        [1.78535, 0.0, 0.0, 0.534762, 0.410357, 2.54311, 0.469517],
    ],
    "resnet50": [
        [0.0, 0.678437, 0.413609, 0.0584601, 0.0, 0.129236, 0.0],
        [0.159241, 2.2551, 0.0, 0.348664, 0.0, 0.0, 0.809866],
        [7.69528, 17.3193, 8.68316, 0.0, 0.0, 1.89506, 4.37757],
        [1066.15, 0.0, 0.0, 8826.43, 0.0, 0.0, 4955.13],
    ],
    "dinov2": [
        [-0.369514, 1.25891, -0.398742, -0.154199, -0.659825, -1.23097, 0.829475],
        [-0.913921, 1.81272, -0.164963, -0.458064, -1.58154, -1.91635, 1.56296],
        [-1.42153, 2.30093, 0.0900671, -0.782064, -2.45989, -2.52464, 2.29125],
        [-0.520095, 1.50824, -0.00109523, -0.143996, -1.40683, -1.17662, 1.28027],
    ],
    "dinov3": [
        [-2.62603, -1.46061, 5.43827, -0.156528, 0.128003, -6.06261, 1.02095],
        [-2.97908, -0.389998, 4.89568, -0.359427, -1.12965, -6.32854, 1.92942],
        [-3.32865, 0.548466, 4.46253, -0.586197, -2.30371, -6.59609, 2.80791],
        [-0.471384, 0.550797, 0.979725, -0.0664592, -0.938348, -1.55734, 1.33245],
    ],
}
# Of the published networks without their classifier.
PARAMETERS = {
    "resnet18": 11_689_512 - 513_000,
    "resnet50": 25_557_032 - 2_049_000,
    "wide_resnet50_2": 68_883_240 - 2_049_000,
    "vit_small_dinov2": 22_056_576 - 384,  # the token of hidden patches, used in training alone
    "vit_base_dinov2": 86_580_480 - 768,
}
SMALL_VITS = {"dinov2": vit.ViTShape(32, 4, 14, 3, 0), "dinov3": vit.ViTShape(32, 4, 16, 0, 4)}


def fill(state):
    """Weights that depend on their names alone."""
    filled = {}
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        wave = np.sin(0.37 * np.arange(value.numel()) + len(name)).reshape(value.shape)
        of_norm = "weight" in name and ("norm" in name or "bn" in name)
        positive = name.endswith(("running_var", "gamma")) or of_norm
        positive = positive or "downsample.1.weight" in name
        values = 1 + 0.3 * wave if positive else 0.1 * wave
        filled[name] = torch.from_numpy(values.astype(np.float32))
    return filled


def waves(height, width):
    y, x = np.mgrid[:height, :width]
    planes = [np.sin(0.2 * x + 0.1 * c) * np.cos(0.13 * y) for c in range(3)]
    return torch.from_numpy(np.stack(planes)[None].astype(np.float32))


def sampled(output):
    flat = output.flatten()
    return flat[np.linspace(0, len(flat) - 1, 7).astype(int)].numpy()


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_resnet_computes_what_another_implementation_does(name):
    network = resnet.ResNet(resnet.ARCHITECTURES[name]).eval()
    network.load_state_dict({**network.state_dict(), **fill(network.state_dict())})
    with torch.inference_mode():
        outputs = network(waves(64, 64))
    for output, expected in zip(outputs, REFERENCE[name], strict=True):
        near = 1e-4 * np.abs(expected).max()  # sums of large numbers
        np.testing.assert_allclose(sampled(output), expected, rtol=1e-4, atol=near)


@pytest.mark.parametrize("name", SMALL_VITS)
def test_a_vision_transformer_computes_what_another_implementation_does(name):
    network = vit.ViT(SMALL_VITS[name]).eval()
    state = fill(network.state_dict())
    image = waves(42, 42)
    if name == "dinov3":  # whose keys have no bias; and an image that is not square
        for key, value in state.items():
            if key.endswith("qkv.bias"):
                value[32:64] = 0
        image = torch.cat([waves(64, 64), torch.zeros(1, 3, 64, 32)], 3)
    network.load_state_dict(state)
    with torch.inference_mode():
        outputs = network(image)
    for output, expected in zip(outputs, REFERENCE[name], strict=True):
        np.testing.assert_allclose(sampled(output), expected, rtol=1e-4, atol=1e-5)


@slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_published_numbers_of_parameters(name):
    network = backbone.untrained(name)
    assert sum(value.numel() for value in network.parameters()) == PARAMETERS[name]


@slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vit_small_dinov2", "vit_small_dinov3"])
def test_a_part_gives_the_outputs_of_the_whole(name):
    whole = backbone.untrained(name).eval()
    part = backbone.up_to(whole, (8, 16)).eval()
    side = 56 if name.endswith("dinov2") else 64
    with torch.inference_mode():
        for own, expected in zip(
            part(waves(side, side)), whole(waves(side, side))[1:3], strict=True
        ):
            torch.testing.assert_close(own, expected)


def weights_file(folder, name, ending):
    """A file of weights as timm saves them, with a classifier."""
    state = fill(backbone.untrained(name).state_dict())
    if name == "vit_small_dinov3":
        state = {
            key.replace("ls1.gamma", "gamma_1")
            .replace("ls2.gamma", "gamma_2")
            .replace("storage_tokens", "reg_token"): value
            for key, value in state.items()
            if not key.endswith("qkv.bias")
        }
    elif name.endswith("dinov2"):
        state["mask_token"] = torch.zeros(1, 384)
    else:
        state["fc.weight"] = torch.zeros(10, 512)
    path = folder / f"{name}{ending}"
    if ending == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save({"state_dict": state}, path)
    return path


@slow
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", ["resnet18", "vit_small_dinov2", "vit_small_dinov3"])
def test_detectors_take_weights_of_each_library(name, ending, tmp_path):
    path = weights_file(tmp_path, name, ending)
    options = {"backbone": name, "weights": str(path), "device": "cpu", "side": 64}
    images = blobs(12, (1, 32, 32))
    detector = models.PatchMemory(**options, memory=20).fit(images)
    detector.save(tmp_path / "saved")
    path.unlink()  # a saved detector contains the network
    again = models.load(tmp_path / "saved").score(images)
    assert np.array_equal(again.image, detector.score(images).image)
    assert np.isfinite(again.pixel).all()


@slow
@pytest.mark.parametrize("name", ["padim:channels=20", "student_teacher:epochs=1,width=8"])
def test_the_others_work_on_them_too(name, tmp_path):
    path = weights_file(tmp_path, "resnet18", ".pth")
    detector = parse(name).model_copy(
        update={"backbone": "resnet18", "weights": str(path), "side": 64}
    )
    scores = detector.fit(blobs(12, (3, 32, 32))).score(blobs(3, (3, 32, 32)))
    assert scores.pixel.shape == (3, 32, 32)


def test_normalisation_is_that_of_the_weights():
    assert backbone.normalisation_of("efficientnet_lite0", "auto")[0] == (0.5, 0.5, 0.5)
    assert backbone.normalisation_of("resnet18", "auto")[0] == (0.485, 0.456, 0.406)
    assert backbone.normalisation_of("resnet18", "inception")[0] == (0.5, 0.5, 0.5)


def test_weights_of_another_network(tmp_path):
    path = weights_file(tmp_path, "resnet18", ".pth")
    with pytest.raises(InputError, match="does not fit resnet50"):
        models.PatchMemory(backbone="resnet50", weights=str(path)).fit(blobs(4, (1, 32, 32)))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="contains no plain tensors"):
        models.PatchMemory(backbone="resnet18", weights=str(broken)).fit(blobs(4, (1, 32, 32)))


def test_without_the_hub_or_without_a_network_it_says_what_to_do(monkeypatch):
    detector = models.PatchMemory(backbone="resnet18")
    monkeypatch.setattr(backbone.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"anomalist\[hub\]'; or download model.safetensors of"):
        detector.fit(blobs(4, (1, 32, 32)))
    monkeypatch.undo()

    class Offline:
        @staticmethod
        def hf_hub_download(repository, file):
            raise OSError(f"no network for {repository}/{file}")

    monkeypatch.setitem(sys.modules, "huggingface_hub", Offline)
    monkeypatch.setattr(backbone.importlib.util, "find_spec", lambda name: Offline)
    with pytest.raises(InputError, match="no network for timm/resnet18") as refused:
        detector.fit(blobs(4, (1, 32, 32)))
    assert "give its path as weights" in str(refused.value)


def test_a_downloaded_file_is_used(monkeypatch, tmp_path):
    path = weights_file(tmp_path, "resnet18", ".safetensors")

    class Hub:
        @staticmethod
        def hf_hub_download(repository, file):
            assert (repository, file) == ("timm/resnet18.a1_in1k", "model.safetensors")
            return str(path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub)
    monkeypatch.setattr(backbone.importlib.util, "find_spec", lambda name: Hub)
    detector = models.PatchMemory(backbone="resnet18", side=64, memory=20)
    assert detector.fit(blobs(4, (1, 32, 32))).score(blobs(2, (1, 32, 32))).image.shape == (2,)

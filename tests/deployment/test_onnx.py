"""Exported models: the scores, p-values, decisions and maps of torch, in two other runtimes."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from anomalist import cli
from anomalist.core.errors import InputError
from anomalist.deployment import FitConfig, fit, load
from anomalist.deployment.scoring import score_files
from made_parts import part, write

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

slow = pytest.mark.slow
SIDE = 32
DETECTORS = {
    "autoencoder": "autoencoder:epochs=2,width=4,bottleneck=4",
    "vae": "vae:epochs=2,width=4,bottleneck=4",
    "inpainting": "inpainting:epochs=1,width=4",
    "synthetic": "synthetic:epochs=1,width=4",
    "fcdd": "fcdd:epochs=1,width=4",
    "pca": "pca",
    "knn": "knn",
    "padim": "padim:channels=30,side=64",
    "patch_memory": "patch_memory:memory=200,side=64",
    "student_teacher": "student_teacher:epochs=1,side=64",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("good"), range(120), side=SIDE)


@pytest.fixture(scope="module")
def images():
    """A thousand images of several kinds: normal, with a spot, darker, noise."""
    parts = [part(number, SIDE, spot=number % 3 == 0) for number in range(5_000, 5_800)]
    parts += [(part(number, SIDE) * 0.7).astype(np.uint8) for number in range(6_000, 6_100)]
    noise = np.random.default_rng(0).integers(0, 255, (100, SIDE, SIDE), np.uint8)
    return np.concatenate([np.stack(parts), noise])[:, None]


def openvino_scores(path, images):
    openvino = pytest.importorskip("openvino")
    # By default it computes with bfloat16 where the processor has it.
    compiled = openvino.compile_model(path, config={"INFERENCE_PRECISION_HINT": "f32"})
    batches = [compiled({"images": images[i : i + 100]}) for i in range(0, len(images), 100)]
    return {
        name: np.concatenate([batch[name] for batch in batches])
        for name in ("score", "p_value", "decision")
    }


@slow
@pytest.mark.parametrize("name", DETECTORS)
def test_both_runtimes_decide_like_torch(name, folder, images, tmp_path):
    if name in ("padim", "patch_memory", "student_teacher"):
        pytest.importorskip("efficientnet_lite_pytorch")
    config = FitConfig(path=str(folder), model=DETECTORS[name], held_out=40, false_alarms=0.1)
    model = fit(config, tmp_path / "model")
    path = tmp_path / "model.onnx"
    assert cli.main(["export", str(tmp_path / "model"), "--out", str(path)]) == 0
    expected = model.predict(images)
    exported = load(path).predict(images)
    vino = openvino_scores(path, images)
    assert 0.05 < expected.is_anomaly.mean() < 0.95
    for scores, decisions in (
        (exported.score, exported.is_anomaly),
        (vino["score"], vino["decision"]),
    ):
        assert np.allclose(scores, expected.score, rtol=1e-4)
        near = np.abs(expected.score / model.threshold - 1) < 1e-5
        assert np.array_equal(decisions[~near], expected.is_anomaly[~near])
        assert near.sum() <= 2
    assert np.allclose(exported.p_value, expected.p_value, atol=1.5 / 41)
    if expected.maps is not None:
        largest = np.abs(expected.maps).max()
        assert np.allclose(exported.maps, expected.maps, rtol=1e-3, atol=1e-4 * largest)


@slow
def test_the_file_decides_by_itself_and_the_threshold_is_an_input(model_folder, tmp_path):
    import onnxruntime

    path = tmp_path / "model.onnx"
    cli.main(["export", str(model_folder), "--out", str(path)])
    session = onnxruntime.InferenceSession(str(path))
    images = np.stack([part(n, spot=n % 2 == 0) for n in range(900, 930)])[:, None]
    expected = load(model_folder).predict(images)
    for count in (1, 2, 30):
        outputs = session.run(None, {"images": images[:count]})
        score, p_value, decision, maps = outputs
        assert np.allclose(score, expected.score[:count], rtol=1e-4)
        assert np.allclose(p_value, expected.p_value[:count], rtol=1e-5)
        assert np.array_equal(decision, expected.is_anomaly[:count])
        assert maps.shape == (count, 24, 24)
    nothing = {"images": images, "threshold": np.array(np.inf, np.float32)}
    assert not session.run(["decision"], nothing)[0].any()


def test_a_file_scores_files_like_the_model(model_folder, tmp_path):
    path = tmp_path / "model.onnx"
    cli.main(["export", str(model_folder), "--out", str(path)])
    new = write(tmp_path / "new", range(700, 710), spot=True)
    for name, model in (("torch", model_folder), ("onnx", path)):
        score_files(load(model), [new], tmp_path / name)
    lines = [
        (tmp_path / name / "scores.csv").read_text().splitlines() for name in ("torch", "onnx")
    ]
    for one, other in zip(*lines, strict=True):
        assert one.split(",")[0] == other.split(",")[0]
        assert one.split(",")[4:] == other.split(",")[4:]  # verdict and box
    assert cli.main(["inspect", str(path)]) == 0


def test_no_path_of_this_machine_is_in_the_file(model_folder, tmp_path):
    path = tmp_path / "model.onnx"
    cli.main(["export", str(model_folder), "--out", str(path)])
    data = path.read_bytes()
    for private in (b"/site-packages", b"/home", str(Path.cwd()).encode()):
        assert private not in data


def test_what_cannot_be_exported_says_why(tmp_path, capsys):
    folder = write(tmp_path / "parts", range(30))
    fit(FitConfig(path=str(folder)), tmp_path / "cross")
    assert cli.main(["export", str(tmp_path / "cross"), "--out", str(tmp_path / "x.onnx")]) == 2
    assert "--calibration split" in capsys.readouterr().err
    config = FitConfig(path=str(folder), model="lof", calibration="split")
    fit(config, tmp_path / "lof")
    assert cli.main(["export", str(tmp_path / "lof"), "--out", str(tmp_path / "x.onnx")]) == 2
    assert "lof cannot be exported" in capsys.readouterr().err
    assert cli.main(["export", str(tmp_path / "lof"), "--out", str(tmp_path / "x.pt")]) == 2
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_other_files_are_no_models(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load(path)
    with pytest.raises(InputError, match="there is no file"):
        load(tmp_path / "none.onnx")


@slow
def test_scoring_a_file_does_not_load_torch(model_folder, tmp_path):
    path = tmp_path / "model.onnx"
    cli.main(["export", str(model_folder), "--out", str(path)])
    new = write(tmp_path / "new", [1, 2])
    words = ["score", str(path), str(new), "--out", str(tmp_path / "out")]
    code = (
        f"import sys\nfrom anomalist import cli\nassert cli.main({words!r}) == 0\n"
        "assert not {'torch', 'sklearn', 'matplotlib'} & set(sys.modules), sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_scoring_imports_takes_little_time():
    """The target is 0.3 s; processor time, because other work may run beside this test."""
    code = (
        "import time\nstart = time.process_time()\n"
        "import anomalist.cli._options, anomalist.deployment.onnx_file\n"
        "import anomalist.deployment.scoring\nprint(time.process_time() - start)"
    )
    times = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        times.append(float(done.stdout))
    assert min(times) < 0.5


@pytest.mark.slow
def test_an_environment_without_torch_scores(model_folder, tmp_path):
    """A new environment with the package and what scoring needs, installed without torch."""
    path = tmp_path / "model.onnx"
    cli.main(["export", str(model_folder), "--out", str(path)])
    new = write(tmp_path / "new", range(700, 705), spot=True)
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    python = home / "bin/python"
    root = Path(__file__).parents[2]
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    needed = (root / "requirements-score.txt").read_text().split()
    for words in ([*pip, *needed], [*pip, "--no-deps", str(root)]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the registry is not reached: {done.stderr[-300:]}")
    without = subprocess.run([str(python), "-c", "import torch"], capture_output=True, check=False)
    assert without.returncode != 0
    words = [
        str(home / "bin/anomalist"),
        "score",
        str(path),
        str(new),
        "--out",
        str(tmp_path / "o"),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    score_files(load(path), [new], tmp_path / "here")
    assert (tmp_path / "o/scores.csv").read_text() == (tmp_path / "here/scores.csv").read_text()
    shutil.rmtree(home)

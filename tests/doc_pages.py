"""The pages of the documentation: their code blocks, and a folder in which these can run."""

import atexit
import os
import re
import shlex
import shutil
import tempfile
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pooch
from joblib.externals.loky import get_reusable_executor
from PIL import Image

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.relative_to(ROOT).parts),
]
PARTS = {"train": 60, "test": 20}  # images in the files of arrays
BLOCK = re.compile(r"^```(\{?[\w-]*\}?)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What a page writes for the reader's own file or program, which the tests do not have.
NOT_RUN = {
    "--executor": "needs a cluster; tests/studies start one of their own",
    "my_detector": "a detector of the reader's own package; tests/test_plugins.py makes one",
    "my_package.my_module:MyDetector": "the same",
    "resnet18.pth": "a file of weights; tests/models/test_backbones.py makes one",
    "resnet50": "downloads weights; tests/models/test_backbones.py says how it goes on",
    "fit.yaml": "a file that the reader writes; tests/test_config_files.py writes one",
    "mine": "a detector that the reader writes; tests/test_one_file.py writes one",
    "theirs.csv": "scores of the reader's other software",
    "haze": "of the worked example, which tests/test_one_file.py runs",
    "median": "of the worked example, which tests/test_one_file.py runs",
    "serve": "serves until it is stopped; tests/service starts it",
    "tune": "measures for minutes; tests/test_settings.py measures a small one",
}


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page):
    """Return (language, code) of the fenced blocks of a page, in order."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def detector_pages():
    """Return the pages of detectors and their results that have something to run."""
    runnable = {"shell", "python"}
    pages = [page for page in PAGES if "detectors" in page.relative_to(ROOT).parts]
    return [page for page in pages if runnable & {language for language, _ in blocks(page)}]


def commands_in(code):
    """Return the words of each command of a shell block; comments behind two spaces go."""
    lines = code.replace("\\\n", " ").splitlines()
    without = [re.split(r"\s{2,}#", line)[0] for line in lines if line.startswith("anomalist ")]
    return [shlex.split(line, comments=True) for line in without]


def commands():
    """Return (page, words) of each different command of all pages, without ``anomalist``.

    Commands stand in shell and text blocks, and in the text between backticks. Names in capitals
    stand for something that the reader chooses, but for the folder ``DIR``.
    """
    found = {}
    for page in PAGES:
        lines = [code for language, code in blocks(page) if language in ("shell", "text")]
        lines += re.findall(r"`(anomalist [^`]+)`", page.read_text(encoding="utf-8"))
        for words in commands_in("\n".join(lines)):
            placeholder = any(re.fullmatch(r"[A-Z]{3,}", word) for word in words if word != "DIR")
            if (
                words[1].strip("-").isalpha() and not placeholder
            ):  # not "anomalist 0.2: ...", output
                found[" ".join(words)] = (name_of(page), words[1:])
    return found


def make_workplace(folder, monkeypatch):
    """Go to a folder that holds the files that pages name as the reader's own.

    MNIST is taken from the usual cache; other caches are new.
    """
    cache = folder / "cache"
    cache.mkdir()
    usual = Path(pooch.os_cache("anomalist")) / "mnist"
    if usual.exists():
        (cache / "mnist").symlink_to(usual)
    monkeypatch.setenv("ANOMALIST_DATA", str(cache))
    place = folder / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    shutil.copytree(_drawn(), place, dirs_exist_ok=True, copy_function=os.link)
    return place


@cache
def _drawn():
    """Return a folder with the files, drawn once by each process."""
    place = Path(tempfile.mkdtemp(prefix="doc-pages-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    rng = np.random.default_rng(0)
    for name, count, bad in (
        ("parts/train/good", 40, False),
        ("parts/test/good", 10, False),
        ("parts/test/dent", 4, True),
        ("scans", 50, False),
        ("line/ok", 50, False),
        ("line/nok/dent", 3, True),
        ("line/nok/crack", 3, True),
        ("DIR/magnetic_tile/train/good", 60, False),
        ("DIR/magnetic_tile/test/good", 10, False),
        ("DIR/magnetic_tile/test/blowhole", 4, True),
        ("DIR/magnetic_tile/test/crack", 4, True),
    ):
        _draw(place / name, rng, count, bad)
    (place / "scans" / "bad.tsv").write_text("0.png\n1.png\n2.png\n")
    images = {part: rng.random((n, 28, 28)).astype(np.float32) for part, n in PARTS.items()}
    np.savez(
        place / "scans.npz", **{f"{part}_images": array * 4095 for part, array in images.items()}
    )
    _draw_xrays(place / "pneumoniamnist.npz", rng)
    _draw_xrays(place / "DIR" / "pneumoniamnist.npz", rng)
    with h5py.File(place / "run7.h5", "w") as file:
        for part, count in PARTS.items():
            defect = np.arange(count) % 5 == 4 if part == "test" else np.zeros(count, bool)
            file[f"{part}/frames"] = images[part] * 2 - 1
            file[f"{part}/defect"] = defect
    return place


def _draw(folder, rng, count, bad):
    folder.mkdir(parents=True)
    for number in range(count):
        image = rng.integers(100, 130, (24, 32)).astype(np.uint8)
        image[4:9, 4:9] += np.uint8(100 * bad)
        Image.fromarray(image).save(folder / f"{number}.png")


def _draw_xrays(path, rng):
    """Write a file of MedMNIST's format."""
    arrays = {}
    for part, count in (("train", 500), ("val", 60), ("test", 40)):
        arrays[f"{part}_images"] = rng.integers(0, 255, (count, 28, 28)).astype(np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % 4 == 3).astype(np.uint8)[:, None]
    np.savez(path, **arrays)


FEW_IMAGES = {"--train": "1000", "--calibration": "200", "--test": "100"}
# One fast detector where a command compares many by default; other tests run them all.
ONE_DETECTOR = {
    "one_class": "pca",
    "blind_spot": "pca",
    "labelled": "deep_sad:epochs=1,pretraining=1",
    "tiles": "pca",
    "xrays": "pca",
    "cross-domain": "pca",
    "mnist": "pca",
}


def quicker(words):
    """Return a command as the tests run it: ``--quick``, few images, a fast detector, one epoch."""
    words = [re.sub(r"\bepochs=\d+", "epochs=1", word) for word in words]
    if words[0] == "run" and "--dataset" not in words:
        for option, value in FEW_IMAGES.items():
            words += [] if option in words else [option, value]
    if words[0] in ("run", "study") and "--quick" not in words:
        words.append("--quick")
    if words[0] == "fit" and "--calibration" not in words:
        words += ["--calibration", "split"]  # the default for as many images as a page has
    if words[0] == "benchmark" and "--seeds" not in words:
        words += ["--seeds", "1"]
    if words[0] in ("study", "benchmark") and "--models" not in words and words[1] in ONE_DETECTOR:
        words += ["--models", ONE_DETECTOR[words[1]]]
    return words


def reason_not_to_run(words):
    """Return why a command is not run, or None."""
    for word, reason in NOT_RUN.items():
        if any(one == word or one.startswith(f"{word}:") for one in words):
            return reason
    return None


def run_page(page, capsys):
    """Run the shell and python blocks of a page from top to bottom."""
    from anomalist import cli

    # Processes of an earlier page would look for the reader's files in its folder.
    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    values = {}
    for language, code in blocks(page):
        if language == "python":
            exec(compile(code, name_of(page), "exec"), values)
        elif language == "shell":
            for words in commands_in(code):
                if reason_not_to_run(words[1:]) is None:
                    status = cli.main(quicker(words[1:]))
                    assert status in (0, None), f"{' '.join(words)}: {capsys.readouterr().err}"

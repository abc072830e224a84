"""Detectors, data sets and corruptions of other packages, by entry point and by import path."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from anomalist.core import plugins
from anomalist.core.errors import InputError
from anomalist.core.spec import format_spec, parse_spec
from anomalist.models import parse

PACKAGE = {
    "their/__init__.py": "",
    "their/median.py": '''
        """Median: scores an image by its distance to the median training image."""
        from typing import Any, ClassVar
        import numpy as np
        from pydantic import Field, PrivateAttr
        from anomalist.models import Detector, Scores

        class MedianImage(Detector):
            """Score by the mean absolute difference from the median image."""

            deterministic: ClassVar[bool] = True
            power: int = Field(1, ge=1, description="power of the differences")
            _median: Any = PrivateAttr(None)

            def _fit(self, images, checkpoint):
                self._median = np.median(images, axis=0)

            def _score(self, images):
                maps = (np.abs(images - self._median) ** self.power).mean(axis=1)
                maps = maps.astype(np.float32)
                return Scores(np.array([one.mean() for one in maps], np.float32), maps)

            def _arrays(self):
                return {"median": self._median}

            def _restore(self, arrays):
                self._median = arrays["median"]
        ''',
    "their/haze.py": '''
        """Haze: moves all pixels towards white."""
        from typing import ClassVar
        from pydantic import Field
        from anomalist.corruptions import Corruption

        class Haze(Corruption):
            """Mix the image with white."""

            physical: ClassVar[str] = "share"
            share: float | None = Field(None, ge=0, le=1, description="share of white")

            def change(self, images, strength, seed, index):
                from anomalist.core.randomness import uniform
                draws = uniform(seed, "haze", index, 1)[:, :, None, None]
                return (images + (1 - images) * strength * (0.5 + draws / 2)).astype("float32")
        ''',
    "their/broken.py": '"""Broken."""\nimport there_is_no_such_module\n',
    "their-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: their\nVersion: 1.2\n",
    "their-1.2.dist-info/entry_points.txt": """
        [anomalist.models]
        median_image = their.median:MedianImage
        broken_one = their.broken:Broken
        [anomalist.corruptions]
        haze = their.haze:Haze
        """,
}


@pytest.fixture(scope="module")
def their(tmp_path_factory):
    folder = tmp_path_factory.mktemp("their")
    for name, text in PACKAGE.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
    return folder


@pytest.fixture
def call(their, tmp_path):
    def call(*words):
        environment = {
            **os.environ,
            "PYTHONPATH": str(their),
            "ANOMALIST_DATA": str(tmp_path / "d"),
        }
        return subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
        )

    return call


def test_the_list_says_where_a_thing_comes_from(call):
    done = call("anomalist", "list")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "median_image" in line]
    assert "distance to the median training image. [their 1.2]" in line
    assert "Haze: moves all pixels towards white. [their 1.2]" in done.stdout
    assert "broken_one" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["median_image", "their.median:MedianImage"])
def test_a_detector_is_fitted_saved_and_loaded_in_another_process(call, tmp_path, name):
    sys.path.insert(0, str(Path(__file__).parent / "deployment"))
    try:
        from made_parts import write
    finally:
        sys.path.pop(0)
    good = write(tmp_path / "good", range(30))
    new = write(tmp_path / "new", range(50, 53), spot=True)
    done = call("anomalist", "fit", good, "--out", "model", "--model", name, "--model.power", 2)
    assert done.returncode == 0, done.stderr
    done = call("anomalist", "score", "model", new, "--out", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/scores.csv").read_text().count("anomalous") == 3
    assert "median_image:power=2" in call("anomalist", "inspect", "model").stdout


@pytest.mark.slow
def test_a_run_with_both(call):
    done = call(
        *("anomalist", "run", "--quick", "--dataset", "digits", "--model", "median_image"),
        *("--corruptions", "haze:share=0.5", "--calibration", "50"),
    )
    assert done.returncode == 0, done.stderr
    assert "haze" in done.stdout


@pytest.mark.slow
def test_what_cannot_be_loaded_says_why(call):
    done = call("anomalist", "run", "--model", "broken_one")
    assert done.returncode == 2
    assert "'broken_one' of the package their 1.2 cannot be loaded" in done.stderr
    assert "there_is_no_such_module" in done.stderr
    assert "Traceback" not in done.stderr
    done = call("anomalist", "fit", ".", "--model", "their.median:Nothing")
    assert done.returncode == 2
    assert "AttributeError" in done.stderr
    done = call("anomalist", "run", "--model", "their.haze:Haze")
    assert done.returncode == 2
    assert "is not a model" in done.stderr


@pytest.mark.slow
def test_contracts_run_on_them(call):
    words = ("pytest", "--pyargs", "anomalist.testing", "-q", "-p", "no:cacheprovider")
    done = call(*words, "--detector", "their.median:MedianImage", "--corruption", "haze")
    assert done.returncode == 0, done.stdout
    assert "16 passed" in done.stdout


@pytest.mark.slow
def test_contracts_find_what_is_wrong(call, their):
    text = (their / "their/median.py").read_text()
    (their / "their/wrong.py").write_text(
        text.replace("one.mean() for one in maps", "one.mean() + len(maps) for one in maps")
    )
    words = ("pytest", "--pyargs", "anomalist.testing", "-q", "-p", "no:cacheprovider")
    done = call(*words, "--detector", "their.wrong:MedianImage")
    assert done.returncode == 1
    assert "a_score_does_not_depend_on_the_batch" in done.stdout
    assert "1 failed" in done.stdout


def test_import_paths_in_specs():
    assert parse_spec("a.b:C:k=3,d=(x;y)", "model") == ("a.b:C", {"k": "3", "d": "(x;y)"})
    assert parse_spec("a:C", "model") == ("a:C", {})
    assert parse_spec("pca:blur=1", "model") == ("pca", {"blur": "1"})
    assert parse_spec(format_spec("a.b:C", {"k": 3}), "model") == ("a.b:C", {"k": "3"})
    assert plugins.is_import_path("a.b:C.D")
    assert not plugins.is_import_path("a.b")
    assert not plugins.is_import_path("a b:C")
    assert not plugins.is_import_path("pca:blur")  # a mistake in an option


@pytest.mark.parametrize("name", ["os:path", "no.such:Thing", "anomalist.models:Nothing"])
def test_other_things_are_no_detectors(name):
    with pytest.raises(InputError):
        parse(name)

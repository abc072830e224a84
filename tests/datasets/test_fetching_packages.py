"""Fetching a wheel from a local package index with pip."""

import hashlib
import os
import subprocess
import sys
import zipfile

import pytest

from anomalist.core.errors import InputError
from anomalist.datasets._download.fetch import fetch_package

WHEEL = "toy_data-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index that is a folder with one wheel; pip sees no other."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr("toy_data/data", "data")
        archive.writestr(
            "toy_data-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: toy-data\nVersion: 1.0\n",
        )
        archive.writestr(
            "toy_data-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("toy_data-1.0.dist-info/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def fetch(tmp_path, sha256, requirement="toy-data==1.0", wheel=WHEEL, **options):
    target = tmp_path / "target"
    target.mkdir()
    try:
        return fetch_package(requirement, wheel, sha256, target, **options)
    finally:
        assert {path.name for path in target.iterdir()} <= {wheel}  # nothing temporary is left


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_package_is_fetched_from_the_users_own_index(tmp_path, index, capfd):
    wheel = fetch(tmp_path, sha256_of(index / WHEEL))
    assert wheel == tmp_path / "target" / WHEEL
    assert wheel.read_bytes() == (index / WHEEL).read_bytes()
    assert capfd.readouterr() == ("", "")


def test_a_package_with_another_hash_is_refused(tmp_path, index):
    with pytest.raises(InputError, match=r"^pip: .*(hash|HASH)"):
        fetch(tmp_path, "0" * 64)


def test_a_package_that_the_index_lacks_is_told(tmp_path, index):
    with pytest.raises(InputError, match=r"^pip: No matching distribution found for toy-data==2.0"):
        fetch(tmp_path, "0" * 64, "toy-data==2.0")


def test_a_package_whose_wheel_is_named_otherwise_is_told(tmp_path, index):
    with pytest.raises(InputError, match=r"pip downloaded no other.whl"):
        fetch(tmp_path, sha256_of(index / WHEEL), wheel="other.whl")


def test_pip_has_a_deadline(tmp_path, index):
    with pytest.raises(InputError, match=r"pip did not finish within 0.01 s"):
        fetch(tmp_path, sha256_of(index / WHEEL), seconds=0.01)


def test_a_folder_called_pip_here_is_not_run(tmp_path, index, monkeypatch):
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__main__.py").write_text("raise SystemExit('the wrong pip')")
    (tmp_path / "pip" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    assert fetch(tmp_path, sha256_of(index / WHEEL)).exists()


def test_a_python_without_pip_is_told(tmp_path, index, monkeypatch):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = next(tmp_path.glob("bare/[bS]*/python*"))
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(InputError, match="this Python has no pip") as caught:
        fetch(tmp_path, "0" * 64)
    assert str(python) in str(caught.value)

"""The wheel contains every file that the package reads."""

import tomllib
from pathlib import Path

import anomalist

ROOT = Path(anomalist.__file__).parent


def test_every_data_file_goes_into_the_wheel():
    project = tomllib.loads((ROOT.parent.parent / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["anomalist"]
    taken = {path.relative_to(ROOT).as_posix() for each in patterns for path in ROOT.glob(each)}
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()}
    data = {name for name in files if not name.endswith((".py", ".pyc"))}
    assert data == taken
    assert "deployment/costs.json" in data

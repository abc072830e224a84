import pytest

from anomalist.deployment import FitConfig, fit
from made_parts import write


@pytest.fixture(autouse=True)
def data_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("ANOMALIST_DATA", str(tmp_path_factory.getbasetemp() / "deployment-data"))


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    return write(tmp_path_factory.mktemp("good"), range(120))


@pytest.fixture(scope="session")
def model_folder(good, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    patch = pytest.MonkeyPatch()
    patch.setenv("ANOMALIST_DATA", str(tmp_path_factory.mktemp("data")))
    fit(FitConfig(path=str(good), held_out=40, false_alarms=0.05), folder)
    patch.undo()
    return folder

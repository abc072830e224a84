import io

import pytest
from PIL import Image
from served import Served

from anomalist.deployment import FitConfig, fit
from made_parts import part, write


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("service")
    patch = pytest.MonkeyPatch()
    patch.setenv("ANOMALIST_DATA", str(home / "data"))
    good = write(home / "good", range(160))
    fit(
        FitConfig(path=str(good), calibration="split", held_out=60, false_alarms=0.05),
        home / "model",
    )
    patch.undo()
    return home / "model"


@pytest.fixture(scope="module")
def served(model_folder):
    one = Served(model_folder)
    yield one
    assert one.stop() == 0, one.lines


def png(number, **options):
    buffer = io.BytesIO()
    Image.fromarray(part(number, **options)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def normal():
    return png(900)


@pytest.fixture(scope="session")
def spotted():
    return png(901, spot=True)

"""Catalog: what exists is what lies in the folder, and looking costs nothing."""

import subprocess
import sys

import pytest

from anomalist import corruptions, datasets, models, tasks
from anomalist.core import catalog
from anomalist.core.config import snake_case
from anomalist.core.spec import split
from refusals import refused

ALL = [(package, name) for package in catalog.LISTED for name in catalog.names(package)]


@pytest.fixture
def made_up_package(tmp_path, monkeypatch):
    """A package with one file that cannot even be imported."""
    monkeypatch.setattr(catalog, "_folder", lambda package: tmp_path / package)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "new_idea.py").write_text(
        '"""One line.\n\nMore.\n"""\nimport no_such_module\n'
    )
    (tmp_path / "models" / "_private.py").write_text("")
    (tmp_path / "models" / "__init__.py").write_text("")
    (tmp_path / "models" / "notes.txt").write_text("")


def test_what_exists_today_is_found():
    assert {"gaussian_noise", "patch_occlusion", "pixel_dropout", "stripes"} <= set(
        catalog.names("corruptions")
    )
    assert "autoencoder" in catalog.names("models")
    assert (
        catalog.names("corruptions") == sorted(catalog.names("corruptions")) == corruptions.names()
    )
    assert models.names() == catalog.names("models")


def test_a_file_is_its_own_registration_and_is_not_imported_to_be_described(made_up_package):
    assert catalog.names("models") == ["new_idea"]
    assert catalog.describe("models", "new_idea") == "One line."


@pytest.mark.parametrize(("package", "name"), ALL)
def test_every_file_is_described_in_one_sentence(package, name):
    line = catalog.describe(package, name)
    assert line.endswith(".")
    assert len(line) < 120


@pytest.mark.parametrize(
    ("package", "name"), [pair for pair in ALL if pair[0] not in ("suites", "studies")]
)
def test_every_file_holds_the_class_that_it_is_named_after(package, name):
    found = catalog.find_class(package, name)
    assert snake_case(found.__name__) == name
    packages = {"models": models, "corruptions": corruptions, "datasets": datasets, "tasks": tasks}
    assert getattr(packages[package], found.__name__) is found


@pytest.mark.parametrize("find", [catalog.find_class, catalog.find_module])
@pytest.mark.parametrize("name", ["strips", "../models/autoencoder", "__init__", ""])
def test_an_unknown_name_is_refused_with_the_valid_ones(find, name):
    with refused(
        f"unknown corruption {name!r}", f"nearest of {len(catalog.names('corruptions'))}: "
    ):
        find("corruptions", name)
    with refused("did you mean 'stripes'?"):
        find("corruptions", "strips")


@pytest.mark.parametrize("name", ["NoSuchThing", "no_such_thing", "_camel_case"])
def test_an_unknown_class_is_an_attribute_error(name):
    with pytest.raises(
        AttributeError, match=f"module 'anomalist.corruptions' has no attribute '{name}'"
    ):
        getattr(corruptions, name)


def test_listing_and_describing_everything_imports_no_deep_learning_library():
    code = (
        "import sys\n"
        "from anomalist.core import catalog\n"
        "lines = [catalog.describe(p, n) for p in catalog.LISTED for n in catalog.names(p)]\n"
        "assert len(lines) >= 5, lines\n"
        "heavy = {'torch', 'matplotlib', 'scipy', 'anomalist.models.autoencoder'} & "
        "set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path", ["a,b.npy", "(a)", "a=1,b=2", "a b,.npy", "plain (1).npy", "(a,b)", "a;b"]
)
def test_a_value_with_commas_or_parentheses_is_spelt_so_that_it_is_read_back(path):
    made = datasets.parse({"name": "arrays", "path": path})
    assert str(made.path) == path
    assert datasets.parse(str(made)) == made


PATHS = [
    "lot 1, left",
    "a (1)/b",
    "a (1",
    "b) c",
    "(x)",
    "(a)(b)",
    "a;b",
    "back\\(slash",
    " lead",
    "C:\\dir\\new",
    "a=b",
    "((",
    "a,(b;c)",
    "C:\\data\\",
    "a,b\\",
    "(\\",
    "\\\\server\\share",
    "a\\\\,b",
    "\\",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_name_that_was_printed_can_be_read_back_however_deep(path):
    folder = datasets.Folder(path=path, resize=32)
    assert datasets.parse(str(folder)) == folder
    for good in ((path,), (path, "b"), ("a", path)):
        assert datasets.parse(str(folder.model_copy(update={"good": good}))).good == good
    task = tasks.Defects(dataset=str(folder), types=("a;b", "c, d"))
    assert tasks.parse(str(task)) == task
    assert datasets.parse(tasks.parse(str(task)).dataset) == folder


@pytest.mark.parametrize(
    "text",
    [
        "ensemble:members=(autoencoder:width=4,blurs=(0;1));pca",
        "ensemble:members=(ensemble:members=(lof:k=5,blur=1);(autoencoder:blurs=0;1));pca",
        "autoencoder:blurs=(0;1;2),width=8",
    ],
)
def test_parentheses_nest(text):
    detector = models.parse(text)
    assert models.parse(detector.spec) == detector
    assert "blurs" in detector.spec


@pytest.mark.parametrize(
    ("text", "sign", "parts"),
    [
        ("a,(b,c),d", ",", ["a", "(b,c)", "d"]),
        ("(a;(b;c));d", ";", ["(a;(b;c))", "d"]),
        ("a\\,b,c", ",", ["a\\,b", "c"]),
        ("a\\(,b", ",", ["a\\(", "b"]),
        ("", ",", []),
    ],
)
def test_text_is_parted_outside_of_parentheses(text, sign, parts):
    assert split(text, sign) == parts


@pytest.mark.parametrize("text", ["lof:k=(5", "lof:k=5)", "folder:path=a),b=("])
def test_a_parenthesis_without_a_partner_is_refused(text):
    with refused("a parenthesis", "\\("):
        (models.parse if text.startswith("lof") else datasets.parse)(text)

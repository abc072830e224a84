"""Imports point one way, deep learning is loaded by what trains, and files stay small and
described."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anomalist

ROOT = Path(anomalist.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# The plan: what each room, and each module at the root, may import of the package besides itself.
# A new room needs a line here. ``core`` is what everything builds on.
DATA = {"core", "images"}
TASK = DATA | {"split", "datasets", "corruptions"}
MODEL = DATA | {"corruptions", "heatmaps", "training"}
EVALUATION = {"core", "calibration", "metrics", "models", "split", "tasks"}
TRIAL = EVALUATION | DATA | {"datasets", "corruptions", "evaluation", "training"}
RUN = TRIAL | {"_version", "exchange", "suites", "trial", "analysis"}
MAY_IMPORT = {
    "_version": set(),
    "core": set(),
    "images": {"core"},
    "image_files": {"core"},
    "calibration": {"core"},
    "thumbnails": {"core"},
    "heatmaps": {"core"},
    "metrics": {"core"},
    "training": {"core"},
    "split": {"images"},
    "corruptions": DATA,
    "datasets": DATA | {"image_files"},
    "tasks": TASK,
    "suites": {"core", "tasks"},
    "models": MODEL | {"_version"},
    "evaluation": EVALUATION,
    "exchange": TASK | {"tasks", "models"},
    "deployment": EVALUATION - {"tasks", "split"}
    | DATA
    | {"_version", "datasets", "evaluation", "heatmaps", "image_files", "thumbnails", "training"},
    "estimator": {"core", "calibration", "images", "models"},
    "testing": {"core", "corruptions", "datasets", "models"},
    "trial": TRIAL | {"tasks"},
    "analysis": {"core", "metrics", "models"},
    "running": RUN,
    "reports": {"_version", "core", "metrics", "analysis", "running", "thumbnails"},
    "baseline": RUN | {"tasks", "reports", "thumbnails"},
    "studies": RUN | {"reports", "running", "suites"},
    "service": DATA
    | {"_version", "corruptions", "datasets", "deployment", "image_files", "thumbnails"},
    "cli": RUN | {"studies", "reports", "baseline", "running", "deployment", "service"},
    "__main__": {"cli"},
    "__init__": {
        "_version",
        "corruptions",
        "datasets",
        "evaluation",
        "images",
        "models",
        "split",
        "tasks",
        "trial",
    },
}
MAY_IMPORT_TORCH = {"training", "models", "core/devices", "deployment/onnx_export"}
OTHERS_ALLOWED = {  # of what is neither ours nor the standard library
    "metrics": {"numpy", "scipy"},
    "reports": {"numpy", "matplotlib", "tabulate", "jinja2", "markdown_it", "markupsafe"},
    "images": {"numpy"},
    "split": {"numpy"},
    "tasks": {"numpy", "pydantic", "PIL"},
}


def part_of(path):
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(tree):
    """Yield the full name of all that a module imports, within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "__import__",
        ):
            yield from (part.value for part in node.args[:1] if isinstance(part, ast.Constant))


def ours(path):
    """The parts of the package that a file imports."""
    names = [name.split(".") for name in imported(ast.parse(path.read_text(encoding="utf-8")))]
    for parts in names:
        if parts[0] == "anomalist":
            assert len(parts) > 1, f"{path}: import what is needed, not the package"
            here = (ROOT / f"{parts[1]}.py").exists() or (ROOT / parts[1]).is_dir()
            yield parts[1] if here else "__init__"


def others(path):
    names = {name.split(".")[0] for name in imported(ast.parse(path.read_text(encoding="utf-8")))}
    return names - {"anomalist"} - sys.stdlib_module_names


def each(files=FILES):
    return pytest.mark.parametrize("path", files, ids=lambda path: str(path.relative_to(ROOT)))


def test_the_reader_of_imports_sees_every_way_of_writing_one(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(
        "import anomalist.tasks as t\nfrom anomalist import models, nothing\nfrom anomalist.images "
        "import ImageSet\n"
        "def f():\n    import torch.nn\n    import importlib\n    "
        "importlib.import_module('anomalist.reports.pages')\n"
    )
    assert list(ours(path)) == ["tasks", "models", "__init__", "images", "reports"]
    assert others(path) == {"torch"}


@each()
def test_imports_point_one_way(path):
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part}: say in MAY_IMPORT what it may import"
    wrong = set(ours(path)) - MAY_IMPORT[part] - {part}
    assert not wrong, f"{part} must not import {wrong}"


def private_imports(path):
    """Yield the private names of the package that a file imports from outside of its own folder."""
    folder = path.relative_to(ROOT).parts[:-1]
    for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
        parts = name.split(".")
        if parts[0] != "anomalist":
            continue
        for place, part in enumerate(parts[1:], start=1):
            is_private = part.startswith("_") and not part.startswith("__")
            if is_private and part != "_version" and tuple(parts[1:place]) != folder[: place - 1]:
                yield name


@each()
def test_no_private_name_is_imported_from_another_folder(path):
    assert not list(private_imports(path))


def test_the_reader_of_private_imports_sees_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for name in ("models", "models/_networks", "reports"):
        (tmp_path / name).mkdir()
    lines = "from anomalist.models._base import Detector\nfrom anomalist import _version\n"
    for name in ("models/one.py", "models/_networks/two.py", "reports/three.py", "four.py"):
        (tmp_path / name).write_text(lines)
    found = {
        name: len(list(private_imports(tmp_path / name)))
        for name in ("models/one.py", "models/_networks/two.py", "reports/three.py", "four.py")
    }
    assert found == {
        "models/one.py": 0,
        "models/_networks/two.py": 0,
        "reports/three.py": 1,
        "four.py": 1,
    }


def test_the_rules_have_no_circle():
    done: set[str] = set()
    while ready := {part for part in MAY_IMPORT if part not in done and MAY_IMPORT[part] <= done}:
        done |= ready
    assert done == set(MAY_IMPORT)


@each()
def test_torch_is_imported_by_what_trains_alone(path):
    name = str(path.relative_to(ROOT).with_suffix(""))
    if not {part_of(path), name} & MAY_IMPORT_TORCH:
        assert "torch" not in others(path)


@each([path for path in FILES if part_of(path) in OTHERS_ALLOWED])
def test_parts_that_must_stay_light_import_no_other_library(path):
    assert others(path) <= OTHERS_ALLOWED[part_of(path)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "anomalist",
        "anomalist.analysis.comparisons",
        "anomalist.analysis.leaderboard",
        "anomalist.cli",
        "anomalist.cli._options",
        "anomalist.cli.benchmark",
        "anomalist.cli.data",
        "anomalist.cli.evaluate",
        "anomalist.cli.list",
        "anomalist.cli.report",
        "anomalist.datasets",
        "anomalist.deployment",
        "anomalist.deployment.onnx_file",
        "anomalist.deployment.scoring",
        "anomalist.evaluation",
        "anomalist.metrics",
        "anomalist.models",
        "anomalist.reports.benchmark",
        "anomalist.reports.benchmark_pictures",
        "anomalist.reports.pages",
        "anomalist.reports.study",
        "anomalist.suites",
        "anomalist.tasks",
    ],
)
def test_torch_is_not_loaded_by(module):
    code = f"import sys, {module}; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_name_of_a_package_hides_one_of_its_modules():
    """In a process of its own, where no test has imported anything."""
    packages = {}
    for path in FILES:
        package = ".".join(("anomalist", *path.relative_to(ROOT).parts[:-1]))
        if not path.stem.startswith("__"):
            packages.setdefault(package, []).append(path.stem)
    code = (
        "import importlib, types\n"
        f"for name, modules in {packages!r}.items():\n"
        "    package = importlib.import_module(name)\n"
        "    for module in modules:\n"
        "        importlib.import_module(f'{name}.{module}')\n"
        "        assert isinstance(getattr(package, module), types.ModuleType), (name, module)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def docstring_lines(node):
    first = node.body[0]
    is_text = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return first.end_lineno - first.lineno + 1 if is_text else 0


def functions(tree):
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@each()
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    for node in functions(ast.parse(text)):
        length = node.end_lineno - node.lineno + 1 - docstring_lines(node)
        assert length <= 50, f"{node.name}: {length} lines without its docstring"


def public(node):
    """Yield the public functions and classes of a module or class."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


@each()
def test_what_is_public_is_described(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in public(tree):
        assert ast.get_docstring(node), f"{node.name} has no docstring"


@each()
def test_every_function_is_typed(path):
    for node in functions(ast.parse(path.read_text(encoding="utf-8"))):
        assert node.returns is not None, f"{node.name} does not say what it returns"
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        for argument in [*arguments, *filter(None, (node.args.vararg, node.args.kwarg))]:
            assert argument.annotation or argument.arg in ("self", "cls"), (
                f"{node.name}: {argument.arg}"
            )


def test_public_names_and_folders_are_found_without_an_import_of_their_own():
    code = "import anomalist; print(*dir(anomalist)); print(anomalist.models.names()[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, first = done.stdout.splitlines()
    assert {"Detector", "Corruption", "evaluate", "models", "tasks"} <= set(names.split())
    assert "importlib" not in names.split()
    assert first == "autoencoder"

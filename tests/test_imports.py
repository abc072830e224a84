"""Imports point one way, deep learning is loaded by what trains, and files stay small and described."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import anomalist

ROOT = Path(anomalist.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# What each part may import of the package, besides itself; a new top-level file needs a line here.
BASE = {
    "_version",
    "errors",
    "files",
    "catalog",
    "config",
    "console",
    "memory",
    "randomness",
    "images",
}
LEARN = BASE | {
    "calibration",
    "corruption",
    "corruptions",
    "detector",
    "heatmaps",
    "models",
    "training",
}
TASKS = {
    "split",
    "task",
    "dataset",
    "datasets",
    "corruption",
    "corruptions",
    "images",
    "errors",
    "config",
    "catalog",
    "randomness",
}
JUDGE = LEARN | TASKS | {"metrics", "tasks", "environment"}
TRIAL = JUDGE | {"evaluation", "tasks"}
STUDY = TRIAL | {"trial"}
MAY_IMPORT = {
    "_version": set(),
    "errors": set(),
    "console": set(),
    "memory": {"errors"},
    "files": {"errors"},
    "randomness": set(),
    "catalog": {"errors"},
    "config": {"errors"},
    "images": {"errors"},
    "heatmaps": {"errors"},
    "calibration": {"errors"},
    "metrics": {"errors"},
    "corruption": {"images", "randomness", "config", "catalog", "errors"},
    "corruptions": {"corruption", "images", "randomness", "config", "catalog", "errors"},
    "dataset": {"images", "config", "catalog"},
    "datasets": {
        "dataset",
        "images",
        "errors",
        "files",
        "catalog",
        "config",
        "console",
        "randomness",
    },
    "split": {"images"},
    "task": TASKS - {"task"},
    "tasks": TASKS,
    "suite": {"task", "catalog"},
    "suites": set(),
    "frozen": TASKS | {"tasks", "suite", "files", "evaluation", "detector"},
    "training": BASE,
    "detector": LEARN - {"models"},
    "preparation": set(),
    "shallow": BASE | {"detector", "preparation"},
    "models": LEARN | {"shallow", "preparation"},
    "environment": {"_version", "training"},
    "evaluation": JUDGE,
    "option_names": {"catalog", "errors"},
    "options": {"catalog", "config", "detector", "errors", "option_names"},
    "trial": TRIAL,
    "studies": STUDY | {"reports", "suite", "suites", "frozen"},
    "gallery": {"catalog", "corruption", "errors", "files", "images", "reports"},
    "reports": {"metrics", "heatmaps", "files", "errors"},
    "baseline_config": STUDY,
    "baseline_results": STUDY | {"baseline_config"},
    "baseline": STUDY | {"reports", "baseline_config", "baseline_results"},
    "commands": STUDY | {"studies", "reports", "options", "suite", "frozen", "gallery"},
    "cli": STUDY | {"studies", "reports", "baseline", "options", "option_names", "commands"},
    "__main__": {"cli"},
    "__init__": {"_version", "evaluation"},
}
MAY_IMPORT_TORCH = {"training", "models"}
OTHERS_ALLOWED = {  # of what is neither ours nor the standard library
    "metrics": {"numpy", "scipy"},
    "reports": {"numpy", "matplotlib", "tabulate"},
    "images": {"numpy"},
    "split": {"numpy"},
    "task": {"numpy", "pydantic"},
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


def test_the_rules_have_no_circle():
    done: set[str] = set()
    rules = {
        part: allowed - {part, "models"} for part, allowed in MAY_IMPORT.items()
    }  # detectors import detectors
    while ready := {
        part
        for part, allowed in rules.items()
        if part not in done and allowed <= done | {"studies"}
    }:
        done |= ready
    assert done == set(rules)


@each()
def test_torch_is_imported_by_what_trains_alone(path):
    if part_of(path) not in MAY_IMPORT_TORCH:
        assert "torch" not in others(path)


@each([path for path in FILES if part_of(path) in OTHERS_ALLOWED])
def test_parts_that_must_stay_light_import_no_other_library(path):
    assert others(path) <= OTHERS_ALLOWED[part_of(path)]


@pytest.mark.parametrize(
    "module",
    [
        "anomalist",
        "anomalist.cli",
        "anomalist.reports",
        "anomalist.reports.pages",
        "anomalist.metrics",
        "anomalist.tasks",
        "anomalist.datasets",
        "anomalist.models",
        "anomalist.evaluation",
        "anomalist.options",
        "anomalist.studies.report",
        "anomalist.studies.benchmark_report",
        "anomalist.reports.benchmark",
        "anomalist.commands.benchmark",
        "anomalist.commands.evaluate",
        "anomalist.commands.export",
        "anomalist.suite",
    ],
)
def test_torch_is_not_loaded_by(module):
    code = f"import sys, {module}; assert 'torch' not in sys.modules"
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

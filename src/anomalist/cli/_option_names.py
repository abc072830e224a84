"""Option names, read from the source code, so that a mistyped option is reported at once.

Importing a detector to find its options would take seconds, since it imports torch.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from anomalist.core import catalog
from anomalist.core.errors import unknown

__all__ = ["check_run_options", "dashed", "field_names"]

_RUN_FIELDS = ("seed", "device", "precision")  # options of a detector that the run sets
_ROOT = Path(__file__).parent.parent
_OLD_NAMES = "old_names"


def dashed(word: str) -> str:
    """Return a command-line word with dashes instead of underscores in the option's name.

    ``--save_maps=x`` becomes ``--save-maps=x``.
    """
    if not word.startswith("--"):
        return word
    name, sign, value = word.partition("=")
    return name.replace("_", "-") + sign + value


def field_names(module: str, name: str, *, old: bool = False) -> list[str]:
    """Return the fields of the class ``name`` in ``anomalist.MODULE``, and of its bases.

    A field is a public, annotated attribute.

    Args:
        module: name of the module below ``anomalist``, such as ``"models.pca"``.
        name: name of the class.
        old: whether to return the old names of renamed options instead.
    """
    tree = ast.parse(_source(module))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    imported = _imported(tree)
    if name in imported:
        return field_names(imported[name], name, old=old)
    if name not in classes:
        return []
    names: list[str] = []
    for base in classes[name].bases:
        if isinstance(base, ast.Name):
            names += field_names(imported.get(base.id, module), base.id, old=old)
    for statement in classes[name].body:
        names += _old_names(statement) if old else _declared(statement)
    return list(dict.fromkeys(names))


def check_run_options(words: Sequence[str], own: Iterable[str]) -> None:
    """Raise an error for an option that neither ``anomalist run`` nor its detector has.

    Args:
        words: the command line.
        own: options of the command that are not in the config, such as ``--results``.

    Raises:
        InputError: an unknown option, or an unknown detector.
    """
    model = _model(words)
    if model not in catalog.names("models"):
        raise unknown("model", model, catalog.names("models"))
    options = [*own, "--help"]
    options += [f"--{name}" for name in field_names("baseline.config", "Baseline")]
    detector = (f"models.{model}", catalog.class_name(model))
    for name in field_names(*detector):
        if name not in _RUN_FIELDS:
            options.append(f"--model.{name}")
    valid = {dashed(option) for option in options}
    renamed = {dashed(f"--model.{name}") for name in field_names(*detector, old=True)}
    for word in words:
        option = dashed(word).partition("=")[0]
        if option.startswith("--") and option not in valid | renamed:
            raise unknown("anomalist run option", option, valid)


def _source(module: str) -> str:
    """Return the source code of ``anomalist.MODULE``, which is a file or a folder."""
    path = _ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8")


def _imported(tree: ast.Module) -> dict[str, str]:
    """Return the module below ``anomalist`` that each imported name comes from."""
    modules: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anomalist."):
            module = str(node.module).removeprefix("anomalist.")
            for alias in node.names:
                modules[alias.asname or alias.name] = module
    return modules


def _declared(statement: ast.stmt) -> list[str]:
    """Return the options that a statement in a class declares."""
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        return []
    name = statement.target.id
    if name.startswith("_") or "ClassVar" in ast.unparse(statement.annotation):
        return []
    return [name]


def _old_names(statement: ast.stmt) -> list[str]:
    """Return the old names of options that a statement in a class declares."""
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.value, ast.Dict):
        return []
    if ast.unparse(statement.target) != _OLD_NAMES:
        return []
    values = [value for value in statement.value.values if isinstance(value, ast.Constant)]
    return [str(value.value) for value in values]


def _model(words: Sequence[str]) -> str:
    """Return the name of the detector that a command line chooses."""
    model = "autoencoder"
    for place, word in enumerate(words):
        if word == "--model" and place + 1 < len(words):
            model = words[place + 1]
        elif word.startswith("--model="):
            model = word.partition("=")[2]
    return model.partition(":")[0].strip()

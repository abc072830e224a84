"""Option names, read from the source code, so that a mistyped option is reported at once.

Importing a detector to find its options would take seconds, since it imports torch.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from anomalist.cli._config_words import CONFIG_OPTION, END_OF_CONFIG, PRINT_OPTION, split_config
from anomalist.core import catalog, plugins
from anomalist.core.errors import unknown
from anomalist.core.spec import parse_name

__all__ = ["check_options", "dashed", "field_names"]

_RUN_FIELDS = ("seed", "device", "precision")  # options of a detector that the run sets
_ROOT = Path(__file__).parent.parent
_OLD_NAMES = "old_names"
_HIDDEN = {END_OF_CONFIG}  # not suggested


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


def check_options(
    words: Sequence[str],
    command: str,
    config: tuple[str, str],
    own: Iterable[str],
    model: str | None = None,
) -> None:
    """Raise an error for an option that neither a command nor its detector has.

    Args:
        words: the command line.
        command: name of the command.
        config: module and name of its typed config, such as ``("baseline.config", "Baseline")``.
        own: options of the command that are not in the config, such as ``--results``.
        model: the detector if the command line chooses none; None: then there is none.

    Raises:
        InputError: an unknown option, or an unknown detector.
    """
    options = [*own, "--help", CONFIG_OPTION, PRINT_OPTION, END_OF_CONFIG]
    options += [f"--{name}" for name in field_names(*config)]
    renamed: set[str] = set()
    chosen = _model(words) or model
    if chosen in plugins.names("models") or plugins.is_import_path(chosen or ""):
        return  # its options are known after its import
    if chosen is not None:
        if chosen not in catalog.names("models"):
            raise unknown("model", chosen, catalog.names("models"))
        detector = (f"models.{chosen}", catalog.class_name(chosen))
        for name in field_names(*detector):
            if name not in _RUN_FIELDS:
                options.append(f"--model.{name}")
        renamed = {dashed(f"--model.{name}") for name in field_names(*detector, old=True)}
    valid = {dashed(option) for option in options}
    of_file, _ = split_config(words)
    for place, word in enumerate(words):
        if word == "--":
            return
        option = dashed(word).partition("=")[0]
        if option.startswith("--") and option not in valid | renamed:
            where = " in the configuration file" if place < len(of_file) else ""
            raise unknown(f"anomalist {command} option{where}", option, valid - _HIDDEN)


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


def _model(words: Sequence[str]) -> str | None:
    """Return the name of the detector that a command line chooses, or None."""
    model: str | None = None
    for place, word in enumerate(words):
        if word == "--model" and place + 1 < len(words):
            model = words[place + 1]
        elif word.startswith("--model="):
            model = word.partition("=")[2]
    if model is None or model == "auto":
        return None
    return parse_name(model)

"""Names of options, read from the source without importing it, so that a mistyped one is answered at once.

To know the options of a detector by importing it takes seconds, since it imports torch.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from anomalist import catalog
from anomalist.errors import unknown

__all__ = ["check_run_options", "dashed", "field_names"]

_OF_A_RUN = (
    "seed",
    "device",
    "precision",
)  # fields of a detector that the run sets, see anomalist.detector.RUN_FIELDS


def dashed(word: str) -> str:
    """Return a word of a command line with dashes in an option's name: ``--save_maps=x`` is ``--save-maps=x``."""
    name, sign, value = word.partition("=")
    return name.replace("_", "-") + sign + value if name.startswith("--") else word


def field_names(module: str, name: str) -> list[str]:
    """Return the public, annotated fields of the class ``name`` in ``anomalist.MODULE``, and of its bases there."""
    tree = ast.parse(
        (Path(__file__).parent / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    )
    where = {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = next(
        (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None
    )
    if found is None:
        return []
    names: list[str] = []
    for base in found.bases:
        source = where.get(base.id) if isinstance(base, ast.Name) else None
        if isinstance(base, ast.Name) and source is None:
            names += field_names(module, base.id)
        elif isinstance(base, ast.Name) and source is not None and source.startswith("anomalist."):
            names += field_names(source.removeprefix("anomalist."), base.id)
    annotated = (
        node
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )
    names += [
        ast.unparse(node.target)
        for node in annotated
        if not ast.unparse(node.target).startswith("_")
        and "ClassVar" not in ast.unparse(node.annotation)
    ]
    return list(dict.fromkeys(names))


def check_run_options(words: Sequence[str], own: Iterable[str]) -> None:
    """Refuse an option that `anomalist run` does not have, or that its detector does not have.

    Args:
        words: the command line.
        own: options beside those of the config, such as ``--results``.

    Raises:
        InputError: an unknown option, or an unknown detector.
    """
    options = [*own, "--help"]
    options += [f"--{name}" for name in field_names("baseline_config", "Baseline")]
    model = "autoencoder"
    for place, word in enumerate(words):
        if word == "--model" and place + 1 < len(words):
            model = words[place + 1]
        elif word.startswith("--model="):
            model = word.partition("=")[2]
    name = model.partition(":")[0].strip()
    if name not in catalog.names("models"):
        raise unknown("model", name, catalog.names("models"))
    fields = field_names(f"models.{name}", catalog.class_name(name))
    options += [f"--model.{field}" for field in fields if field not in _OF_A_RUN]
    known = {dashed(option) for option in options}
    for word in words:
        given = dashed(word).partition("=")[0]
        if given.startswith("--") and given not in known:
            raise unknown("anomalist run option", given, known)

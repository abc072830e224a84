"""NamedConfig: a config that is registered by its file name and can be written as one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

from pydantic import BaseModel, model_validator
from pydantic.fields import FieldInfo

from anomalist.core import catalog, console, plugins
from anomalist.core.config import Config, snake_case
from anomalist.core.errors import InputError
from anomalist.core.spec import format_spec, is_wrapped, parse_spec, split, unwrap

__all__ = ["NamedConfig", "old_spelling"]


class NamedConfig(Config):
    """The base class of detectors, corruptions, data sets and tasks.

    Their base classes set ``registry``, which the classes of the files inherit.
    """

    registry: ClassVar[str]  # the folder of the files, such as "models"
    name_key: ClassVar[str] = "name"  # the key of the name in a mapping
    unwritten: ClassVar[frozenset[str]] = frozenset()  # fields that are not part of the spec
    # The names of renamed options in version 0.1, by present name; and renamed values, by option.
    # The old spelling is accepted everywhere, and the keys of trials are hashes of it.
    old_names: ClassVar[Mapping[str, str]] = {}
    old_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    @property
    def name(self) -> str:
        """The registered name: the file name, or the entry point or path of another package."""
        own = type(self).__module__.startswith("anomalist.")
        if own:
            return snake_case(type(self).__name__)
        return plugins.name_of(type(self), self.registry)

    @property
    def spec(self) -> str:
        """The name and the non-default options, in the format of :meth:`parse`."""
        plain = type(self)()
        options: dict[str, Any] = {}
        for option in type(self).model_fields:
            value = getattr(self, option)
            if option not in self.unwritten and value != getattr(plain, option):
                options[option] = _as_text(value)
        return format_spec(self.name, options)

    def __str__(self) -> str:
        return self.spec

    @classmethod
    def parse(cls, given: str | Mapping[str, Any] | Self) -> Self:
        """Return the instance that ``given`` describes.

        Args:
            given: ``"name"``; ``"name:option=value,option=value"``; a mapping with a name and
                options, whose name may be such a text (the mapping's options take precedence); or
                an instance, which is returned unchanged. Several values of an option are separated
                by ``;``, and parentheses keep a value together:
                ``ensemble:members=(lof:k=5,blur=1);pca``.

        Raises:
            InputError: an unknown name, option or value.
        """
        if isinstance(given, cls):
            return given
        noun = catalog.noun(cls.registry)
        if not isinstance(given, str | Mapping):
            raise InputError(
                f"a {noun} must be a name, a mapping with a name, or text name:option=value, "
                f"got {given!r}"
            )
        values = {cls.name_key: given} if isinstance(given, str) else dict(given)
        name = values.pop(cls.name_key, "")
        written: dict[str, str] = {}
        if isinstance(name, str):
            name, written = parse_spec(name, noun)
        chosen: type[Self] = catalog.find_class(cls.registry, name)
        if not isinstance(chosen, type) or not issubclass(chosen, cls):
            raise InputError(f"{name!r} is not a {noun}: it must be a subclass of {cls.__name__}")
        return chosen(**_typed(chosen, written, values))

    @model_validator(mode="before")
    @classmethod
    def _accept_old_spelling(cls, values: Any) -> Any:
        return cls.with_new_spelling(values, tell=True) if isinstance(values, dict) else values

    @classmethod
    def with_new_spelling(cls, values: Mapping[str, Any], *, tell: bool = False) -> dict[str, Any]:
        """Return options under their present names, with their present values.

        Args:
            values: options, under old or new names.
            tell: whether to warn on standard error about a deprecated spelling.

        Raises:
            InputError: an option is given under both names.
        """
        current = {**values}
        for new, old in cls.old_names.items():
            if old in current:
                if new in current:
                    raise InputError(f"{old} is the old name of {new}: give one of them")
                current[new] = current.pop(old)
                if tell:
                    console.deprecated(f"the option {old} is now called {new}")
        for option, spellings in cls.old_values.items():
            for new, old in spellings.items():
                if current.get(option) == old:
                    current[option] = new
                    if tell:
                        console.deprecated(f"{option}={old} is now written {option}={new}")
        return current


def old_spelling(config: BaseModel, dump: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dump of ``config`` with the option names and values of version 0.1.

    Args:
        config: the config.
        dump: the result of ``config.model_dump(mode="json", …)``.
    """
    names: Mapping[str, str] = {}
    spellings: Mapping[str, Mapping[str, str]] = {}
    if isinstance(config, NamedConfig):
        names = config.old_names
        spellings = config.old_values
    old: dict[str, Any] = {}
    for option, value in dump.items():
        part = getattr(config, option, None)
        if isinstance(part, NamedConfig) and isinstance(value, dict):
            value = old_spelling(part, value)
        elif isinstance(part, tuple) and isinstance(value, list):
            value = [
                old_spelling(one, dumped) if isinstance(dumped, dict) else dumped
                for one, dumped in zip(part, value, strict=True)
            ]
        elif isinstance(value, str):
            value = spellings.get(option, {}).get(value, value)
        old[names.get(option, option)] = value
    return old


def _typed(
    chosen: type[NamedConfig],
    written: Mapping[str, str],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Return all options, those of the text first, in the form that the fields accept."""
    values: dict[str, Any] = {**written, **given}
    for option, value in values.items():
        field = _field(chosen, option)
        if not isinstance(value, str) or field is None:
            continue
        if _takes_several(field):
            values[option] = _several(value, field)
        elif written.get(option) == value:
            values[option] = unwrap(value)
    return values


def _field(chosen: type[NamedConfig], option: str) -> FieldInfo | None:
    """Return the field of an option, under its present or its old name."""
    for new, old in chosen.old_names.items():
        if option == old:
            option = new
    return chosen.model_fields.get(option)


def _several(value: str, field: FieldInfo) -> list[str]:
    """Return the values of ``a;b``, or of ``(a;b)`` unless the values have options."""
    parts = split(value, ";")
    if len(parts) == 1 and not _holds_configs(field) and is_wrapped(parts[0]):
        parts = split(parts[0][1:-1], ";")
    return [unwrap(part) for part in parts]


def _holds_configs(field: FieldInfo) -> bool:
    """Return whether an option's values have options, like detectors."""
    inner = get_args(field.annotation)[0]
    if get_origin(inner) is Annotated:
        inner = get_args(inner)[0]
    return isinstance(inner, type) and issubclass(inner, BaseModel)


def _takes_several(field: FieldInfo) -> bool:
    """Return whether an option is a tuple, or a tuple or None."""
    if get_origin(field.annotation) is tuple:
        return True
    choices = [choice for choice in get_args(field.annotation) if choice is not type(None)]
    return len(choices) == 1 and get_origin(choices[0]) is tuple


def _as_text(value: Any) -> Any:
    """Return an option's value with the configs in it as text."""
    if isinstance(value, tuple):
        return tuple(_as_text(part) for part in value)
    return value.spec if isinstance(value, NamedConfig) else value

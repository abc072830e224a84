"""Config: the frozen, typed, serialisable base class of all options."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from anomalist.core.errors import InputError, unknown

__all__ = ["Config", "snake_case"]


class Config(BaseModel):
    """Named, typed, validated and immutable values.

    An invalid value raises :class:`~anomalist.core.errors.InputError`: one line with the field, the
    given value and the valid ones. For an unknown field, the message lists the valid fields.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _one_line(type(self), error) from None


def snake_case(name: str) -> str:
    """Convert a class name to a file name: ``PatchOcclusion`` to ``patch_occlusion``."""
    return re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower()


def _one_line(config: type[Config], error: ValidationError) -> InputError:
    first = error.errors()[0]
    where = f"{snake_case(config.__name__)}.{'.'.join(str(part) for part in first['loc'])}".rstrip(
        "."
    )
    if first["type"] == "extra_forbidden":
        return unknown(
            f"option of {snake_case(config.__name__)}", str(first["loc"][-1]), config.model_fields
        )
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # our own validators write the whole message
        return InputError(message if not first["loc"] else f"{where}: {message}")
    return InputError(f"{where}: {message[0].lower()}{message[1:]}, got {first['input']!r}")

"""A connector's configuration: JSON text into a dataclass, with errors that name the key and what was expected. Values
beyond type and presence are checked by the hub, against `config.schema.json`."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from .types import ConfigError

T = TypeVar("T")


def parse(kind: type[T], text: str) -> T:
    """Reads a configuration. A field without a default is required. Raises `ConfigError`."""
    try:
        values = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ConfigError("config.invalid", f"in the configuration: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError("config.invalid", "in the configuration: an object was expected")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if key not in fields:
            known = ", ".join(f"`{name}`" for name in fields)
            raise ConfigError("config.invalid", f"in the configuration: unknown field `{key}`, expected one of {known}")
        if not _fits(value, hints[key]):
            raise ConfigError("config.invalid", f"`config.{key}`: {json.dumps(value)} is not {_name(hints[key])}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ConfigError("config.invalid", f"in the configuration: missing field `{name}`")
    return kind(**values)


def _fits(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(hint))
    if origin is list:
        (inner,) = typing.get_args(hint)
        return isinstance(value, list) and all(_fits(one, inner) for one in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return hint is Any or isinstance(value, hint)


def _name(hint: Any) -> str:
    names = {str: "a string", int: "an integer", float: "a number", bool: "a boolean"}
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    return names.get(hint, str(hint))

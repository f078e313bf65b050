"""What the original's models have from pydantic, for dataclasses: as much of it as servers use."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, cast

M = TypeVar("M", bound="Model")


class Model:
    """Reading and writing a dataclass as data."""

    @classmethod
    def model_validate(cls: type[M], data: Mapping[str, Any]) -> M:
        """From a mapping with the fields."""
        return cls(**data)

    def model_dump(
        self, *, mode: str = "python", exclude: Collection[str] = (), exclude_none: bool = False
    ) -> dict[str, Any]:
        """The fields as data; with `mode="json"`, as JSON has it."""
        members = {name: getattr(self, name) for name in self._field_names() if name not in exclude}
        return {
            name: _dumped(value, mode, exclude_none)
            for name, value in members.items()
            if not (exclude_none and value is None)
        }

    def model_dump_json(self, *, exclude: Collection[str] = (), exclude_none: bool = False) -> str:
        """The fields as JSON."""
        return json.dumps(self.model_dump(mode="json", exclude=exclude, exclude_none=exclude_none))

    def _field_names(self) -> list[str]:
        return [field.name for field in fields(self)] if is_dataclass(self) else []


def _dumped(value: Any, mode: str, exclude_none: bool) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode=mode, exclude_none=exclude_none)
    if isinstance(value, list):
        return [_dumped(item, mode, exclude_none) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        # What is in a dictionary of the user's is theirs, nothing in it is left out.
        members = cast("dict[str, Any]", value)
        return {name: _dumped(item, mode, False) for name, item in members.items()}
    if mode == "json" and isinstance(value, Enum):
        return value.value
    return value


def check_texts(where: str, values: Mapping[str, object], *, lists: Collection[str] = ()) -> None:
    """Raises `ValueError` unless each value is a text, or a list of texts where it is named in `lists`, or `None`."""
    for name, value in values.items():
        if value is None:
            continue
        if name in lists:
            items = cast("list[object]", value) if isinstance(value, list) else None
            if items is None or not all(isinstance(item, str) for item in items):
                raise ValueError(f"{where}: `{name}` must be a list of texts")
        elif not isinstance(value, str):
            raise ValueError(f"{where}: `{name}` must be a text")

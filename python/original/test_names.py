"""Every public name and member of the published package is here too, or stands in the table of what is left out."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pkgutil
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import mcpauth
import pytest
from pydantic import BaseModel

from conftest import module_of
from left_out import left_out

LEFT_OUT = left_out()


def public_modules() -> list[str]:
    """The modules that people can import, by their names below the package; its own is empty."""
    found = [module.name for module in pkgutil.walk_packages(mcpauth.__path__, "mcpauth.")]
    # Folders without `__init__.py` are packages as well, and are not walked.
    root = Path(mcpauth.__file__).parent
    paths = (path.relative_to(root).with_suffix("") for path in root.rglob("*.py"))
    found += [".".join(["mcpauth", *path.parts]) for path in paths if path.name != "__init__"]
    names = {name.removeprefix("mcpauth").removeprefix(".") for name in ["mcpauth", *found]}
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def defined_names(module: ModuleType) -> list[str]:
    """What the module's source defines; a package's `__init__` offers what it imports from its own modules as well."""
    source = Path(inspect.getfile(module))
    names: list[str] = []
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif isinstance(node, ast.ImportFrom) and node.level > 0 and source.name == "__init__.py":
            names += [alias.asname or alias.name for alias in node.names]
    return [name for name in names if not name.startswith("_")]


def members(cls: type) -> list[str]:
    """The public members that the package itself gave the class, and not pydantic or Python."""
    if issubclass(cls, BaseModel):
        return list(cls.model_fields)
    if issubclass(cls, Enum):
        return list(cls.__members__)
    own = [base for base in cls.__mro__ if base.__module__.startswith("mcpauth")]
    return sorted({name for base in own for name in vars(base) if not name.startswith("_")})


def is_left_out(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in LEFT_OUT for end in range(2, len(parts) + 1))


def public_names() -> Iterator[tuple[str, str, list[str]]]:
    """Module, name, and members of each public thing."""
    for module in public_modules():
        published = module_of("mcpauth", module)
        for name in defined_names(published):
            value = getattr(published, name)
            yield module, name, members(value) if isinstance(value, type) else []


def has_member(value: Any, member: str) -> bool:
    annotated = {name for base in value.__mro__ for name in vars(base).get("__annotations__", {})}
    return hasattr(value, member) or member in annotated


def ours(module: str, name: str) -> Any:
    """Ours of this name; `None` where there is none."""
    try:
        return getattr(module_of("mcp_auth", module), name, None)
    except ModuleNotFoundError:
        return None


def full_name(*parts: str) -> str:
    return ".".join(part for part in ("mcpauth", *parts) if part)


def test_every_public_name_and_member_is_here_or_left_out_on_purpose() -> None:
    missing: list[str] = []
    for module, name, its_members in public_names():
        if is_left_out(full_name(module, name)):
            continue
        mine = ours(module, name)
        if mine is None:
            missing.append(full_name(module, name))
            continue
        for member in its_members:
            full = full_name(module, name, member)
            if not is_left_out(full) and not has_member(mine, member):
                missing.append(full)
    assert missing == []


def test_the_walk_sees_the_whole_package() -> None:
    """A walk that finds nothing would find nothing missing."""
    found = {full_name(module, name) for module, name, _ in public_names()}
    known = [
        "mcpauth.MCPAuth", "mcpauth.BearerAuthConfig", "mcpauth.config.ServerMetadataPaths",
        "mcpauth.utils.create_verify_jwt", "mcpauth.utils.AuthServerConfigError",
        "mcpauth.exceptions.bearer_auth_exception_description", "mcpauth.types.NonEmptyString",
        "mcpauth.auth.token_verifier.TokenVerifier", "mcpauth.middleware.create_bearer_auth.create_bearer_auth",
    ]  # fmt: skip
    assert [name for name in known if name not in found] == []
    all_members = {full_name(module, name): its_members for module, name, its_members in public_names()}
    assert "type" in all_members["mcpauth.config.AuthServerConfig"]
    assert "to_json" in all_members["mcpauth.exceptions.MCPAuthBearerAuthException"]
    assert "dpop_bound_access_tokens_required" in all_members["mcpauth.types.ResourceServerMetadata"]
    assert "bearer_auth_middleware" in all_members["mcpauth.MCPAuth"]


def test_whatever_is_left_out_was_there_and_has_a_reason() -> None:
    """What the original drops, and what is here by now, goes from the table."""
    known: set[str] = set(full_name(module) for module in public_modules())
    for module, name, its_members in public_names():
        known.add(full_name(module, name))
        known.update(full_name(module, name, member) for member in its_members)
    folders = {".".join(name.split(".")[:-1]) for name in known}
    assert sorted(LEFT_OUT.keys() - known - folders) == []
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def takes_the_same(published: Any, mine: Any) -> list[str]:
    """Parameters of the published function that ours has not, or at another place."""
    theirs, here = parameters(published), parameters(mine)
    takes_any_name = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in here.values())
    wrong: list[str] = []
    for index, (name, parameter) in enumerate(theirs.items()):
        if name not in here:
            if not takes_any_name:
                wrong.append(name)
        elif parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and list(here)[index] != name:
            wrong.append(f"{name} at place {index}")
    return wrong


def test_every_function_and_constructor_takes_the_same_parameters() -> None:
    wrong: list[str] = []
    for module, name, its_members in public_names():
        published, mine = getattr(module_of("mcpauth", module), name), ours(module, name)
        if is_left_out(full_name(module, name)) or mine is None or not inspect.isroutine(published) and not isinstance(published, type):
            continue
        if isinstance(published, type) and issubclass(published, Enum) or name == "VerifyAccessTokenFunction":
            continue
        callables = [(published, mine)]
        callables += [
            (getattr(published, member), getattr(mine, member))
            for member in its_members
            if inspect.isfunction(getattr(published, member, None))
        ]
        wrong += [f"{full_name(module, name)}: {one}" for pair in callables for one in takes_the_same(*pair)]
    assert wrong == []


@pytest.mark.parametrize("member", ["model_dump", "model_dump_json", "model_validate"])
def test_what_servers_use_of_pydantic_is_here(member: str) -> None:
    for module, name, _ in public_names():
        published = getattr(module_of("mcpauth", module), name)
        if isinstance(published, type) and issubclass(published, BaseModel) and not is_left_out(full_name(module, name)):
            assert hasattr(ours(module, name), member), full_name(module, name)


def test_every_value_of_every_code_is_the_same() -> None:
    compared = 0
    for module, name, _ in public_names():
        published = getattr(module_of("mcpauth", module), name)
        if isinstance(published, type) and issubclass(published, Enum):
            mine = ours(module, name)
            assert {one.name: one.value for one in mine} == {one.name: one.value for one in published}
            compared += 1
    assert compared >= 8


def test_every_table_of_sentences_is_the_same() -> None:
    tables = [
        ("exceptions", "auth_server_exception_description"),
        ("exceptions", "bearer_auth_exception_description"),
        ("exceptions", "token_verification_exception_description"),
        ("utils._validate_server_config", "auth_server_config_error_description"),
        ("utils._validate_server_config", "auth_server_config_warning_description"),
    ]
    for module, name in tables:
        published = getattr(module_of("mcpauth", module), name)
        mine = getattr(module_of("mcp_auth", module), name)
        assert {one.value: text for one, text in mine.items()} == {one.value: text for one, text in published.items()}


def test_our_models_are_no_pydantic() -> None:
    """The row of the table that says so; the package has no dependency."""
    assert dataclasses.is_dataclass(ours("types", "AuthInfo")) and not issubclass(ours("types", "AuthInfo"), BaseModel)

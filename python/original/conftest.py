"""Fixtures, and the two packages side by side."""

import importlib
from types import ModuleType

import pytest

from mcp_auth.testing import dev_issuer as dev_issuer

PACKAGES = ("mcpauth", "mcp_auth")


def module_of(package: str, name: str) -> ModuleType:
    """`name` below the package; the package itself where it is empty."""
    return importlib.import_module(f"{package}.{name}" if name else package)


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    """The published package, then ours: a test with this holds for both."""
    return request.param

"""What a tool needs, said beside it."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from ._context import auth_info, require_scopes
from .errors import ConfigError, InsufficientScope

F = TypeVar("F", bound="Callable[..., Any]")

#: The scopes of each tool that was declared in this process, and the function that it was declared beside.
_declared: dict[str, tuple[tuple[str, ...], str]] = {}

#: The functions that were declared and not yet looked at by `check_order`, as they were given.
_unchecked: list[tuple[Callable[..., Any], str]] = []

#: Whether a tool runs that was declared: what it calls raises, as any function does.
_inside: ContextVar[bool] = ContextVar("mcp_auth_requires", default=False)

_ORDER = "`@requires(…)` stands below `@mcp.tool()`, next to the function"
_logger = logging.getLogger("mcp_auth")

#: `inspect.CO_COROUTINE`, without importing what is slow to import.
_COROUTINE = 0x80


def requires(*scopes: str, tool: str | None = None) -> Callable[[F], F]:
    """Declares beside a tool which scopes it needs; below the decorator that registers it::

        @mcp.tool()
        @requires("notes:write")
        def delete_note(number: int) -> str: ...

    A call without them becomes the 403 that makes clients ask the user; once output has begun, the tool's result is an
    error that carries the challenge in `_meta["mcp/www_authenticate"]`. The same holds for what the function asks for
    by `require_scopes`; if it catches the exception and answers, its answer stands. With `policy=declared()`, the scopes are asked for before the tool is reached, and lists know them.

    :param tool: the name that the tool is registered under; that of the function unless given.
    """

    def declare(function: F) -> F:
        if hasattr(function, "__fastmcp__") or not hasattr(function, "__qualname__"):
            # What was registered is called without what is made here.
            kind = "a tool that is registered already" if hasattr(function, "__fastmcp__") else f"a {type(function).__name__}"
            raise TypeError(f"`requires` was given {kind}, and no function: {_ORDER}")
        place = f"{function.__module__}.{function.__qualname__}"
        _declare(tool or function.__name__, scopes, place)
        _unchecked.append((function, place))
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _COROUTINE:

            @functools.wraps(function)
            async def asked_later(*values: Any, **named: Any) -> Any:
                if _inside.get():
                    _ask(scopes)
                    return await function(*values, **named)
                outside = _inside.set(True)
                try:
                    _ask(scopes)
                    return _answered(await function(*values, **named))
                except InsufficientScope as error:
                    return result_of(error)
                finally:
                    _inside.reset(outside)

            return cast("F", asked_later)

        @functools.wraps(function)
        def asked(*values: Any, **named: Any) -> Any:
            if _inside.get():
                _ask(scopes)
                return function(*values, **named)
            outside = _inside.set(True)
            try:
                _ask(scopes)
                return _answered(function(*values, **named))
            except InsufficientScope as error:
                return result_of(error)
            finally:
                _inside.reset(outside)

        return cast("F", asked)

    if not all(isinstance(scope, str) for scope in cast("tuple[object, ...]", scopes)):
        raise TypeError("`requires` takes scopes: @requires(\"notes:write\")")
    return declare


def declared(**policy: Any) -> dict[str, Any]:
    """What `requires` has declared until now, as a policy; with other fields of the policy beside it.

    Call it when every tool is declared: it warns when none is. Raises `ConfigError` when a tool is both declared and in
    `tools`, or was registered before it was declared.
    """
    given: Mapping[str, Any] = policy.get("tools") or {}
    twice = sorted(_declared.keys() & given.keys())
    if twice:
        faults = [f"policy.tools.{name}: is declared beside the tool too ({_declared[name][1]})" for name in twice]
        raise ConfigError("invalid_configuration", 500, "; ".join(faults), {"faults": faults})
    if not _declared:
        _logger.warning(
            "declared() makes a policy without a single tool, because no `@requires` has run yet: call it below the tools,"
            " or import their modules before"
        )
    check_order()
    # Of a tool that asks by itself, a rule that asks for nothing says that it is meant to be there.
    has_every_tool = policy.get("deny_undeclared") is True
    tools = {name: list(scopes) for name, (scopes, _) in _declared.items() if scopes or has_every_tool}
    return {**policy, "tools": {**given, **tools}}


def check_order() -> None:
    """Raises `ConfigError` when a function was registered as a tool first and declared afterwards.

    The official SDK hands such a function on as it is, so that only what refers to it tells.
    """
    functions = [function for function, _ in _unchecked]
    if not functions:
        return
    import gc  # It looks at every object of the process: once for all tools, and not for each.

    holders = [cast("dict[object, object]", one) for one in gc.get_referrers(*functions) if type(one) is dict]
    # The fields of the SDK's `Tool`.
    registered = {id(one.get("fn")) for one in holders if "fn_metadata" in one}
    faults = [f"requires: {place} is a tool that nobody asks for scopes: {_ORDER}" for one, place in _unchecked if id(one) in registered]
    _unchecked.clear()
    if faults:
        raise ConfigError("invalid_configuration", 500, "; ".join(faults), {"faults": faults})


def _declare(name: str, scopes: tuple[str, ...], place: str) -> None:
    known = _declared.get(name)
    # A module that is loaded again declares the same once more.
    if known is not None and known[0] != scopes and known[1] != place:
        fault = f"the tool {name!r} needs {list(known[0])} by {known[1]} and {list(scopes)} by {place}: name one by `tool=`"
        raise ConfigError("invalid_configuration", 500, fault, {"faults": [fault]})
    _declared[name] = (scopes, place)


def _ask(scopes: tuple[str, ...]) -> None:
    if scopes:
        require_scopes(*scopes)


def _answered(answer: Any) -> Any:
    """What the tool answers, which has caught whatever it asked for in vain."""
    found = auth_info()
    if found is not None:
        found.withdraw_refusal()
    return answer


def result_of(error: InsufficientScope) -> Any:
    """The refusal as the result of a tool, in the SDKs' own type; raises it where no SDK is loaded.

    The client sees it only where the 403 came too late.
    """
    types = sys.modules.get("mcp_types") or sys.modules.get("mcp.types")
    if types is None or not hasattr(types, "CallToolResult"):
        raise error
    challenges = [] if error.challenge is None else [error.challenge]
    return types.CallToolResult.model_validate(
        {
            "content": [{"type": "text", "text": str(error)}],
            "isError": True,
            "_meta": {"mcp/www_authenticate": challenges},
        }
    )


__all__ = ["declared", "requires"]

"""What is given to `protect`: whether it can work, and where its routes are.

Nothing of a framework is imported: apps of Starlette's kind have `routes`, and others are taken as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from inspect import Signature

    from ._asgi import Receive, Scope, Send

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_BEARER = "mcp.server.auth.middleware.bearer_auth"


#: The app of the official SDK, as it answers for other hosts than localhost too.
OFFICIAL_APP = (
    "mcp.streamable_http_app(transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False))"
)


def fault_of(app: Any, paths: list[str], method: str = "protect") -> str | None:
    """Why this cannot be protected for resources at these paths, with what would do; `None` when it can.

    :param method: the method of `McpAuth` that it was given to.
    """
    name = type(app).__name__
    if app is None:
        return f"it is None: give the ASGI app, as `auth.{method}(app)`"
    if hasattr(app, "http_app"):
        return f"it is the server ({name}) and not its app: `auth.{method}(mcp.http_app())`"
    if hasattr(app, "streamable_http_app"):
        return f"it is the server ({name}) and not its app: `auth.{method}({OFFICIAL_APP})`"
    if hasattr(app, "wsgi_app"):
        return f"it is a WSGI app ({name}), which needs an adapter such as `a2wsgi.WSGIMiddleware`"
    if isinstance(app, type):
        return f"it is the class `{cast('type[Any]', app).__name__}` and not an app of it"
    if hasattr(app, "send") and hasattr(app, "throw"):
        return f"it is a {name}, which has to be awaited"
    if not callable(app):
        return f"it is no ASGI app: {name}"
    not_called = _fault_of_call(app, method)
    if not_called is not None:
        return not_called
    if _asks_for_tokens(app):
        return (
            "it asks for tokens itself, and would find none: leave out `auth=` and `token_verifier=` where it is made,"
            " or do without `protect`"
        )
    if is_inner(app, paths):
        return (
            f"it has no route at {paths[0]}, only at /, as what is mounted has. Leave out `path=\"/\"` where it is made;"
            " or, in another app: `routes=auth.routes(inner)`, `app.router.routes.extend(auth.routes(inner))`"
        )
    return None


def _fault_of_call(app: Any, method: str) -> str | None:
    """Why this cannot be called as an app is, with scope, receive and send; `None` when it can."""
    server, name = getattr(app, "__self__", None), getattr(app, "__name__", None)
    if name == "streamable_http_app" and hasattr(server, name):
        return f"it is a function that makes an app: call it, `auth.{method}({OFFICIAL_APP})`"
    if name is not None and (hasattr(server, "http_app") or hasattr(server, "streamable_http_app")):
        return f"it is a function that makes an app: call it, `auth.{method}(mcp.{name}())`"
    import inspect  # It is slow to import, and an app is protected once.

    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        # Of what is not written in Python, nothing is known.
        return None
    shown = name or type(app).__name__
    takes_any_number = any(one.kind is one.VAR_POSITIONAL for one in signature.parameters.values())
    if _can_be_called(signature, 0) and not takes_any_number:
        if inspect.iscoroutinefunction(app):
            return f"`{shown}` is a coroutine function that makes an app: await what it gives, `auth.{method}(await {shown}())`"
        return f"`{shown}` is a function that makes an app: call it, `auth.{method}({shown}())`"
    if not _can_be_called(signature, 3):
        return f"`{shown}` is no ASGI app: it takes `{signature}`, and an app takes `(scope, receive, send)`"
    return None


def _can_be_called(signature: Signature, count: int) -> bool:
    """Whether a call with so many arguments, by their places, is possible."""
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _asks_for_tokens(app: Any) -> bool:
    """Whether the official SDK's own middleware is in it."""
    backend = getattr(sys.modules.get(_BEARER), "BearerAuthBackend", None)
    if backend is None:
        return False
    middleware = cast("Iterable[Any]", getattr(app, "user_middleware", ()))
    return any(isinstance(getattr(one, "kwargs", {}).get("backend"), backend) for one in middleware)


def is_inner(app: Any, paths: list[str]) -> bool:
    """Whether it is made to be mounted at the path of the one resource: it has its route at the root, and none there."""
    routes = _routes(app)
    if routes is None or len(paths) != 1 or paths[0] == "/":
        return False
    return not (_is_there(routes, paths[0]) or _is_there(routes, f"{paths[0]}/")) and _is_there(routes, "/")


def is_elsewhere(app: Any, paths: list[str]) -> bool:
    """Whether it has no route at any of these paths or below them."""
    routes = _routes(app)
    if routes is None:
        return False
    return not any(_is_there(routes, one) or _is_below(routes, path) for path in paths for one in (path, f"{path}/"))


def fault_of_place(app: Any, paths: list[str], scope: Scope) -> str | None:
    """Why clients do not find this app where another one of Starlette's kind has mounted it, with the lines that work;
    `None` when they do, or when it is not mounted.

    :param scope: that of a request to it.
    """
    above = scope.get("app_root_path")
    # What a proxy has left out of the path is in both.
    mount = str(scope.get("root_path", "")).removeprefix(above) if isinstance(above, str) else ""
    if not mount.strip("/"):
        return None
    inside = [path.removeprefix(mount) or "/" for path in paths if path == mount or path.startswith(f"{mount}/")]
    outer = _routes(scope.get("app"))
    metadata = f"{WELL_KNOWN}{paths[0]}".rstrip("/")
    routes = _routes(app)
    # Below the root is everything, which says nothing.
    is_reached = routes is None or ("/" in inside and _is_there(routes, "/"))
    if not is_reached and is_elsewhere(app, [path for path in inside if path != "/"]):
        found = _shown_routes(app, mount)
        return (
            f"the app that is protected for {' and '.join(paths)} is mounted at {mount}, and has no route at"
            f" {' or '.join(paths)}{found}, so that clients get a 404. Make it with `path=\"/\"` (the official SDK:"
            " `streamable_http_path=\"/\"`), and replace `mount` by"
            " `FastAPI(lifespan=inner.router.lifespan_context, routes=auth.routes(inner))`"
        )
    if outer is not None and not _is_there(outer, metadata):
        return (
            f"the protected app is mounted at {mount}, and the app around it has no route at {metadata}, so that clients"
            " do not find out where to sign in: `app.router.routes.extend(auth.metadata_routes())`, before other mounts"
        )
    return None


def _shown_routes(app: Any, mount: str = "") -> str:
    """Where its routes are, for a message about where they are not."""
    found = [f"{mount}{one.path}" for one in _routes(app) or [] if isinstance(getattr(one, "path", None), str)]
    return f" (its routes: {', '.join(found[:3])}{', …' if len(found) > 3 else ''})" if found else ""


def _routes(app: Any) -> list[Any] | None:
    """The routes of an app of Starlette's kind; `None` when nothing can be said of them."""
    routes: Any = getattr(app, "routes", None)
    if not isinstance(routes, (list, tuple)):
        return None
    listed = list(cast("Iterable[Any]", routes))
    return listed if all(hasattr(one, "matches") for one in listed) else None


def _is_there(routes: list[Any], path: str) -> bool:
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "root_path": "", "headers": []}
    # `Match.NONE` is 0, and what matches but for its method is there as well.
    return any(one.matches(dict(scope))[0].value for one in routes)


def _is_below(routes: list[Any], path: str) -> bool:
    start = path.rstrip("/") + "/"
    return any(str(getattr(one, "path", start)).startswith(start) for one in routes)


def path_of(resource: str) -> str:
    """The path of the resource, as ASGI has it."""
    from urllib.parse import unquote

    _, _, rest = resource.partition("://")
    return unquote(rest[rest.find("/") :]) if "/" in rest else "/"


class Routed:
    """An app of Starlette's kind as it is called behind `protect`: without redirects between a path with and without
    the slash at its end, and with a word at start when nothing is where clients connect to.
    """

    def __init__(self, app: Any, paths: list[str]) -> None:
        self._app = app
        self._paths = paths
        self._other: dict[str, str] = {}
        self._known: list[str] = []
        """The paths that the others were found for: a new configuration has others."""

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The app as `Protected` calls it: no coroutine, and no `__call__`, as a method is called faster."""
        if scope["type"] == "http":
            if self._known != self._paths:
                # Now, because routes may be added until the first request comes.
                self._other, self._known = self._other_paths(), list(self._paths)
            other = self._other.get(scope["path"])
            if other is not None:
                scope = with_path(scope, other)
        elif scope["type"] == "lifespan" and is_elsewhere(self._app, self._paths):
            return _fail_to_start(self._why_elsewhere(), receive, send)
        return self._app(scope, receive, send)

    def _why_elsewhere(self) -> str:
        path = self._paths[0].rstrip("/") or "/"
        return (
            f"no route of the app is at {' or '.join(self._paths)}{_shown_routes(self._app)}. Make it with"
            f" `path=\"{path}\"` (the official SDK: `streamable_http_path=\"{path}\"`), or let `resource` be the URL that"
            " its route has"
        )

    def _other_paths(self) -> dict[str, str]:
        """The path that has a route, for the one that differs by a slash and has none."""
        other: dict[str, str] = {}
        routes = _routes(self._app)
        for path in self._paths:
            if routes is None or path.endswith("/"):
                continue
            is_plain, is_slashed = _is_there(routes, path), _is_there(routes, f"{path}/")
            if is_slashed and not is_plain:
                other[path] = f"{path}/"
            elif is_plain and not is_slashed:
                other[f"{path}/"] = path
        return other


class Mounted:
    """An app that has its route at the root, at this path of another app, without a redirect to it."""

    def __init__(self, app: Any, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == self._path:
            scope = with_path(scope, f"{self._path}/")
        await self._app({**scope, "root_path": self._path}, receive, send)


def with_path(scope: Scope, path: str) -> Scope:
    """The scope with this path, which differs by the slash at its end alone."""
    raw: bytes | None = scope.get("raw_path")
    if raw is not None:
        raw = raw + b"/" if path.endswith("/") else raw.removesuffix(b"/")
    return {**scope, "path": path, "raw_path": raw}


async def _fail_to_start(reason: str, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": f"mcp_auth: {reason}"})


async def not_found(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers where only metadata is served."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})

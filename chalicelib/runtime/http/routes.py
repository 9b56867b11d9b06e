"""Route declarations: parse, call, dump. The OpenAPI document is written from these very objects.

A view takes its path parameters by name and, where it names them, ``body``, ``query``, ``caller``, ``intent``
(of the Idempotency-Key) and ``request``; it returns a wire model, a :class:`Reply`, or None for 204.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib import policy
from chalicelib.kernel.errors import Invalid, Malformed, NotFound, ShopError, TooLarge
from chalicelib.kernel.policy import Rule, Second
from chalicelib.kernel.second_person import OwnApproval, SecondPersonNeeded
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.intents import Intent

if TYPE_CHECKING:
    from pydantic import BaseModel

JSON = ("application/json",)
BODY_CAP_BYTES = 64 * 1024
_KEY = re.compile(r"[A-Za-z0-9_\-:.]{8,64}")
_SEGMENT = re.compile(r"[0-9A-Za-z_-]{1,64}")
"""All that our ids, roles and names of providers are made of. Anything else is no address: a key of 10 KB, say, is one
that DynamoDB refuses to look for."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROLS_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\(?:u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]|7[fF])|[bf])|\x7f")
"""Control characters but tab and line ends, as JSON can hold them: nobody types them, and each reader down the line
(a CSV, a label printer, a terminal) does something else with them."""


class MissingIdempotencyKey(Invalid):
    """A POST that creates or moves something came without its key."""

    code, status = "idempotency_key_missing", 400
    en = "Send an Idempotency-Key header of 8 to 64 letters, digits or -_:. ."
    zh = "请携带 8 到 64 位的 Idempotency-Key 请求头。"


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived. ``headers`` are keyed in lower case; ``body`` is the exact bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    source_ip: str = ""
    repeated: frozenset[str] = frozenset()
    """Parameters of the query that came more than once: ``query`` has one of their values."""


TWINNED = "PATCH"
TWIN = "POST"
"""Mini programs know no ``PATCH``. So each route of that verb is one of the other, too, at the same path: the same
declaration, and with it the same rule, limits and answers. None is declared twice, and none can be another thing."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its own status, headers or media type. ``body`` is a wire model, text, or None."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def replayed_header(replayed: bool) -> dict[str, str]:  # noqa: FBT001 - the one thing it is about
    """Return the header that tells a client its request was done before; none for one that was done now."""
    return {"Idempotency-Replayed": "true"} if replayed else {}


Answer = tuple[int, str, dict[str, str]]


@dataclass(frozen=True)
class Route:
    """One declared route and its view."""

    method: str
    path: str
    view: Callable[..., Any]
    rule: Rule
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    returns: type[BaseModel] | None
    status: int
    raises: tuple[type[ShopError], ...]
    idempotent: bool
    cap_bytes: int
    content_types: tuple[str, ...]
    cache_control: str | None
    etag: bool
    returns_type: str
    tag: str
    parameters: frozenset[str]

    @property
    def access(self) -> Access:
        """Return how the route learns who calls."""
        return self.rule.access

    @property
    def operation_id(self) -> str:
        """Return the name of the operation, unique in the API."""
        return self.view.__name__

    def serve(self, request: Request, path_parameters: dict[str, str], caller: Caller | None) -> Answer:
        """Run the view for an admitted caller.

        Raises:
            ShopError: as the view, or for input that is not what the route accepts.
        """
        arguments: dict[str, Any] = dict(path_parameters)
        if not all(_SEGMENT.fullmatch(value) for value in path_parameters.values()):
            raise NotFound(what="address")
        if len(request.body) > self.cap_bytes:
            raise TooLarge(cap_bytes=self.cap_bytes)
        if self.body is not None:
            arguments["body"] = _parse_body(self.body, request.body)
        if self.access is not Access.PROVIDER:
            _check_repeats(request.repeated)
        if self.query is not None:
            arguments["query"] = _parse_query(self.query, request.query)
        elif request.query and self.access is not Access.PROVIDER:
            raise Invalid(
                errors=[
                    {"pointer": f"/{name}", "code": "extra_forbidden", "detail": "unknown parameter"}
                    for name in sorted(request.query)[:20]
                ]
            )
        if self.idempotent:
            arguments["intent"] = self._intent(request, caller)
        arguments["caller"] = caller
        arguments["request"] = request
        result = self.view(**{name: value for name, value in arguments.items() if name in self.parameters})
        return self._answer(result, request)

    def _intent(self, request: Request, caller: Caller | None) -> Intent:
        key = request.headers.get("idempotency-key", "")
        if not _KEY.fullmatch(key):
            raise MissingIdempotencyKey
        return Intent.of(
            account_id=caller.account_id if caller else "anonymous",
            operation=f"{self.method} {request.path}{_asked(request.query)}",
            key=key,
            body=request.body,
        )

    def _answer(self, result: Any, request: Request) -> Answer:
        reply = result if isinstance(result, Reply) else Reply(result, self.status if result is not None else 204)
        headers = dict(reply.headers)
        body = reply.body
        if body is None:
            headers.setdefault("Cache-Control", "no-store")
            return reply.status, "", headers
        if not isinstance(body, str):
            body = body.model_dump_json(exclude_none=True)
        headers.setdefault("Content-Type", self.returns_type)
        if self.cache_control is not None:
            headers.setdefault("Cache-Control", self.cache_control)
            headers.setdefault("Vary", "Accept-Language")
        else:
            headers.setdefault("Cache-Control", "no-store")
        if self.etag:
            tag = f'"{hashlib.blake2b(body.encode(), digest_size=12).hexdigest()}"'
            headers.setdefault("ETag", tag)
            if _matches(request.headers.get("if-none-match"), headers["ETag"]):
                del headers["Content-Type"]
                return 304, "", headers
        return reply.status, body, headers


def _matches(if_none_match: str | None, tag: str) -> bool:
    """Compare weakly, as RFC 9110 section 13.1.2 wants."""
    if if_none_match is None:
        return False
    given = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in given or tag.removeprefix("W/") in given


def _parse_body(model: type[BaseModel], raw: bytes) -> BaseModel:
    from pydantic import ValidationError

    from chalicelib.runtime.schema import errors_of

    if not raw.strip():
        raw = b"{}"
    _check_json(raw)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = errors_of(error)
        if found and found[0]["code"] == "json_invalid":
            raise Malformed(why="not_json") from None
        raise Invalid(errors=found) from None


def _check_json(raw: bytes) -> None:
    """Refuse what is valid JSON and still means trouble: of two equal keys, each reader takes another one."""
    if _CONTROLS_IN_JSON.search(raw):
        raise Malformed(why="control_characters")
    try:
        json.loads(raw.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Malformed(why="not_json") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed(why="repeated_key")
    return found


def _check_repeats(names: frozenset[str]) -> None:
    """Refuse parameters that came twice: each reader on the way may take another one of them."""
    if names:
        raise Invalid(
            errors=[
                {"pointer": f"/{name}", "code": "repeated_parameter", "detail": "was sent more than once"}
                for name in sorted(names)[:20]
            ]
        )


def _asked(query: Mapping[str, str]) -> str:
    """Return the query as part of what was asked: the same body with other options is another request."""
    return "?" + json.dumps(sorted(query.items())) if query else ""


def _parse_query(model: type[BaseModel], query: Mapping[str, str]) -> BaseModel:
    from pydantic import ValidationError

    from chalicelib.runtime.schema import errors_of

    for name, value in query.items():
        if _CONTROLS.search(value):
            raise Invalid(
                errors=[{"pointer": f"/{name}", "code": "control_character", "detail": "holds control characters"}]
            )
    try:
        return model.model_validate(dict(query))
    except ValidationError as error:
        raise Invalid(errors=errors_of(error)) from None


def _rule(
    table: Mapping[str, Rule], view: Callable[..., Any], access: Access, raises: tuple[type[ShopError], ...]
) -> Rule:
    """Return a view's line of the policy table.

    Raises:
        LookupError: if there is none, or it says something else than the declaration.
    """
    name = view.__name__
    rule = table.get(name)
    if rule is None:
        raise LookupError(f"chalicelib/policy.py has no line for {name}: say who may call it")
    if rule.access is not access:
        raise LookupError(f"{name} is declared for {access}, chalicelib/policy.py says {rule.access}")
    for second, refusal in ((Second.DECIDES, OwnApproval), (Second.ABOVE_LIMIT, SecondPersonNeeded)):
        if (rule.second is second) is not any(issubclass(error, refusal) for error in raises):
            raise LookupError(f"{name}: {refusal.__name__} among its errors and {second.name} in its line go together")
    return rule


class Routes:
    """The routes of one capability; its name becomes the tag in the OpenAPI document.

    ``table`` is the policy table, unless a test brings its own.
    """

    def __init__(self, tag: str, *, table: Mapping[str, Rule] = policy.TABLE) -> None:
        self.tag = tag
        self.table = table
        self.entries: list[Route] = []

    def route(
        self,
        method: str,
        path: str,
        *,
        access: Access,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        returns: type[BaseModel] | None = None,
        status: int = 200,
        raises: tuple[type[ShopError], ...] = (),
        idempotent: bool | None = None,
        cap_bytes: int = BODY_CAP_BYTES,
        content_types: tuple[str, ...] = JSON,
        cache_control: str | None = None,
        etag: bool = False,
        returns_type: str = "application/json",
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a view. A POST is idempotent by key unless it says ``idempotent=False`` and why.

        Raises:
            LookupError: when the view is declared and the policy table has no line for it, or another one.
        """

        def register(view: Callable[..., Any]) -> Callable[..., Any]:
            if {method, *(entry.method for entry in self.entries if entry.path == path)} >= {TWIN, TWINNED}:
                raise LookupError(f"{path} is changed by {TWINNED}, and {TWIN} there means the same: take another path")
            self.entries.append(
                Route(
                    method=method,
                    path=path,
                    view=view,
                    rule=_rule(self.table, view, access, raises),
                    body=body,
                    query=query,
                    returns=returns,
                    status=status,
                    raises=raises,
                    idempotent=(method == "POST") if idempotent is None else idempotent,
                    cap_bytes=cap_bytes,
                    content_types=content_types,
                    cache_control=cache_control,
                    etag=etag,
                    returns_type=returns_type,
                    tag=self.tag,
                    parameters=frozenset(inspect.signature(view).parameters),
                )
            )
            return view

        return register

    def find(self, method: str, path: str) -> Route:
        """Return the declaration of a route; of what is changed by ``PATCH``, for ``POST`` as well.

        Raises:
            LookupError: if there is none.
        """
        declared = {entry.method: entry for entry in self.entries if entry.path == path}
        found = declared.get(method) or (declared.get(TWINNED) if method == TWIN else None)
        if found is None:
            raise LookupError(f"{self.tag} declares no {method} {path}")
        return found

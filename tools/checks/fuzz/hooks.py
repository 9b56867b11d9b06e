"""What schemathesis has to know of this API: who calls what, which records there are, and what an answer must be.

Loaded by schemathesis (``SCHEMATHESIS_HOOKS``). A request that is meant to be accepted gets what no schema can say: a
fresh idempotency key, no control characters, cursors that a list gave, and, every other time, ids of records that an
earlier answer named.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
import zlib
from collections import defaultdict
from typing import Any
from uuid import UUID

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario

Json = dict[str, Any]
URL = os.environ.get("FUZZ_URL", "")
ACCOUNTS: dict[str, list[str]] = json.loads(os.environ.get("FUZZ_ACCOUNTS", "{}"))
"""Identity and password by ``x-access``."""
TOKEN_LIFE_S = 240
MOST = 200
"""Records of one kind that are remembered."""
_UNSAID = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORM = {
    "missing", "extra_forbidden", "string_too_long", "string_too_short", "string_pattern_mismatch", "string_type",
    "too_long", "too_short", "greater_than_equal", "less_than_equal", "greater_than", "less_than", "literal_error",
    "enum", "bool_type", "bool_parsing", "int_parsing", "list_type", "dict_type", "tuple_type", "model_type",
    "value_error", "date_from_datetime_parsing", "date_parsing", "datetime_from_date_parsing",
}  # fmt: skip
"""Pydantic's names of what the document says as well. ``int_type`` is none of them: to JSON Schema 17.0 is an integer,
and we take 17 alone."""

_tokens: dict[str, tuple[str, float]] = {}
_known: dict[str, list[str]] = defaultdict(list)
_cursors: dict[str, str] = {}
_made = 0


def _token(access: str) -> str:
    token, since = _tokens.get(access, ("", 0.0))
    if not token or time.monotonic() - since > TOKEN_LIFE_S:
        identity, password = ACCOUNTS[access]
        request = urllib.request.Request(  # noqa: S310
            f"{URL}/v1/auth/sign-in",
            data=json.dumps({"identity": identity, "password": password}).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            token = str(json.load(answer)["access_token"])
        _tokens[access] = (token, time.monotonic())
    return token


def _access(operation: Any) -> str:
    raw = operation.definition.raw
    if raw["operationId"].startswith("sign_out"):
        return "leaver"  # Their sessions end; nobody else's do.
    access = str(raw["x-access"])
    return {"signed_in": "buyer", "optional": "buyer"}.get(access, access)


@schemathesis.auth(refresh_interval=None)
class Role:
    """Signs in as one who may call the operation."""

    def get(self, _: Any, context: schemathesis.AuthContext) -> str | None:
        """Return whose token is sent, if anybody's."""
        access = _access(context.operation)
        return access if access in ACCOUNTS else None

    def set(self, case: Any, data: str, _: schemathesis.AuthContext) -> None:
        """Send it."""
        case.headers["Authorization"] = f"Bearer {_token(data)}"


@schemathesis.hook
def before_call(_: Any, case: Any, **__: Any) -> None:
    """Say what no schema says, in the parts that are meant to be accepted."""
    if case.meta is None:
        return
    valid = {where for where, part in case.meta.components.items() if part.mode.is_positive}
    dice = zlib.crc32(repr((case.operation.label, case.path_parameters, case.body)).encode())
    if ParameterLocation.HEADER in valid and "Idempotency-Key" in (case.headers or {}):
        global _made
        _made += 1
        case.headers["Idempotency-Key"] = str(UUID(int=_made))
    if ParameterLocation.PATH in valid:
        for name, value in dict(case.path_parameters).items():
            case.path_parameters[name] = _known_id(name, value, dice)
    if ParameterLocation.QUERY in valid and case.query:
        case.query = {name: _said(value, dice) for name, value in case.query.items()}
        if "cursor" in case.query:
            case.query.pop("cursor")
            if case.operation.label in _cursors:
                case.query["cursor"] = _cursors[case.operation.label]
    if ParameterLocation.BODY in valid:
        case.body = _said(case.body, dice)


def _known_id(name: str, value: Any, dice: int) -> Any:
    found = _known[name]
    return found[dice // 2 % len(found)] if found and dice % 2 else value


def _said(value: Any, dice: int, name: str = "") -> Any:
    if isinstance(value, str):
        if name.endswith("_id"):
            return _known_id(name, value, dice)
        clean = _UNSAID.sub("", value).strip()
        return clean + "text"[: len(value) - len(clean)]
    if isinstance(value, dict):
        return {key: _said(part, dice, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_said(part, dice + number, name) for number, part in enumerate(value)]
    return value


@schemathesis.hook
def after_call(_: Any, case: Any, response: schemathesis.Response) -> None:
    """Remember which records and pages there are."""
    if response.status_code >= 300 or "json" not in str(response.headers.get("content-type", "")):
        return
    answer = response.json()
    _learn(answer)
    if isinstance(answer, dict) and "next_cursor" in answer:
        _cursors[case.operation.label] = answer["next_cursor"]


def _learn(answer: Any, name: str = "") -> None:
    if isinstance(answer, dict):
        for key, part in answer.items():
            _learn(part, key)
    elif isinstance(answer, list):
        for part in answer:
            _learn(part, name)
    elif isinstance(answer, str) and name.endswith("_id") and answer not in _known[name] and len(_known[name]) < MOST:
        _known[name].append(answer)


@schemathesis.check
def nothing_inside_is_told(_: Any, response: schemathesis.Response, case: Any) -> None:
    """No answer is ``internal_error``, names a module or a table, or repeats a token."""
    text = response.text
    for inner in ("internal_error", "Traceback", "chalicelib", "botocore", "pynamodb", "ConditionalCheckFailed"):
        if inner in text and case.operation.path not in ("/openapi.json", "/docs"):
            raise AssertionError(f"the answer tells of {inner}")


@schemathesis.check
def refusals_are_documented(_: Any, response: schemathesis.Response, case: Any) -> None:
    """A problem's code stands in the document, under the answer's status."""
    problem = _problem(response)
    if problem is None or _undeclared(case):
        return
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    codes = set(re.findall(r"`(\w+)`", documented.get("description", "")))
    if problem.get("code") not in codes | {"unsupported_media_type", "headers_too_large"}:
        raise AssertionError(f"{response.status_code} {problem.get('code')} is not documented: {sorted(codes)}")


@schemathesis.check
def form_is_as_documented(_: Any, response: schemathesis.Response, case: Any) -> None:
    """What the document allows is refused for what it means at most, never for its form."""
    problem = _problem(response)
    if problem is None or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if problem.get("code") == "malformed_body":
        raise AssertionError("a body that the document allows could not be read")
    wrong = [error for error in problem.get("errors", ()) if error["code"] in _FORM]
    if problem.get("code") == "invalid_request" and wrong:
        raise AssertionError(f"the document allows what is refused: {wrong[:3]}")


@schemathesis.check
def undeclared_method_is_no_address(_: Any, response: schemathesis.Response, case: Any) -> None:
    """A method that a path has not is answered as API Gateway answers it: 404, in a problem."""
    if not _undeclared(case) or response.request.method in ("OPTIONS", "HEAD"):
        return
    problem = _problem(response)
    if response.status_code != 404 or problem is None or problem["code"] != "not_found":
        raise AssertionError(f"an undeclared method is answered {response.status_code}")


def _undeclared(case: Any) -> bool:
    data = case.meta.phase.data if case.meta is not None else None
    return isinstance(data, CoveragePhaseData) and data.scenario == CoverageScenario.UNSPECIFIED_HTTP_METHOD


def _problem(response: schemathesis.Response) -> Json | None:
    if "problem+json" not in str(response.headers.get("content-type", "")):
        return None
    found = response.json()
    return found if isinstance(found, dict) else None

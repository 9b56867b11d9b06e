"""The embedded engine behind a door: run as a script, it serves ministack to whoever signs with this run's secret.

ministack takes unsigned calls and believes every key, so a page in the developer's browser could post to its port,
create a function and have it run as the developer. Here a call must carry a signature (Signature Version 4: header,
presigned address, or signed form) made with the secret that :class:`tools.fakes.engine.Engine` made up for this run and
told to nobody else; of the rest only a browser's preflight for an upload passes, and what is public by its nature.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import uvicorn
from ministack import app as engine
from ministack.core import lambda_runtime, sigv4
from ministack.services import s3

sys.path.append(str(Path(__file__).parents[2]))  # Behind all others: ours must be nobody's place.
from tools.fakes import engine_accounts, engine_lane

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ALIVE = "/_door"
"""Where the door itself says that the engine behind it is up."""
FIELDS_CAP = 64 * 1024
"""A form's fields stand before its file."""
BODY_CAP = 256 * 1024 * 1024
_BUCKET = re.compile(r"/[a-z0-9][a-z0-9.-]{2,62}(/.*)?")
_API = re.compile(r"/_aws/execute-api/[a-z0-9]+/[^/]+(/.*)?")
_BORDER = re.compile(r'multipart/form-data\s*;.*boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition:\s*form-data\s*;\s*name="?([^";\r\n]+)"?\s*(;\s*filename=)?', re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Call:
    """The parts of a call that a signature covers."""

    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, list[str]]

    def fits(self, signature: Any, secret: str, body: bytes, *, presigned: bool = False) -> bool:
        parts = (self.method, self.path, self.query, self.headers, body)
        return sigv4.header_signature_failure(signature, secret, *parts, presigned=presigned) is None


class Door:
    """An ASGI application that hands on what is signed."""

    def __init__(self, application: Application, *, secret: str, hosts: frozenset[str], public_apis: bool) -> None:
        self._application = application
        self._secret = secret
        self._hosts = hosts
        self._exact_hosts = frozenset(host.encode() for host in hosts)
        self._public_apis = public_apis

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, or refuse it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        call = engine_lane.call_of(scope, self._exact_hosts)
        if call is not None:
            body = await _whole(receive)
            if body is None:
                await _answer(send, 403, json.dumps(_REFUSAL).encode())
                return
            if call.is_signed(self._secret, body):
                await engine_lane.answer(call, body, send)
                return
            receive = _again(body, receive)
        send = _never_sniffed(send)
        if scope["path"] == ALIVE and scope["method"] == "GET":
            await _answer(send, 204, b"")
            return
        passed = await self._checked(scope, receive)
        if passed is None:
            await _answer(send, 403, json.dumps(_REFUSAL).encode())
        elif scope["path"] == engine_accounts.PATH:
            await _answer(send, 204 if engine_accounts.serve(await _whole(passed) or b"") else 400, b"")
        else:
            await self._application(scope, passed, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive | None:
        """Return from where the engine may read the call's body; None for a call that nobody signed."""
        headers = _headers(scope)
        if not self._names_us(scope, headers):
            return None
        if self._is_public(scope, headers):
            return receive
        call = _Call(scope["method"], _path(scope), headers, _query(scope))
        if headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            body = await _whole(receive)
            return _again(body, receive) if body is not None and self._signed(call, body) else None
        if border := _BORDER.fullmatch(headers.get("content-type", "")):
            return await self._form(scope, receive, border[1].encode())
        return receive if self._presigned(call) else None

    def _names_us(self, scope: Scope, headers: dict[str, str]) -> bool:
        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        return len(hosts) == 1 and headers["host"].lower() in self._hosts

    def _signed(self, call: _Call, body: bytes) -> bool:
        signature = sigv4.parse_header_signature(call.headers)
        if isinstance(signature, tuple) or sigv4.request_time_failure(signature) is not None:
            return False
        said = call.headers.get("x-amz-content-sha256", "")
        if _DIGEST.fullmatch(said) and said != hashlib.sha256(body).hexdigest():
            return False
        secret = self._secret_of(signature.access_key_id, call.headers.get("x-amz-security-token", ""))
        return secret is not None and call.fits(signature, secret, body)

    def _presigned(self, call: _Call) -> bool:
        signature = sigv4.parse_query_signature(call.query)
        # Only S3's are handed out; when they end, the engine says so itself, in S3's own words.
        if isinstance(signature, tuple) or signature.service != "s3" or "x-amz-target" in call.headers:
            return False
        secret = self._secret_of(signature.access_key_id, call.query.get("X-Amz-Security-Token", [""])[0])
        return secret is not None and call.fits(signature, secret, b"", presigned=True)

    def _secret_of(self, access_key: str, token: str) -> str | None:
        """Return what a key signs with: an account's number with this run's secret, a role's session with its own."""
        if re.fullmatch(r"[0-9]{12}", access_key):
            return self._secret
        from ministack.core import iam_evaluator, responses

        account = responses._account_from_sts_session(access_key)  # noqa: SLF001 -- as the engine itself looks it up
        found = iam_evaluator.resolve_credential(access_key, account, token) if access_key and account else None
        return getattr(found, "secret_access_key", None)

    async def _form(self, scope: Scope, receive: Receive, border: bytes) -> Receive | None:
        if scope["method"] != "POST" or not _BUCKET.fullmatch(scope["path"]):
            return None
        begun, more = b"", True
        fields: dict[str, str] | None = None
        while fields is None and more and len(begun) <= FIELDS_CAP:
            message = await receive()
            if message["type"] != "http.request":
                return None
            begun, more = begun + message.get("body", b""), message.get("more_body", False)
            fields = _fields(begun, border)
        return _again(begun, receive, more=more) if fields is not None and self._form_fits(fields) else None

    def _form_fits(self, fields: dict[str, str]) -> bool:
        scope = fields.get("x-amz-credential", "").split("/")
        if len(scope) != 5 or scope[3:] != ["s3", "aws4_request"]:
            return False
        secret = self._secret_of(scope[0], fields.get("x-amz-security-token", ""))
        if secret is None:
            return False
        made = sigv4.calculate_signature(secret, scope[1], scope[2], scope[3], fields.get("policy", ""))
        return hmac.compare_digest(made.encode(), fields.get("x-amz-signature", "").encode())

    def _is_public(self, scope: Scope, headers: dict[str, str]) -> bool:
        """Say whether a call needs no signature: asking leave to upload, or calling an API that was deployed here."""
        if "x-amz-target" in headers:
            return False
        if self._public_apis and _API.fullmatch(scope["path"]):
            return True
        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        return asks and _BUCKET.fullmatch(scope["path"]) is not None


_REFUSAL = {"__type": "MissingAuthenticationToken", "message": "Sign with the secret of this run of the engine."}


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), sigv4.decode_header_value(value)
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _fields(begun: bytes, border: bytes) -> dict[str, str] | None:
    """Return a form's fields up to its file, names in lower case; None while they have not all come."""
    found: dict[str, str] = {}
    for part in begun.split(b"--" + border)[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        if part.startswith(b"--") or (blank and named and (named[2] or named[1].lower() == b"file")):
            return found
        if not blank or not named or not value.endswith(b"\r\n"):
            return None
        name = named[1].decode("latin-1").lower()
        if name in found:
            return {}
        found[name] = value.removesuffix(b"\r\n").decode("latin-1")
    return None


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("latin-1")


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)


async def _whole(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_CAP:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(begun: bytes, receive: Receive, *, more: bool = False) -> Receive:
    """Return a way to read what was read already, and then the rest."""
    waiting: list[Message] = [{"type": "http.request", "body": begun, "more_body": more}]

    async def read() -> Message:
        return waiting.pop() if waiting else await receive()

    return read


def _never_sniffed(send: Send) -> Send:
    """Let every answer say that it is what its type says: files that strangers uploaded come from here too."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [(name, value) for name, value in message["headers"] if name.lower() != b"x-content-type-options"]
            message = {**message, "headers": [*others, (b"x-content-type-options", b"nosniff")]}
        await send(message)

    return told


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


def _with_secrets_nobody_guesses(
    original: Callable[[dict[str, Any]], dict[str, str]], secret: str
) -> Callable[[dict[str, Any]], dict[str, str]]:
    """Wrap what gives a function its role's session: the engine derives that secret from names alone."""

    @functools.wraps(original)
    def credentials(config: dict[str, Any]) -> dict[str, str]:
        found = original(config)
        key = found["AWS_ACCESS_KEY_ID"]
        if re.fullmatch(r"[0-9]{12}", key):
            return found
        from ministack.services import sts

        own = hmac.new(secret.encode(), key.encode(), hashlib.sha256).hexdigest()
        session = sts._sessions.get(key)  # noqa: SLF001 -- there is no other way to it
        sts.register_session(key, {**session, "SecretAccessKey": own})
        return {**found, "AWS_SECRET_ACCESS_KEY": own}

    return credentials


RUNTIME_GIVES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ", "TMPDIR", "AWS_SECRET_ACCESS_KEY")
"""What an interpreter needs to run at all, and a function's key; of everything else it has what its stack says."""


class _Owners:
    """Says which account owns a bucket. The engine walks through every bucket of every account to find out."""

    def __init__(self, buckets: Any, search: Callable[[str], str | None]) -> None:
        self._buckets = buckets
        self._search = search
        self._known: dict[str, str] = {}

    def __call__(self, name: str) -> str | None:
        owner = self._known.get(name)
        if owner is not None and (owner, name) in self._buckets._data:  # noqa: SLF001 -- as the engine looks it up
            return owner
        found = self._search(name)
        if found is not None:
            self._known[name] = found
        return found


class _Spawning:
    """Stands where the engine's Lambda runtime finds ``subprocess``: a function inherits none of our variables.

    The engine hands each function all that it was started with, so that a function would know on a laptop what nobody
    ever told it on AWS. ``added`` are variables of a test's harness.
    """

    def __init__(self, real: Any, *, inherited: frozenset[str]) -> None:
        self._real = real
        self._inherited = inherited

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def Popen(self, *arguments: Any, **options: Any) -> Any:  # noqa: N802 -- its name there
        """Start a child with an environment of its own."""
        if options.get("env") is not None:
            options["env"] = {
                name: value
                for name, value in options["env"].items()
                if name not in self._inherited or value != os.environ.get(name)
            }
        return self._real.Popen(*arguments, **options)


def main() -> None:
    """Serve until SIGTERM, as ministack's own command does, by a server that spends a third of its CPU on a call."""
    secret, port = os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["GATEWAY_PORT"]
    hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
    public = os.environ.pop("ENGINE_DOOR_PUBLIC_APIS", "") == "1"
    kept = {*RUNTIME_GIVES, *filter(None, os.environ.pop("ENGINE_DOOR_FUNCTIONS_KEEP", "").split(","))}
    lambda_runtime.subprocess = _Spawning(subprocess, inherited=frozenset(os.environ) - kept)
    lambda_runtime.execution_credentials = _with_secrets_nobody_guesses(lambda_runtime.execution_credentials, secret)
    s3._bucket_owner_account = _Owners(s3._buckets, s3._bucket_owner_account)  # noqa: SLF001
    door = Door(engine.app, secret=secret, hosts=hosts, public_apis=public)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        door,
        host=os.environ["BIND_HOST"],
        port=int(port),
        log_level=os.environ["LOG_LEVEL"].lower(),
        access_log=False,
        date_header=False,  # The engine says the date and who it is, as AWS does.
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,  # Whoever waits for a queue is sent away.
    )


if __name__ == "__main__":
    main()

"""The Chalice application: registers routes by name and imports a capability when its first request arrives."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

from chalice.app import Chalice, Response

from chalicelib import policy
from chalicelib.kernel import context, ids
from chalicelib.kernel.errors import Busy, Forbidden, Misconfigured, NotFound, ShopError
from chalicelib.kernel.policy import Rule
from chalicelib.runtime import lifetime, log, metrics, patience, start
from chalicelib.runtime.config import on_lambda
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.http import client_address, cors, locations, problems
from chalicelib.runtime.http.access import (
    Access,
    Act,
    AdmitKey,
    Authenticate,
    Caller,
    Oversee,
    Present,
    Proof,
    Standing,
    admit,
    key_in,
)
from chalicelib.runtime.http.headers import NOSNIFF, Headers, headers_of
from chalicelib.runtime.http.languages import language_of
from chalicelib.runtime.http.routes import Request, Route, Routes

BINARY_TYPES = ("text/csv",)
"""What API Gateway hands over byte for byte (in base64). Every other body it reads as UTF-8, and what is not becomes
U+FFFD before we see it: right for JSON and for what providers post, wrong for files in a spreadsheet's own encoding."""

ASKING_S = 13.0
"""The function ends after 20 s: so long may one request wait for others' answers, all together."""

OWN_S = 5.0
"""What our own work may need when others have answered."""
ANSWER_S = 1.0
"""What is kept for the answer: that we are busy is better said than nothing."""

OVERSIGHT = "chalicelib.oversight.service:overseen"
"""What every operator's call goes through, unless an application says otherwise: none does so by leaving it out."""
STANDING = "chalicelib.merchants.standing:check"
"""What every call of a merchant's staff goes through, unless an application says otherwise."""
PRESENCE = "chalicelib.auth.staff.presence:present"
"""What says for which merchant somebody acts, and whether their post is one that the route is for."""
PROOF = "chalicelib.auth.sessions.step_up:require_fresh"
"""What a call goes through where the policy table wants a proof that is younger than the session."""
KEYS = "chalicelib.auth.keys.admission:admitted"
"""What says whose system shows a key, and whether it may this."""
LIVING = "chalicelib.auth.living:check"
"""What refuses a token of staff whose session was ended, on the routes that do not read the account themselves."""

RATES = "chalicelib.risk.rates.charging:charge"
"""What counts calls that change something, for the limits of ``chalicelib.risk.rates.limits``."""

MERCHANT_HEADER = "x-merchant-id"
"""For which of their merchants somebody acts; who works for one need not say."""

RouteLine = tuple[str, str, str, tuple[str, ...]]
"""Method, path, module that declares it, accepted content types: a line of ``chalicelib.routes``."""


def _lazy(reference: str) -> Authenticate:
    module_name, _, attribute = reference.partition(":")

    def authenticate(token: str) -> Caller:
        function: Authenticate = getattr(import_module(module_name), attribute)
        return function(token)

    return authenticate


def _lazy_oversight(reference: str) -> Oversee:
    module_name, _, attribute = reference.partition(":")

    def oversee(caller: Caller, act: Act) -> AbstractContextManager[None]:
        function: Oversee = getattr(import_module(module_name), attribute)
        return function(caller, act)

    return oversee


def _lazy_standing(reference: str) -> Standing:
    module_name, _, attribute = reference.partition(":")

    def check(merchant_id: str, rule: Rule, *, reads: bool) -> None:
        function: Standing = getattr(import_module(module_name), attribute)
        function(merchant_id, rule, reads=reads)

    return check


def _lazy_presence(reference: str) -> Present:
    module_name, _, attribute = reference.partition(":")

    def present(caller: Caller, asked: str | None, rule: Rule) -> Caller:
        function: Present = getattr(import_module(module_name), attribute)
        return function(caller, asked, rule)

    return present


def _lazy_keys(reference: str) -> AdmitKey:
    module_name, _, attribute = reference.partition(":")

    def admitted(shown: str, asked: str | None, rule: Rule, source_ip: str) -> Caller:
        function: AdmitKey = getattr(import_module(module_name), attribute)
        return function(shown, asked, rule, source_ip)

    return admitted


def _merchant_named(headers: Headers) -> str | None:
    """Return the merchant that a request names.

    Raises:
        Forbidden: if it names several, or no merchant: nobody is staff of that.
    """
    named = headers.get(MERCHANT_HEADER)
    if named is not None and (headers.is_repeated(MERCHANT_HEADER) or not ids.is_id("mer", named)):
        raise Forbidden
    return named


def _lazy_proof(reference: str) -> Proof:
    module_name, _, attribute = reference.partition(":")

    def require_fresh(caller: Caller, within_s: int) -> None:
        function: Proof = getattr(import_module(module_name), attribute)
        function(caller, within_s)

    return require_fresh


def _lazy_living(reference: str) -> Callable[[Caller], None]:
    module_name, _, attribute = reference.partition(":")

    def check(caller: Caller) -> None:
        function: Callable[[Caller], None] = getattr(import_module(module_name), attribute)
        function(caller)

    return check


def _lazy_rates(reference: str) -> Callable[[str, str, str], None]:
    module_name, _, attribute = reference.partition(":")

    def charge(operation: str, account_id: str, source_ip: str) -> None:
        function: Callable[[str, str, str], None] = getattr(import_module(module_name), attribute)
        function(operation, account_id, source_ip)

    return charge


class App(Chalice):
    """Chalice with our problems, contexts and logs around every request. Safe in threads, each serving one request."""

    def __init__(
        self,
        app_name: str,
        *,
        authenticate: str,
        oversee: str = OVERSIGHT,
        presence: str = PRESENCE,
        keys: str = KEYS,
        standing: str = STANDING,
        proof: str = PROOF,
        living: str = LIVING,
        rates: str = RATES,
    ) -> None:
        self._local = threading.local()
        super().__init__(app_name=app_name, configure_logs=False)
        self.api.binary_types = list(BINARY_TYPES)
        self._authenticate = _lazy(authenticate)
        self._oversee = _lazy_oversight(oversee)
        self._present = _lazy_presence(presence)
        self._admit_key = _lazy_keys(keys)
        self._check_standing = _lazy_standing(standing)
        self._require_fresh = _lazy_proof(proof)
        self._check_living = _lazy_living(living)
        self._charge = _lazy_rates(rates)

    @property
    def current_request(self) -> Any:
        """The request this thread serves. Chalice keeps one for the whole app, which mixes callers up in threads."""
        return getattr(self._local, "request", None)

    @current_request.setter
    def current_request(self, request: Any) -> None:
        self._local.request = request

    def install(self, lines: Iterable[RouteLine]) -> None:
        """Register every route line; its module is imported by the first request for it."""
        by_path: dict[str, list[RouteLine]] = {}
        for line in lines:
            by_path.setdefault(line[1], []).append(line)
        for path, path_lines in by_path.items():
            for method, _, module, content_types in path_lines:
                name = f"{method} {path}"
                self.route(path, methods=[method], content_types=list(content_types), name=name)(
                    self._view(method, path, module)
                )

    def _view(self, method: str, path: str, module: str) -> Callable[..., Response]:
        def view(**path_parameters: str) -> Response:
            routes: Routes = import_module(module).routes
            route = routes.find(method, path)
            event = self.current_request.to_original_event()
            headers_in = headers_of(event)
            try:
                address = client_address.client_of(event, headers_in, signed=route.access is Access.PROVIDER)
                request = _request(event, headers_in, address)
                caller = self._admitted(route, headers_in, address)
                asking_s = min(ASKING_S, lifetime.left_s() - OWN_S)
                with patience.within(asking_s), self._overseen(route, caller, request, path_parameters):
                    status, body, headers = route.serve(request, path_parameters, caller)
            except ShopError as error:
                status, body, headers = problems.problem(error)
                log.info("request refused", code=error.code, status=status, operation=route.operation_id)
                if isinstance(error, Misconfigured):
                    log.error("configuration is incomplete", why=str(error))
                    metrics.count("api_faults")
                metrics.count("refused")
            except Exception as error:
                # A queue or a secret that is throttled or silent is no fault of ours: the request may come again.
                passing = dynamo.is_passing(error)
                log.error("unhandled error", trace=True, operation=route.operation_id, kind=type(error).__name__)
                metrics.count("unhandled_errors")
                if not passing:
                    metrics.count("api_faults")
                status, body, headers = problems.problem(Busy() if passing else Unexpected())
            return Response(body=body, status_code=status, headers={**headers})

        return view

    def _admitted(self, route: Route, headers: Headers, address: str) -> Caller | None:
        """Return who calls, if the route's line in the policy table is for them as they stand at this moment."""
        shown = key_in(route.access, headers.only("authorization"))
        if shown is not None:
            return self._admitted_by_key(route, shown, headers, address)
        caller = admit(route.access, headers.only("authorization"), self._authenticate)
        if route.method != "GET" and route.access is not Access.PROVIDER:  # Reads are free; notices must not be lost.
            self._charge(route.operation_id, caller.account_id if caller is not None else "", address)
        if caller is None:
            return None
        if route.access is Access.MERCHANT:
            caller = self._present(caller, _merchant_named(headers), route.rule)
        elif route.access is not Access.OPERATOR:  # Of operators oversight asks at each call.
            self._check_living(caller)
        context.set_actor(caller.account_id)
        if route.rule.fresh is not None:
            self._require_fresh(caller, int(route.rule.fresh.total_seconds()))
        if route.access is Access.MERCHANT:
            self._check_standing(caller.owned_merchant(), route.rule, reads=route.method == "GET")
        return caller

    def _admitted_by_key(self, route: Route, shown: str, headers: Headers, address: str) -> Caller:
        """Return the merchant's system that calls. A key is nobody's proof, so no line that wants one takes it."""
        caller = self._admit_key(shown, _merchant_named(headers), route.rule, address)
        if route.method != "GET":
            self._charge(route.operation_id, caller.account_id, address)
        context.set_actor(caller.account_id)
        self._check_standing(caller.owned_merchant(), route.rule, reads=route.method == "GET")
        return caller

    def _overseen(
        self, route: Route, caller: Caller | None, request: Request, path_parameters: dict[str, str]
    ) -> AbstractContextManager[None]:
        """An operator's call goes through the place where all of them do, and what else the audit has."""
        if caller is None or not (route.access is Access.OPERATOR or route.operation_id in policy.WRITTEN_DOWN):
            return nullcontext()
        act = Act(route.operation_id, route.method == "GET", dict(path_parameters), route.rule, request.body)
        return self._oversee(caller, act)

    def __call__(self, event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
        """Serve one API Gateway (REST, v1) proxy event."""
        started = time.perf_counter()
        gateway = event.get("requestContext") or {}
        request_id = str(gateway.get("requestId") or "none")
        where = context.Context(
            request_id=request_id,
            cause_id="http",
            actor="anonymous",
            language=language_of(headers_of(event).get("accept-language")),
        )
        with context.use(where), lifetime.of(lambda_context), lifetime.keeping(ANSWER_S):
            resource = gateway.get("resourcePath")
            refusal = _not_ready() or (NotFound(what="address") if resource not in self.routes else None)
            if refusal is not None:
                status, body, out_headers = problems.problem(refusal)
                answer: dict[str, Any] = {"statusCode": status, "body": body, "headers": out_headers}
            else:
                answer = super().__call__(event, lambda_context)
                self._reshape(answer)
            headers = answer.setdefault("headers", {})
            headers["X-Request-Id"] = request_id
            self._share(headers, headers_of(event).get("origin"))
            locations.complete(event, headers)
            headers.update(NOSNIFF)  # Here, where refusals of Chalice's and faults pass too.
            log.info(
                "request",
                method=gateway.get("httpMethod"),
                resource=resource,
                status=answer["statusCode"],
                ms=round((time.perf_counter() - started) * 1000, 1),
            )
            metrics.flush("api")
        return answer

    @staticmethod
    def _share(headers: dict[str, str], origin: str | None) -> None:
        """Let pages of the configured origins read the answer, refusals too; with a setting nobody can read, none."""
        try:
            cors.add_to(headers, origin)
        except Misconfigured as error:
            log.error("configuration is incomplete", why=str(error))

    @staticmethod
    def _reshape(answer: dict[str, Any]) -> None:
        if answer["statusCode"] < 400 or not isinstance(answer.get("body"), str):
            return
        if not answer["body"].startswith('{"Code"'):
            return
        import json

        found = problems.from_chalice(answer["statusCode"], json.loads(answer["body"]))
        if found is not None:
            answer["statusCode"], answer["body"], headers = found
            answer["headers"] = {**answer.get("headers", {}), **headers}


def _not_ready() -> ShopError | None:
    """Return why the function cannot serve anything: it runs in the cloud with a secret that is missing or weak."""
    if not on_lambda():
        return None
    try:
        start.check_api()
    except Misconfigured as error:
        log.error("configuration is incomplete", why=str(error))
        return error
    except Exception as error:
        log.error("unhandled error", trace=True, operation="start", kind=type(error).__name__)
        return Busy() if dynamo.is_passing(error) else Unexpected()
    return None


class Unexpected(ShopError):
    """A fault of ours. The log has the trace under the same request id."""

    code, status = "internal_error", 500
    en, zh = "Something went wrong on our side.", "服务器内部错误。"


def _request(event: dict[str, Any], headers: Headers, source_ip: str) -> Request:
    body = event.get("body") or ""
    gateway = event["requestContext"]
    return Request(
        method=gateway["httpMethod"],
        path=event.get("path") or gateway["resourcePath"],
        headers=headers,
        query=event.get("queryStringParameters") or {},
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
        repeated=frozenset(
            name for name, found in (event.get("multiValueQueryStringParameters") or {}).items() if len(found) > 1
        ),
        source_ip=source_ip,
    )

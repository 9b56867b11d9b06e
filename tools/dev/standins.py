"""The other sides that a laptop lacks: payment providers, a carrier hub, carriers of messages, each on its own port."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.kernel import clock
from chalicelib.runtime import aws, log, names, outbound, secrets
from tools.dev import memory
from tools.dev.trail import Trail
from tools.fakes.carriers.hub import Hub, UnknownNumber
from tools.fakes.carriers.kdniao import PATHS, KDNiao
from tools.fakes.messages import carriers as message_carriers
from tools.fakes.messages import steering
from tools.fakes.messages.carriers import Carriers
from tools.fakes.sandbox import providers
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.posting import exchange, post
from tools.fakes.sandbox.server import door
from tools.fakes.sandbox.stand_in import CERTIFICATE_HEADER, SHOWN, Silence, StandIn, fingerprint
from tools.fakes.sign_in import mount as sign_in
from tools.fakes.sign_in.stand_in import SignInHost
from tools.shared.doors import Door
from tools.shared.httpd import Request, Response, Server

CAP = 1 << 20
TICK_S = 0.02
HANG_S = 6.0
"""How long a call is held that the sandbox is told not to answer: longer than any caller of ours waits."""


@dataclass
class StandIns:
    """What was started, and the settings by which our code finds it."""

    sandbox: Sandbox
    hub: Hub
    kept: Path | None = None
    birds: KDNiao = field(default_factory=lambda: KDNiao(exchange, now=clock.now))
    """The other hub, KDNiao: served at the same address, told apart by its paths."""
    others: dict[str, StandIn] = field(default_factory=dict)
    """Those that stand in for real providers, by the name of the adapter."""
    urls: dict[str, str] = field(default_factory=dict)
    """Where the providers are served, by name."""
    carrier_url: str = ""
    sign_in: SignInHost = field(default_factory=SignInHost)
    """Where a person plays the one who signs in by QQ or WeChat."""
    messages: Carriers = field(default_factory=lambda: Carriers(clock.now))
    messages_url: str = ""
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _posting: bool = False

    @property
    def all(self) -> dict[str, StandIn]:
        """Return every payment provider's other end."""
        return {"sandbox": self.sandbox, **self.others}

    @property
    def sandbox_url(self) -> str:
        """Return where the sandbox provider is."""
        return self.urls.get("sandbox", "")

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of ``chalicelib`` that lead here."""
        told = providers.settings(self.urls) if self.others else {"BIANDAN_SANDBOX_URL": self.sandbox_url}
        return {
            **told,
            "BIANDAN_KUAIDI100_URL": self.carrier_url,
            "BIANDAN_KDNIAO_URL": self.carrier_url,
            "BIANDAN_CARRIER_HUB": "kuaidi100,kdniao",
            "BIANDAN_CARRIER_HUB_OF": "yunda:kdniao",
            "BIANDAN_WAYBILLS": "kdniao",
            **message_carriers.settings(self.messages_url),
            **sign_in.settings(self.sign_in.base_url),
        }

    def start(self, shop_url: str = "") -> None:
        """Serve all, and post the providers' notices; ``shop_url`` for what is not told with each payment."""
        self._recall()
        self.birds.push_url = f"{shop_url}/v1/webhooks/logistics/kdniao"
        carrier = Server(self._serve_hub, port=9200, body_cap=CAP, name="carrier", door=Door(orders=_is_command))
        self.carrier_url = carrier.url
        at_carriers = Door(names=message_carriers.HOSTS, orders=lambda target: target == "/command")
        messages = Server(self._serve_messages, port=9400, body_cap=CAP, name="messages", door=at_carriers)
        self.messages_url = messages.url
        servers = [carrier, messages, sign_in.server(self.sign_in, self._stopping)]
        for name, stand_in in self.all.items():
            serve = self._serving(stand_in)
            server = Server(serve, port=providers.PORTS[name], body_cap=CAP, name=name, door=door())
            self.urls[name] = stand_in.base_url = server.url
            servers.append(server)
        for stand_in in self.all.values():
            stand_in.neighbours = {"Biandan": f"{shop_url}/docs"} if shop_url else {}
            stand_in.neighbours |= {self.all[name].title[0]: f"{url}/" for name, url in self.urls.items()}
        self.sign_in.neighbours = self.sandbox.neighbours
        if shop_url and "stripe" in self.others:
            providers.tell_stripe(self.others["stripe"], shop_url)
        for server in servers:
            server.start()
            self._stops.append(server.stop)
        notices = threading.Thread(target=self._post_notices, name="notices", daemon=True)
        notices.start()
        self._stops.append(lambda: notices.join(timeout=6))

    def tell_keys(self) -> None:
        """Write what the shop must know of each provider into its secrets, now and after each rotation."""
        for name, stand_in in self.all.items():
            stand_in.when_rotated = _teller(name, stand_in)
            if name in self.others:
                stand_in.when_rotated()

    def stop(self) -> None:
        """Stop all of it, and write down what both sides know: kept payments must not be strangers there."""
        self._stopping.set()
        while self._stops:
            self._stops.pop()()
        if self.kept is not None:
            memory.write(self.kept, self.all, self.hub, self.birds)

    def _recall(self) -> None:
        if self.kept is None or not self.kept.exists():
            return
        try:
            memory.read(self.kept, self.all, self.hub, self.birds)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("kept stand-ins could not be read; starting empty", kind=type(error).__name__)

    @property
    def quiet(self) -> bool:
        """Say whether no notice is due or on its way."""
        return not self._posting and not any(
            out.due <= stand_in.now() for stand_in in self.all.values() for out in list(stand_in.outbox)
        )

    def _serving(self, stand_in: StandIn) -> Callable[[Request], Response]:
        def serve(request: Request) -> Response:
            try:
                status, headers, body = stand_in.handle(
                    request.method, request.target, dict(request.headers), request.body
                )
            except Silence:
                self._stopping.wait(HANG_S)
                return Response(504)
            self._stopping.wait(stand_in.slowness())
            return Response(status, list(headers.items()), body)

        return serve

    def _post_notices(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._posting = True
            try:
                while sum(stand_in.tick(post) for stand_in in self.all.values()):
                    pass
            finally:
                self._posting = False

    def _serve_messages(self, request: Request) -> Response:
        try:
            status, headers, body = self.messages.handle(
                request.method, request.target, dict(request.headers), request.body
            )
        except steering.Silence:
            self._stopping.wait(HANG_S)
            return Response(504)
        return Response(status, list(headers.items()), body)

    def _serve_hub(self, request: Request) -> Response:
        """Serve both hubs' own calls, and ``POST /command`` (see ``Hub.command``) for people and the demo."""
        if request.target == "/command" and request.method == "POST":
            try:
                order = json.loads(request.body)
                at_birds = str(order["number"]) in self.birds.parcels
                answer = self.birds.command(order) if at_birds else self.hub.command(order)
            except UnknownNumber as unknown:
                return _json(404, {"error": f"nobody subscribed {unknown}"})
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                return _json(422, {"error": str(error)})
            return _json(200, answer)
        if request.target == "/" and request.method == "GET":
            newest = list(islice(reversed(self.hub.journeys), SHOWN)) + list(
                islice(reversed(self.birds.parcels), SHOWN)
            )
            return _json(200, {"numbers": newest, "send": 'POST /command {"number":, "do":}'})
        served = self.birds if request.target in PATHS else self.hub
        status, headers, body = served.handle(request.target, request.body)
        return Response(status, list(headers.items()), body)


def _is_command(target: str) -> bool:
    """Say whether a call of the hub is one of people and tests; the shop's own are forms, and signed."""
    return urlsplit(target).path.strip("/") in ("", "command")


def create(kept: Path | None = None) -> StandIns:
    """Return all, on the shop's clock: they sign with its time. ``kept`` is where they remember between starts."""
    made = providers.create(lambda: clock.now().timestamp())
    host = SignInHost(now=lambda: clock.now().timestamp())
    return StandIns(kept=kept, sandbox=made.pop("sandbox"), hub=Hub(exchange, now=clock.now), others=made, sign_in=host)


def _teller(name: str, stand_in: StandIn) -> Callable[[], None]:
    def tell() -> None:
        value = {"SecretString": json.dumps(providers.secret_of(name, stand_in))}
        secret = names.secret_name(f"payments-{name}")
        try:
            aws.call("secretsmanager", "PutSecretValue", {"SecretId": secret, **value})
        except Exception as error:
            if aws.error_code(error) != "ResourceNotFoundException":
                raise
            aws.call("secretsmanager", "CreateSecret", {"Name": secret, **value})
        secrets.forget()

    return tell


def _json(status: int, value: object) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(value, ensure_ascii=False).encode())


def watch_outbound(trail: Trail | None) -> Callable[[], None]:
    """Record every call to a provider or hub; return what undoes it.

    It also plays the proxy that ends TLS before a stand-in: what a client certificate proves arrives as a header.
    """

    def transport(request: outbound.Request) -> outbound.Response:
        if request.client_certificate is not None and request.url.startswith("http://127.0.0.1"):
            shown = {CERTIFICATE_HEADER: fingerprint(request.client_certificate.certificate)}
            request = replace(request, headers={**request.headers, **shown}, client_certificate=None)
        try:
            response = outbound._over_the_network(request)  # noqa: SLF001 -- the transport in use, watched
        except Exception as error:
            if trail is not None:
                trail.outbound(request.method, request.url, type(error).__name__)
            raise
        if trail is not None:
            trail.outbound(request.method, request.url, response.status)
        return response

    outbound.install(transport)
    return lambda: outbound.install(None)

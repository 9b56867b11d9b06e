"""The other sides that a laptop lacks: the sandbox payment provider and a carrier hub, each on a port of its own."""

from __future__ import annotations

import json
import pickle
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.kernel import clock
from chalicelib.runtime import log, outbound
from tools.carriers.hub import Hub, UnknownNumber
from tools.dev.httpd import Request, Response, Server
from tools.dev.trail import Trail
from tools.sandbox.core import Sandbox, Silence

CAP = 1 << 20
_KEPT = ("orders", "refunds", "outbox", "default", "_steering", "_serial")
TICK_S = 0.02
HANG_S = 6.0
"""How long a call is held that the sandbox is told not to answer: longer than any caller of ours waits."""


@dataclass
class StandIns:
    """What was started, and the settings by which our code finds it."""

    sandbox: Sandbox
    hub: Hub
    kept: Path | None = None
    sandbox_url: str = ""
    carrier_url: str = ""
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _posting: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of ``chalicelib`` that lead here."""
        return {"BIANDAN_SANDBOX_URL": self.sandbox_url, "BIANDAN_KUAIDI100_URL": self.carrier_url}

    def start(self) -> None:
        """Serve both, and post the sandbox's notices."""
        self._recall()
        provider = Server(self._serve_sandbox, port=9100, body_cap=CAP, name="sandbox")
        carrier = Server(self._serve_hub, port=9200, body_cap=CAP, name="carrier")
        self.sandbox_url = self.sandbox.base_url = provider.url
        self.carrier_url = carrier.url
        for server in (provider, carrier):
            server.start()
            self._stops.append(server.stop)
        notices = threading.Thread(target=self._post_notices, name="sandbox-notices", daemon=True)
        notices.start()
        self._stops.append(lambda: notices.join(timeout=6))

    def stop(self) -> None:
        """Stop all of it, and write down what both sides know: kept payments must not be strangers there."""
        self._stopping.set()
        while self._stops:
            self._stops.pop()()
        if self.kept is not None:
            known = {name: getattr(self.sandbox, name) for name in _KEPT}
            self.kept.write_bytes(pickle.dumps({"sandbox": known, "journeys": self.hub.journeys}))

    def _recall(self) -> None:
        if self.kept is None or not self.kept.exists():
            return
        try:
            found = pickle.loads(self.kept.read_bytes())  # noqa: S301 -- our own file, in our own folder
        except Exception as error:
            log.warning("stand-ins start anew", kind=type(error).__name__)
            return
        for name, value in found["sandbox"].items():
            setattr(self.sandbox, name, value)
        self.hub.journeys.update(found["journeys"])

    @property
    def quiet(self) -> bool:
        """Say whether no notice is due or on its way."""
        now = self.sandbox.now()
        return not self._posting and not any(out.due <= now for out in list(self.sandbox.outbox))

    def _serve_sandbox(self, request: Request) -> Response:
        try:
            status, headers, body = self.sandbox.handle(
                request.method, request.target, dict(request.headers), request.body
            )
        except Silence:
            self._stopping.wait(HANG_S)
            return Response(504)
        return Response(status, list(headers.items()), body)

    def _post_notices(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._posting = True
            try:
                while self.sandbox.tick(post):
                    pass
            finally:
                self._posting = False

    def _serve_hub(self, request: Request) -> Response:
        """Serve the hub's own calls, and ``POST /command`` (see ``Hub.command``) for people and the demo."""
        if request.target == "/command" and request.method == "POST":
            try:
                answer = self.hub.command(json.loads(request.body))
            except UnknownNumber as unknown:
                return _json(404, {"error": f"nobody subscribed {unknown}"})
            except (ValueError, KeyError, TypeError) as error:
                return _json(422, {"error": str(error)})
            return _json(200, answer)
        if request.target == "/" and request.method == "GET":
            return _json(200, {"numbers": sorted(self.hub.journeys), "send": 'POST /command {"number":, "do":}'})
        status, headers, body = self.hub.handle(request.target, request.body)
        return Response(status, list(headers.items()), body)


def create(kept: Path | None = None) -> StandIns:
    """Return both, on the shop's clock: they sign with its time. ``kept`` is where they remember between starts."""
    return StandIns(
        kept=kept,
        sandbox=Sandbox(now=lambda: clock.now().timestamp()),
        hub=Hub(_exchange, now=clock.now),
    )


def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """Post a notice; 0 where no answer came."""
    return _exchange(url, headers, body)[0]


def _exchange(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    if not url.startswith(("http://", "https://")):
        return 0, b""
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def _json(status: int, value: object) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(value, ensure_ascii=False).encode())


def watch_outbound(trail: Trail) -> Callable[[], None]:
    """Record every call to a provider or hub; return what undoes it."""

    def transport(request: outbound.Request) -> outbound.Response:
        try:
            response = outbound._over_the_network(request)  # noqa: SLF001 -- the transport in use, watched
        except Exception as error:
            trail.outbound(request.method, request.url, type(error).__name__)
            raise
        trail.outbound(request.method, request.url, response.status)
        return response

    outbound.install(transport)
    return lambda: outbound.install(None)

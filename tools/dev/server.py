"""One running installation: engine, resources, seed, API, pumps, sandbox provider and carrier, all on 127.0.0.1."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chalicelib.kernel import clock
from chalicelib.runtime import aws, caches, config, log, published
from chalicelib.runtime.db import work
from chalicelib.runtime.http import cors
from infra import faces as mounts
from tools.dev import edge, faces, functions, standins
from tools.dev.control import Control
from tools.dev.gateway import PAYLOAD_CAP, Gateway
from tools.dev.pump import Pump
from tools.dev.trail import Trail
from tools.fakes import engine, resources
from tools.generate import routing
from tools.shared import private
from tools.shared.doors import Door
from tools.shared.httpd import Request, Response, Server

OURS = (
    *("accounts.json", "clock.json", "dev.log", "engine.key", "engine.log", "lock", "positions.json"),
    *("standins.json", "url"),
)
"""What lies in the folder of a kept installation, beside the engine's own."""
SETTLE_S = 120
"""How long what is on its way may take to arrive on a busy machine."""
Say = Callable[[str], None]


def quiet(_: str) -> None:
    """Say nothing."""


def door(names: Sequence[str] = (), origins: Sequence[str] = ()) -> Door:
    """Return whom the API's server answers; see ``tools.shared.doors`` for what may be added."""
    return Door(
        names=tuple(names),
        origins=tuple(origins),
        orders=lambda target: target.startswith("/_dev/"),
        shared=lambda target: target.startswith("/v1/") or edge.serves(target),
        pictures=lambda target: target.startswith("/_dev/pictures/"),
    )


@dataclass
class DevServer:
    """Start with ``with DevServer(...) as server``; ``server.url`` is the API's address.

    ``data`` keeps everything between starts; without it nothing is kept. ``engine_url`` uses an engine that runs
    already (the account in ``AWS_ACCESS_KEY_ID`` isolates it) instead of starting one.
    """

    port: int = 8000
    data: Path | None = None
    engine_url: str | None = None
    seed: bool = True
    record: bool = True
    door: Door = field(default_factory=door)
    say: Say = quiet
    url: str = ""
    stand_ins: standins.StandIns | None = None
    sandbox_url: str = ""
    carrier_url: str = ""
    accounts: list[dict[str, str]] = field(default_factory=list)
    trail: Trail = field(default_factory=Trail)
    adjustable: clock.Adjustable = field(default_factory=clock.Adjustable)
    faces: faces.Faces = field(init=False)
    pump: Pump = field(init=False)
    gateway: Gateway = field(init=False)
    _engine_pid: int = 0
    _stops: list[Callable[[], None]] = field(default_factory=list)

    def start(self) -> Self:
        """Start everything; whatever fails stops what was started."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        began = time.monotonic()
        if self.engine_url is None:
            self._start_engine()
        self.say("  creating tables, queues, bucket and secrets ...")
        self._restore_clock()
        stand_ins = standins.create(self._path("standins.json"))
        pump = self.pump = Pump(
            trail=self.trail if self.record else None,
            positions=self._path("positions.json"),
            others_quiet=lambda: stand_ins.quiet,
        )
        gateway = self.gateway = self._gateway()
        control = Control(
            pump=pump,
            record=self.trail,
            adjustable=self.adjustable,
            info=self.info,
            mailbox=stand_ins.messages.mailbox,
        )

        # Pictures of a complaint are posted to the bucket itself.
        self.faces = faces.Faces(uploads=lambda: self.engine_url or "")

        def serve(request: Request) -> Response:
            if edge.serves(request.target):
                return edge.serve(request)
            if self.faces.serves(request.target):
                return self.faces(request)
            return control(request) if request.target.startswith("/_dev/") else gateway(request)

        server = Server(serve, port=self.port, body_cap=PAYLOAD_CAP, name="api", door=self.door)
        self._stops.append(server.stop)
        self.url = server.url
        # The door says which pages may call; to those, as much as on AWS with every origin allowed.
        self._environment({"BIANDAN_PUBLIC_URL": self.url, cors.SETTING: os.environ.get(cors.SETTING, cors.EVERY)})
        resources.create_all()
        stand_ins.start(self.url)
        self._stops.append(stand_ins.stop)
        stand_ins.tell_keys()
        self.stand_ins = stand_ins
        self.sandbox_url, self.carrier_url = stand_ins.sandbox_url, stand_ins.carrier_url
        self._environment(stand_ins.environment)
        if self.seed:
            from tools.dev import seed

            self.accounts = seed.ensure(remembered=self._path("accounts.json"), say=self.say)
            from tools.operate import publish_all

            publish_all.ensure(self.say)
        pump.start()
        self._stops.append(pump.stop)
        server.start()
        self.say(f"  ready after {time.monotonic() - began:.1f} s")

    def _start_engine(self) -> None:
        self.say("  starting the embedded engine ...")
        log_file = self._path("engine.log")
        state = self._path("engine")
        running = engine.Engine(data=state, log=log_file).start()
        key = self._path("engine.key")
        if key is not None:
            private.write(key, running.secret)
        self._stops.append(running.stop)
        self._engine_pid = running.pid
        self.engine_url = running.url
        self._environment(engine.environment(running.url))

    def _environment(self, values: dict[str, str]) -> None:
        """Tell this process where things are, as a deployed function is told by its environment."""
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        self._forget()

        def restore() -> None:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            self._forget()

        self._stops.append(restore)

    @staticmethod
    def _forget() -> None:
        """Drop what this process remembers of the environment before."""
        config.config.cache_clear()
        aws.forget_clients()
        caches.forget_all()

    def _gateway(self) -> Gateway:
        application = routing.application()
        if self.record:
            hooks = ExitStack()
            hooks.enter_context(aws.hooked(self.trail.hook))
            hooks.enter_context(work.listening(self.trail.told))
            self._stops.append(hooks.close)
        self._stops.append(standins.watch_outbound(self.trail if self.record else None))
        watch = self.trail.http if self.record else None
        counted = functions.spent.on(application)
        return Gateway(counted, application.routes, binary_types=application.api.binary_types, watch=watch)

    def _restore_clock(self) -> None:
        """Time goes on from where the last run had moved it: kept deadlines would else lie in the future again."""
        kept = self._path("clock.json")
        if kept is not None and kept.exists():
            self.adjustable.offset = timedelta(seconds=json.loads(kept.read_text())["offset_s"])
        clock.install(self.adjustable)

        def restore() -> None:
            clock.install(None)
            if kept is not None:
                private.write(kept, json.dumps({"offset_s": self.adjustable.offset.total_seconds()}))

        self._stops.append(restore)

    def _path(self, name: str) -> Path | None:
        if self.data is None:
            return None
        return private.folder(self.data, OURS) / name

    def advance(self, by: timedelta) -> None:
        """Let time pass; what falls due happens before this returns."""
        self.pump.settle(SETTLE_S)
        self.adjustable.advance(by)
        self.pump.jumped()
        self.pump.settle(SETTLE_S)

    @property
    def cashiers(self) -> dict[str, str]:
        """Return where people pay, by provider."""
        return dict(self.stand_ins.urls) if self.stand_ins else {}

    def info(self) -> dict[str, Any]:
        """Return the addresses and accounts, for people and for the demo."""
        return {
            "api": self.url,
            "docs": f"{self.url}/docs",
            "faces": {face.name: f"{self.url}{face.at}" for face in mounts.FACES},
            "published": f"{self.url}/{published.ROOT}/current/site.json",
            "sandbox": self.sandbox_url,
            "cashiers": self.cashiers,
            "carrier": self.carrier_url,
            "sign_in": self.stand_ins.sign_in.base_url if self.stand_ins else "",
            "engine": self.engine_url,
            "function_calls": self.gateway.calls,
            "functions_cpu_s": functions.spent.cpu_s,
            "pids": {"server": os.getpid(), "engine": self._engine_pid},
            "accounts": self.accounts,
        }

    def stop(self) -> None:
        """Stop everything, last started first."""
        while self._stops:
            stop = self._stops.pop()
            try:
                stop()
            except Exception as error:
                self.say(f"  while stopping: {type(error).__name__}: {error}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def log_to(path: Path | None, *, level: int = logging.INFO) -> None:
    """Send the JSON log lines to a file instead of the terminal; None drops all but errors."""
    log.set_level(logging.getLevelName(level))
    logger = logging.getLogger("biandan")
    if path is None:
        log.set_level("ERROR")
        return
    formatter = logger.handlers[0].formatter
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    to_file = logging.FileHandler(private.touch(path))
    to_file.setFormatter(formatter)
    logger.addHandler(to_file)

"""``make dev``: start everything, say where it is, stop cleanly on Ctrl-C."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
import threading
from pathlib import Path

from infra import faces
from tools.dev import building, heap
from tools.dev.server import OURS, DevServer, door, log_to
from tools.fakes.engine import EngineError
from tools.shared import private

DATA = Path(".biandan")


def main() -> int:
    """Run until stopped."""
    options = _options()
    os.umask(0o077)
    heap.keep_small()
    data = None if options.throwaway else Path(options.data)
    if data is not None:
        private.folder(data, OURS)
        lock = (data / "lock").open("w")  # Held for the life of the process.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _say(f"Cannot start: another dev server keeps its data in {data}; stop it, or name another with --data.")
            return 1
    log_to(None if data is None else data / "dev.log")
    server = DevServer(
        port=options.port,
        data=data,
        seed=not options.no_seed,
        record=not options.no_trail,
        door=door(options.host, options.origin),
        say=_say,
    )
    builder = building.Builder(_say)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    _say("Biandan's dev server")
    try:
        server.start()
        if options.url_file:
            Path(options.url_file).write_text(f"{server.url}\n")
        elif data is not None:
            private.write(data / "url", f"{server.url}\n")
        _welcome(server)
        if options.web:
            builder.start(server.faces)
        while not stopped.wait(0.5):
            pass
        _say("\nStopping (what is on its way arrives first) ...")
    except (EngineError, OSError) as error:
        _say(f"Cannot start: {error}")
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        builder.stop()
        server.stop()
    _say("Stopped; the data is kept." if data is not None else "Stopped.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make dev ARGS=...", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="a free one is taken if this one is not free")
    parser.add_argument("--data", default=str(DATA), help="where everything is kept between starts")
    parser.add_argument("--throwaway", action="store_true", help="keep nothing")
    parser.add_argument("--no-seed", action="store_true", help="start with an empty marketplace")
    parser.add_argument("--web", action="store_true", help="build the pages of shop and console where Node is there")
    parser.add_argument("--no-trail", action="store_true", help="do not record what led to what (faster)")
    parser.add_argument("--host", action="append", default=[], help="a further name (a tunnel's) that it is called by")
    parser.add_argument("--origin", action="append", default=[], help="a further origin whose pages may call /v1/")
    parser.add_argument("--url-file", default="", help="write the API's address to this file once it answers")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


def _welcome(server: DevServer) -> None:
    _say("")
    _say(f"  shop       {server.url}{faces.HOME}")
    _say(f"  console    {server.url}/console/")
    _say(f"  API        {server.url}")
    _say(f"  docs       {server.url}/docs")
    _say(f"  control    {server.url}/_dev/")
    for number, (name, url) in enumerate(server.cashiers.items()):
        _say(f"  {'' if number else 'cashiers':<10} {url}/  ({name})")
    if server.stand_ins:
        _say(f"  sign-in    {server.stand_ins.sign_in.base_url}/  (stand-in of QQ and WeChat)")
    if server.carrier_url:
        _say(f"  carrier    {server.carrier_url}  (stand-in for the hub)")
    if server.accounts:
        _say("\n  accounts")
        for account in server.accounts:
            _say(f"    {account['role']:<15} {account['email']:<28} {account['password']}")
    _say("\n  try")
    _say(f'    curl "{server.url}/v1/products?limit=3"')
    _say(f'    curl "{server.url}/v1/search?q=tea"')
    if server.accounts:
        buyer = server.accounts[-1]
        credentials = json.dumps({"identity": buyer["email"], "password": buyer["password"]})
        _say(f"    curl {server.url}/v1/auth/sign-in -H 'content-type: application/json' -d '{credentials}'")
    _say("    make demo        (in another terminal: the whole job, from sign-up to a complaint)")
    _say("\n  Ctrl-C stops it.")


if __name__ == "__main__":
    sys.exit(main())

"""``make sandbox``: the payment providers' stand-ins alone, for a shop that runs elsewhere.

Each listens on a port of its own and has a cashier there. ``--print`` says what the shop must be told: settings and
secrets as JSON. QQ Wallet's refunds need a client certificate, which only a proxy that ends TLS can pass on (as the
header ``x-client-certificate``, the SHA-256 of its PEM text): the dev server plays it.
"""

from __future__ import annotations

import argparse
import json
import threading

from tools.fakes.sandbox import providers
from tools.fakes.sandbox.server import Server


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make sandbox ARGS=...", description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(providers.PORTS), choices=list(providers.PORTS))
    parser.add_argument("--shop", default="http://127.0.0.1:8000", help="where the shop is, for Stripe's events")
    parser.add_argument("--print", action="store_true", help="print settings and secrets for the shop, then stop")
    wanted = parser.parse_args()
    stand_ins = providers.create()
    providers.tell_stripe(stand_ins["stripe"], wanted.shop.rstrip("/"))
    if wanted.print:
        urls = {name: f"http://127.0.0.1:{port}" for name, port in providers.PORTS.items()}
        told = {"settings": providers.settings(urls), "secrets": providers.secrets(stand_ins)}
        print(json.dumps(told, indent=2))
        return
    servers = {name: Server(stand_ins[name], port=providers.PORTS[name]).start() for name in wanted.only}
    for name, server in servers.items():
        stand_ins[name].neighbours = {stand_ins[other].title[0]: f"{at.url}/" for other, at in servers.items()}
        print(f"  {name:<10} {server.url}/")
    print("Ctrl-C stops them.", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    main()

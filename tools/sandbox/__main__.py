"""``python -m tools.sandbox [--port 9100]``: the sandbox provider alone. Keys are those of a local installation."""

from __future__ import annotations

import argparse
import os
import threading

from tools.sandbox.core import Keys, Sandbox
from tools.sandbox.server import Server


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tools.sandbox", description="The sandbox payment provider.")
    parser.add_argument("--port", type=int, default=9100)
    wanted = parser.parse_args()
    local = Keys()
    keys = Keys(
        merchant_id=os.environ.get("SANDBOX_MERCHANT_ID", local.merchant_id),
        api_key=os.environ.get("SANDBOX_API_KEY", local.api_key),
        webhook_key=os.environ.get("SANDBOX_WEBHOOK_KEY", local.webhook_key),
    )
    server = Server(Sandbox(keys=keys), port=wanted.port).start()
    print(f"Sandbox provider on {server.url} (cashier: {server.url}/, state: {server.url}/state). Ctrl-C stops it.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()

"""A service and something made to order, over HTTP against a dev server in this process: a step of ``make demo``."""

from __future__ import annotations

import os

from chalicelib.orders import service as orders
from tests.e2e import served
from tools.dev.server import DevServer


def test_a_service_is_booked_and_provided_and_something_is_made_to_order(cloud: str) -> None:
    with DevServer(port=0, engine_url=os.environ["AWS_ENDPOINT_URL"]) as server:
        lesson, teapot = served.play(server.url, server.sandbox_url, server.accounts)
    assert [orders.load_order(one).status for one in (lesson, teapot)] == ["delivered", "paid"]

"""The smoke test of a release: it passes where the shop works, says what does not, and leaves nothing sold."""

from __future__ import annotations

import pytest

from chalicelib.runtime import aws, names
from tests.support.shop import shop
from tools.release import smoke
from tools.shared.client import InProcess, Sender


@pytest.fixture
def send(cloud: str, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """A stage for trying things, where registering is open (``infra/settings/dev.toml``)."""
    monkeypatch.setenv("BIANDAN_REGISTRATION", "open")
    return InProcess()


def test_a_shop_that_works_passes_and_has_sold_nothing(send: Sender) -> None:
    made = shop().product()
    before = send("GET", f"/v1/products/{made.product_id}", {}, b"")[2]

    done = smoke.play(send, orders=True)

    assert done == [smoke.Step(what) for what in ("it is up", "its keys are there", "it reads", "it sells")]
    assert send("GET", f"/v1/products/{made.product_id}", {}, b"")[2] == before
    orders = aws.call("dynamodb", "Scan", {"TableName": names.table_name("orders")})["Items"]
    assert {row["status"]["S"] for row in orders if "status" in row} == {"cancelled"}


def test_where_nothing_is_for_sale_nothing_is_bought_and_that_is_said(send: Sender) -> None:
    assert smoke.play(send, orders=True)[-1].left_out.startswith("nothing is for sale yet")


def test_in_prod_nothing_is_ordered(send: Sender) -> None:
    shop().product()
    assert [step.what for step in smoke.play(send, orders=False)] == ["it is up", "its keys are there", "it reads"]
    assert aws.call("dynamodb", "Scan", {"TableName": names.table_name("orders")})["Items"] == []


def breaking(send: Sender, at: str, status: int, told: bytes) -> Sender:
    def broken(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if path.startswith(at):
            return status, {"content-type": "application/json"}, told
        return send(method, path, headers, body)

    return broken


@pytest.mark.parametrize(
    ("path", "status", "body", "what"),
    [
        ("/openapi.json", 502, b"{}", "it is up"),
        ("/.well-known/jwks.json", 500, b"{}", "its keys are there"),
        ("/.well-known/jwks.json", 200, b'{"keys": []}', "its keys are there"),
        ("/v1/products", 403, b"{}", "it reads"),
        ("/v1/auth/register", 500, b"{}", "it sells"),
        ("/v1/quotes", 409, b"{}", "it sells"),
        ("/v1/quotes", 200, b"[]", "it sells"),
        ("/v1/purchases", 500, b"{}", "it sells"),
    ],
)
def test_what_does_not_work_is_named_and_nothing_after_it_is_tried(
    send: Sender, path: str, status: int, body: bytes, what: str
) -> None:
    shop().product()
    done = smoke.play(breaking(send, path, status, body), orders=True, sleep=lambda _: None)
    assert done[-1].what == what
    assert done[-1].wrong
    assert not any(step.wrong for step in done[:-1])


def test_what_needs_some_seconds_to_be_everywhere_is_waited_for(send: Sender) -> None:
    left = [403, 502]
    slept: list[float] = []

    def late(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if left:
            return left.pop(0), {}, b""
        return send(method, path, headers, body)

    assert not any(step.wrong for step in smoke.play(late, orders=False, sleep=slept.append))
    assert slept == [1.0, 2.0]

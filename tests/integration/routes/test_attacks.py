"""What a hostile client tries, and a careless one: quotes, cursors, tokens, notices, caches, timing, logs, races."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.auth import passwords, tokens
from chalicelib.auth.sessions import store as sessions
from chalicelib.logistics.providers import kuaidi100
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.runtime import aws, names
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.schema import PageQuery
from tests.integration.routes.test_access import OWNER, ROUTES, STRANGER
from tests.support import dump
from tests.support.entries import ENTRIES, World, of_few_accounts, parcel
from tests.support.http import Answer, call

RIVALS = 4
LISTS = [name for name, route in ROUTES.items() if route.query is not None and issubclass(route.query, PageQuery)]


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json.get("code", "")


def together(*acts: Callable[[], Answer]) -> list[Answer]:
    """Do all at the same moment."""
    ready = Barrier(len(acts))

    def one(act: Callable[[], Answer]) -> Answer:
        ready.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(one, act) for act in acts]]


# --- quotes -----------------------------------------------------------------------------------------------------------


def test_a_quote_of_which_one_bit_was_changed_is_none(world: World) -> None:
    world.buyer.put(world.listed.sku_id)
    quote = world.buyer.quote().json["quote"]
    raw = base64.urlsafe_b64decode(quote + "=" * (-len(quote) % 4))
    before = dump.tables()
    for at in range(0, len(raw), 7):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        token = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        assert told(world.buyer.place(token)) == (422, "bad_quote")
    for token in (quote[:-4], quote + "AAAA", "A" * 24, quote[4:] + quote[:4]):
        assert told(world.buyer.place(token)) == (422, "bad_quote")
    assert dump.differences(before, dump.tables()) == []


def test_a_quote_serves_its_own_buyer_once(world: World) -> None:
    world.buyer.put(world.listed.sku_id)
    quote = world.buyer.quote().json["quote"]
    world.other_buyer.put(world.listed.sku_id)
    assert told(world.other_buyer.place(quote)) == (422, "bad_quote")
    first = world.buyer.place(quote)
    assert first.status == 201
    assert told(world.buyer.place(quote)) == (409, "quote_used")
    answers = together(*[lambda: world.buyer.place(quote)] * RIVALS)
    assert {told(answer) for answer in answers} == {(409, "quote_used")}


def test_one_quote_raced_under_many_keys_orders_once(world: World) -> None:
    world.buyer.put(world.listed.sku_id)
    quote = world.buyer.quote().json["quote"]
    answers = together(*[lambda: world.buyer.place(quote)] * RIVALS)
    assert sorted(answer.status for answer in answers) == [201] + [409] * (RIVALS - 1), answers


# --- cursors ----------------------------------------------------------------------------------------------------------


def test_a_cursor_serves_its_own_list_only(world: World) -> None:
    """Every list's cursor, tried at every list by everybody."""
    for _ in range(2):
        world.filed()
        world.escalated()
        world.placed()
        world.product()
        world.job("import")
        world.stuck_refund()
    found = dict(_cursors(world))
    assert set(found) >= {
        "list_orders",
        "list_merchant_orders",
        "list_products",
        "list_own_products",
        "list_complaints",
    }
    for source, (mine, cursor) in found.items():
        for name in LISTS:
            route = ROUTES[name]
            owner = OWNER[route.access]
            for who in {owner, STRANGER.get(owner or "", owner)}:
                ask = ENTRIES[name](world) if (name, who) == (source, owner) else ENTRIES[name](world.mirror())
                ask = ask if (name, who) != (source, owner) else mine
                ask.query.update(cursor=cursor)
                answer = ask.send(route, world.token_of(who) if who else None)
                own = name == source and (who == owner)
                assert told(answer) == (200, "") if own else told(answer)[0] in (404, 422), (source, name, who, answer)


def _cursors(world: World) -> Iterator[tuple[str, tuple[Any, str]]]:
    for name in LISTS:
        route = ROUTES[name]
        owner = OWNER[route.access]
        ask = ENTRIES[name](world)
        ask.query.update(limit="1")
        answer = ask.send(route, world.token_of(owner) if owner else None)
        assert answer.status == 200, answer
        if answer.json.get("next_cursor"):
            yield name, (ask, answer.json["next_cursor"])


# --- carts of guests --------------------------------------------------------------------------------------------------


def test_a_guests_token_is_long_and_a_wrong_one_shows_nothing(world: World) -> None:
    token = world.guest_cart()
    assert len(token) == 40
    for guess in (token[:-1] + ("0" if token[-1] != "0" else "1"), "0" * 40):
        answer = call("GET", "/v1/cart", headers={"x-cart-token": guess})
        assert (answer.status, answer.json["lines"]) == (200, [])
    for shape in (
        "",
        token[:-1],
        token + "0",
        world.buyer.account_id,
        "gst_" + "0" * 36,
        "²" * 40,
        token.upper()[:39] + " ",
    ):
        assert told(call("GET", "/v1/cart", headers={"x-cart-token": shape})) == (422, "bad_cart_token"), shape


def test_a_guests_cart_is_poured_out_once(world: World) -> None:
    token = world.guest_cart()

    def merge() -> Answer:
        return call("POST", "/v1/cart/merge", {"cart_token": token}, token=world.other_buyer.token)

    assert {answer.status for answer in together(*[merge] * RIVALS)} <= {200, 409}
    assert merge().status == 200
    lines = call("GET", "/v1/cart", token=world.other_buyer.token).json["lines"]
    assert [line["quantity"] for line in lines if line["sku_id"] == world.listed.sku_id] == [1]
    assert call("GET", "/v1/cart", headers={"x-cart-token": token}).json["lines"] == []


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_refresh_token_raced_leaves_one_living_token(world: World) -> None:
    token = world.refresh_token()

    def refresh(with_: str) -> Answer:
        return call("POST", "/v1/auth/refresh", {"refresh_token": with_})

    answers = together(*[lambda: refresh(token)] * RIVALS)
    assert {answer.status for answer in answers} <= {200, 401}
    got = [answer.json["refresh_token"] for answer in answers if answer.status == 200]
    assert got
    account, session = answers[0].json["account_id"], answers[0].json["session_id"]
    kept = sessions.load_session(account, session)
    assert kept is not None
    assert {tokens.open_refresh(each).digest for each in got} == {kept.current}  # type: ignore[union-attr]
    assert refresh(got[0]).status == 200


@pytest.mark.parametrize("part", range(5))
def test_a_refresh_token_of_our_making_cannot_be_made(world: World, part: int) -> None:
    good = world.refresh_token()
    pieces = good.split(".")
    pieces[part] = ("A" if pieces[part][0] != "A" else "B") + pieces[part][1:]
    assert told(call("POST", "/v1/auth/refresh", {"refresh_token": ".".join(pieces)})) == (401, "bad_refresh_token")
    assert call("POST", "/v1/auth/refresh", {"refresh_token": good}).status == 200


def test_an_unknown_identity_costs_what_a_wrong_password_costs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes: list[str] = []
    real = passwords.matches

    def matches(kept: str, given: str) -> bool:
        hashes.append(kept)
        return real(kept, given)

    monkeypatch.setattr(passwords, "matches", matches)

    def steps(identity: str) -> tuple[list[str], int, Any]:
        seen: list[str] = []

        def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
            seen.append(f"{service}:{operation}:{params.get('TableName')}")
            return proceed()

        hashes.clear()
        with aws.hooked(hook):
            answer = call("POST", "/v1/auth/sign-in", {"identity": identity, "password": "wrong password 1"})
        body = {name: value for name, value in answer.json.items() if name != "request_id"}
        return seen, len(hashes), (answer.status, body)

    known = world.identity()
    steps(known)  # The first call of a process reads its secrets.
    assert steps(known) == steps("nobody-at-all@example.com")
    assert hashes[0].split("$")[:4] == passwords.hashed("some password").split("$")[:4]


# --- notices ---------------------------------------------------------------------------------------------------------


def test_a_parcels_salt_opens_no_other_parcel(world: World) -> None:
    (_, mine), (_, other) = world.shipped(), world.shipped()
    param = json.dumps({"status": "shutdown", "lastResult": {"state": "3", "nu": "", "data": []}})
    sign = kuaidi100.push_signature(param.encode(), kuaidi100.salt_of(mine))
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (
        {"param": param, "sign": sign},
        {"param": param, "sign": sign.lower()},
        {"param": param, "sign": ""},
        {"param": param, "sign": "0" * 32},
    ):
        raw = urlencode(body).encode()
        answer = call("POST", f"/v1/webhooks/logistics/kuaidi100/{other}", raw=raw, headers=form)
        assert told(answer) == (401, "bad_signature")


# --- caches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROUTES)
def test_only_what_everybody_may_see_may_be_kept(world: World, name: str) -> None:
    route = ROUTES[name]
    owner = OWNER[route.access]
    ask = ENTRIES[name](world)
    answer = ask.send(route, world.token_of(owner) if owner else None)
    assert answer.status == route.status, answer
    kept = answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    if route.access is not Access.PUBLIC or route.method != "GET":
        assert kept == "no-store"
        return
    assert kept.startswith("public, max-age=")
    assert answer.headers["etag"].startswith('"')
    for token in (world.buyer.token, world.operator.token, "nonsense"):  # Who asks makes no difference.
        again = ask.send(route, token)
        assert (again.status, again.body, again.headers["etag"]) == (200, answer.body, answer.headers["etag"])


# --- reads ------------------------------------------------------------------------------------------------------------

BOUNDED = {
    # Partitions that hold a few rows by design, read whole.
    "orders": "a purchase, its orders and their lines: at most 1 + 2 x 20 rows",
    "payments": "a purchase's attempts (99), refunds and quarantined notices",
    "ledger": "a purchase's entries: one for each capture and refund",
    "balances": "the accounts that are listed, or an account's days of one year at most, in a few shards",
    "shipments": "an order's shipments",
    "virtual": "an order's deliveries, one a line, and what one line was given",
    "bookings": "an order's bookings: fifty at once, and one for each change of mind",
    "products": "a product's head and its long text",
    "stock": "a SKU's buckets",
    "accounts": "what lies beside one account: its address book and its authenticator app",
}
GROWING = ("role_requests", "pool_")
"""How partitions begin that hold more with every year, or as much as a merchant uploads, in tables named above."""


def test_no_request_scans_and_every_query_is_bounded(world: World) -> None:
    found: list[str] = []

    def hook(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        if operation == "Scan":
            found.append(f"Scan {params}")
        if operation == "Query" and "Limit" not in params:
            table = names.table_of(params["TableName"])
            values = params["ExpressionAttributeValues"].values()
            grows = any(value.get("S", "").startswith(GROWING) for value in values)
            if table not in BOUNDED or "IndexName" in params or grows:
                found.append(f"Query {table} {params.get('IndexName')} without a limit")
        if operation == "Query" and params.get("Limit", 1) > 200:
            found.append(f"Query {params['Limit']}")
        return proceed()

    for name, route in ROUTES.items():
        owner = OWNER[route.access]
        ask = ENTRIES[name](world)
        with aws.hooked(hook):
            answer = ask.send(route, world.token_of(owner) if owner else None)
        assert answer.status == route.status, answer
        assert found == [], name


# --- races ------------------------------------------------------------------------------------------------------------

ONCE = (
    # Transitions that one record takes once, however many ask under keys of their own.
    "cancel_purchase",
    "cancel_order",
    "cancel_merchant_order",
    "confirm_receipt",
    "ship_order",
    "list_product",
    "unlist_product",
    "file_complaint",
    "accept_answer",
    "escalate_complaint",
    "withdraw_complaint",
    "reopen_complaint",
    "reply_to_complaint",
    "decide_complaint",
    "retry_refund",
    "resolve_case",
    "book_slot",
    "cancel_booking",
    "redeem_code",
    "decline_booking",
    "accept_offer",
    "withdraw_request",
    "decline_request",
)


@pytest.mark.parametrize("name", ONCE)
def test_rivals_with_keys_of_their_own_move_a_record_once(world: World, name: str) -> None:
    route = ROUTES[name]
    ask, owner = ENTRIES[name](world), OWNER[route.access]
    token = world.token_of(owner) if owner else None
    answers = together(*[lambda: ask.send(route, token)] * RIVALS)
    done = [answer for answer in answers if answer.status == route.status]
    assert len(done) == 1, answers
    assert {answer.status for answer in answers if answer not in done} <= {409}, answers


def test_an_order_is_either_cancelled_or_shipped(world: World) -> None:
    for _ in range(3):
        order_id = world.order()
        answers = together(
            lambda order_id=order_id: world.buyer.post(f"/v1/orders/{order_id}/cancel"),  # type: ignore[misc]
            lambda order_id=order_id: world.shop.post(f"/v1/merchant/orders/{order_id}/cancel"),  # type: ignore[misc]
            lambda order_id=order_id: world.shop.post(  # type: ignore[misc]
                f"/v1/merchant/orders/{order_id}/shipments", parcel()
            ),
        )
        assert sorted(answer.status // 100 for answer in answers) == [2, 4, 4], answers
        order = orders.load_order(order_id)
        refunds = payments.payment_records(order.purchase_id).refunds
        assert (len(order.parcels), len(refunds)) == ((1, 0) if answers[2].status == 201 else (0, 1))


def test_refunds_raced_by_everybody_never_exceed_what_was_paid(world: World) -> None:
    sale = world.paid()
    order = sale.orders[0]
    total = order.total.minor
    body = {"order_id": order.order_id, "amount": {"minor": total // 2, "currency": "CNY"}, "reason": "kindness"}
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds"
    answers = together(
        *[lambda: call("POST", path, body, token=world.operator.token)] * 5,
        lambda: world.buyer.post(f"/v1/orders/{order.order_id}/cancel"),
    )
    assert {answer.status for answer in answers} <= {200, 201, 409}, answers
    asked = sum(refund.amount.minor for refund in payments.payment_records(sale.purchase.purchase_id).refunds)
    assert 0 < asked <= total


def test_one_complaint_a_line_by_whatever_name_of_the_order(world: World) -> None:
    of_few_accounts()
    order_id = world.order()
    body = {"line_id": "1", "reason": "damaged", "text": "Broken."}
    names_of_it = (order_id, order_id.rpartition("_")[0], order_id.upper())
    answers = [world.buyer.post("/v1/complaints", {**body, "order_id": name}) for name in names_of_it]
    assert [answer.status for answer in answers] == [201, 404, 422]

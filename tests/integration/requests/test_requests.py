"""Something made to order, over HTTP: asked, discussed, offered, accepted once, and ordered by its buyer alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.catalog import service as catalog
from chalicelib.checkout import service as checkout
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.requests import domain, service, store
from chalicelib.requests.domain import Side
from chalicelib.requests.service import Party
from chalicelib.runtime import aws
from chalicelib.runtime.config import config
from chalicelib.runtime.intents import system_intent
from tests.support import people, shop
from tests.support.http import Answer, call
from tools.bench import metering

PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 20


@dataclass
class Workshop:
    """A merchant who makes things, and a buyer who wants one."""

    clock: Any
    buyer: shop.Buyer
    shop: shop.Shop
    product_id: str

    def ask(self, *, key: str | None = None, **more: Any) -> Answer:
        body = {"product_id": self.product_id, "text": "The same in blue?", **more}
        return self.buyer.post("/v1/requests", body, key=key)

    def asked(self, **more: Any) -> str:
        answer = self.ask(**more)
        assert answer.status == 201, answer.body
        return str(answer.json["request_id"])

    def offer(self, request_id: str, *, minor: int = 25_000, key: str | None = None, **more: Any) -> Answer:
        until = clock.now() + timedelta(days=7)
        body = {
            "title": "Blue teapot",
            "price": {"minor": minor, "currency": "CNY"},
            "quantity": 2,
            "ready_by": "2026-12-20",
            "until": until.isoformat(),
            "text": "Four weeks.",
            **more,
        }
        return self.shop.post(f"/v1/merchant/requests/{request_id}/offer", body, key=key)

    def accept(self, request_id: str, number: int = 1, *, key: str | None = None) -> Answer:
        return self.buyer.post(f"/v1/requests/{request_id}/accept", {"offer": number}, key=key)

    def quote(self, request_id: str, **more: Any) -> Answer:
        body = {"address_id": self.buyer.address_id, **more}
        return self.buyer.post(f"/v1/requests/{request_id}/quote", body)

    def accepted(self) -> str:
        request_id = self.asked()
        assert self.offer(request_id).status == 200
        assert self.accept(request_id).status == 200
        return request_id

    def file(self, who: str, content: bytes = PNG) -> str:
        file_id = ids.new_id("evd")
        key = f"evidence/incoming/{who}/{file_id}"
        aws.call(
            "s3", "PutObject", {"Bucket": config().bucket, "Key": key, "Body": content, "ContentType": "image/png"}
        )
        return file_id


@pytest.fixture
def workshop(cloud: str, noon: Any) -> Workshop:
    made = shop.shop()
    return Workshop(noon, shop.buyer(), made, made.product().product_id)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, str(answer.json.get("code"))


def test_what_is_asked_discussed_and_offered_is_ordered_as_any_goods_are(workshop: Workshop) -> None:
    picture = workshop.file(workshop.buyer.account_id)
    asked = workshop.ask(files=[picture], key="ask-it-once-1")
    request_id = asked.json["request_id"]
    assert workshop.ask(files=[picture], key="ask-it-once-1").json == asked.json
    assert told(workshop.ask(key="ask-it-once-1")) == (422, "idempotency_key_reused")
    (found,) = workshop.shop.get("/v1/merchant/requests").json["items"]
    assert (found["status"], found["history"][0]["files"][0]["file_id"]) == ("asked", picture)
    link = workshop.shop.get(f"/v1/merchant/requests/{request_id}/files/{picture}")
    assert (link.status, "X-Amz-Signature" in link.json["url"]) == (200, True)
    assert workshop.shop.post(f"/v1/merchant/requests/{request_id}/say", {"text": "Dark blue?"}).status == 200
    assert workshop.buyer.post(f"/v1/requests/{request_id}/say", {"text": "Like the sky."}).status == 200
    assert told(workshop.accept(request_id)) == (409, "illegal_transition")
    assert told(workshop.quote(request_id)) == (409, "nothing_to_order")
    workshop.offer(request_id, minor=30_000)
    assert workshop.offer(request_id).json["offer"]["number"] == 2
    assert told(workshop.accept(request_id, 1)) == (409, "offer_changed")
    accepted = workshop.accept(request_id, 2, key="accept-it-once")
    assert (accepted.status, accepted.json["status"]) == (200, "accepted"), accepted.body
    assert workshop.accept(request_id, 2, key="accept-it-once").json == accepted.json
    assert told(workshop.accept(request_id, 2)) == (409, "illegal_transition")
    assert told(workshop.offer(request_id)) == (409, "illegal_transition")
    assert told(workshop.quote(request_id, address_id=None)) == (422, "address_needed")
    quoted = workshop.quote(request_id)
    (line,) = quoted.json["shares"][0]["lines"]
    assert (line["title"], line["quantity"], line["unit_price"]["minor"]) == ("Blue teapot", 2, 25_000)
    placed = workshop.buyer.place(quoted.json["quote"], key="order-it-once1")
    assert placed.status == 201, placed.body
    assert (
        workshop.buyer.place(quoted.json["quote"], key="order-it-once1").json["purchase_id"]
        == (placed.json["purchase_id"])
    )
    order = workshop.buyer.get(f"/v1/orders/{placed.json['order_ids'][0]}").json
    assert (order["lines"][0]["sku_id"], order["merchant_id"]) == (accepted.json["sku_id"], workshop.shop.merchant_id)
    workshop.clock.advance(timedelta(minutes=1))
    # Once: what was offered is ordered, and there is no more of it.
    assert told(workshop.buyer.place(workshop.quote(request_id).json["quote"])) == (409, "out_of_stock")
    assert inventory.level(accepted.json["sku_id"]).available == 0


def test_what_is_made_for_one_buyer_is_nobody_elses_and_stays_as_agreed(workshop: Workshop) -> None:
    request_id = workshop.accepted()
    sku_id = store.load(request_id).sku_id
    product_id = catalog.product_of(sku_id)
    stranger = shop.buyer()
    assert told(call("GET", f"/v1/products/{product_id}")) == (404, "not_found")
    assert told(workshop.buyer.get(f"/v1/products/{product_id}")) == (404, "not_found")
    for who in (stranger, workshop.buyer):  # Nor does it come into a cart.
        assert call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1}, token=who.token).status == 404
    assert told(stranger.get(f"/v1/requests/{request_id}")) == (404, "not_found")
    mine = workshop.buyer
    quote = workshop.quote(request_id).json["quote"]
    workshop.buyer = stranger
    assert told(workshop.quote(request_id)) == (404, "not_found")
    assert told(stranger.place(quote)) == (422, "bad_quote")
    workshop.buyer = mine
    with pytest.raises(Exception, match="not_for_sale"):
        checkout.quote_made(stranger.account_id, sku_id, 1, address_id=None)
    # Its merchant can neither sell it to others nor make it dearer.
    token = workshop.shop.token
    assert told(workshop.shop.post(f"/v1/merchant/products/{product_id}/list")) == (409, "illegal_transition")
    changed = call(
        "PATCH", f"/v1/merchant/products/{product_id}", {"vendor": "x"}, token=token, headers={"if-match": '"1"'}
    )
    assert told(changed) == (422, "bad_product")


def test_an_offer_is_good_until_its_moment_and_an_accepted_one_for_a_day_at_least(workshop: Workshop) -> None:
    late, in_time = workshop.asked(), workshop.asked()
    for request_id in (late, in_time):
        workshop.offer(request_id)
    workshop.clock.advance(timedelta(days=6, hours=23))
    workshop.buyer.token, workshop.shop.token = people.token(workshop.buyer.account_id), workshop.shop.token
    assert workshop.accept(in_time).status == 200
    quote = workshop.quote(in_time).json["quote"]
    workshop.clock.advance(timedelta(hours=1))
    workshop.buyer.token = people.token(workshop.buyer.account_id)
    assert told(workshop.accept(late)) == (409, "offer_over")
    assert workshop.quote(in_time).status == 200
    workshop.clock.advance(timedelta(hours=23))
    workshop.buyer.token = people.token(workshop.buyer.account_id)
    assert told(workshop.quote(in_time)) == (409, "not_for_sale")
    assert told(workshop.buyer.place(quote)) == (409, "quote_expired")


def test_what_is_no_offer_is_refused_and_leaves_no_trace(workshop: Workshop) -> None:
    request_id = workshop.asked()
    now = clock.now()
    for wrong, code in (
        ({"until": now.isoformat()}, "not_ahead"),
        ({"until": (now + timedelta(days=91)).isoformat()}, "not_ahead"),
        ({"ready_by": "2026-11-21"}, "ready_in_the_past"),
        ({"price": {"minor": 0, "currency": "CNY"}}, "greater_than_equal"),
    ):
        assert workshop.offer(request_id, **wrong).json["errors"][0]["code"] == code
    other = shop.shop()
    answer = other.post(f"/v1/merchant/requests/{request_id}/say", {"text": "We could."})
    assert told(answer) == (404, "not_found")
    torn = workshop.file(workshop.buyer.account_id, b"no picture at all")
    said = workshop.buyer.post(f"/v1/requests/{request_id}/say", {"text": "Look.", "files": [torn]})
    assert told(said) == (422, "evidence_refused")
    assert len(store.load(request_id).history) == 1
    assert told(workshop.ask(product_id=ids.new_id("prd"))) == (404, "not_found")


def test_a_request_ends_by_either_side_and_holds_so_much(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MAX_OPEN", 2)
    monkeypatch.setattr(domain, "MAX_ENTRIES", 3)
    first, second = workshop.asked(), workshop.asked()
    assert told(workshop.ask()) == (409, "too_many_open_requests")
    declined = workshop.shop.post(f"/v1/merchant/requests/{first}/decline", {"text": "Too many orders."})
    assert declined.json["status"] == "declined"
    assert told(workshop.buyer.post(f"/v1/requests/{first}/say", {"text": "Please."})) == (409, "illegal_transition")
    third = workshop.asked()
    for _ in range(2):
        assert workshop.buyer.post(f"/v1/requests/{third}/say", {"text": "Please."}).status == 200
    assert told(workshop.buyer.post(f"/v1/requests/{third}/say", {"text": "Please."})) == (409, "too_much_said")
    assert workshop.buyer.post(f"/v1/requests/{second}/withdraw").json["status"] == "withdrawn"
    assert told(workshop.offer(second)) == (409, "illegal_transition")


def test_what_is_forgotten_keeps_that_it_was_and_nothing_that_was_written(workshop: Workshop) -> None:
    picture = workshop.file(workshop.buyer.account_id)
    request_id = workshop.asked(files=[picture])
    service.forget(request_id)
    service.forget(request_id)
    found = store.load(request_id)
    assert (found.status, [(entry.what, entry.text, entry.files) for entry in found.history]) == (
        "withdrawn",
        [("asked", "", ())],
    )
    key = f"evidence/kept/{request_id}/{picture}"
    listed = aws.call("s3", "ListObjectsV2", {"Bucket": config().bucket, "Prefix": key})
    assert listed.get("KeyCount", 0) == 0


def test_rivals_accept_once_and_one_product_is_made(workshop: Workshop) -> None:
    request_id = workshop.asked()
    workshop.offer(request_id)
    barrier, answers = Barrier(6), []

    def rush() -> None:
        barrier.wait()
        answers.append(workshop.accept(request_id))

    threads = [Thread(target=rush) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert inventory.level(store.load(request_id).sku_id).available == 2


class _Cut(Exception):
    """The process ended here."""


def _cutting(number: int, *, applied: bool) -> Any:
    made = count(1)

    def hook(kind: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if next(made) != number:
            return proceed()
        if applied:
            proceed()
        raise _Cut

    return hook


@pytest.mark.parametrize("applied", [False, True])
def test_cut_off_at_every_call_an_offer_is_accepted_once_with_its_units(workshop: Workshop, applied: bool) -> None:
    buyer = Party(Side.BUYER, workshop.buyer.account_id, workshop.buyer.account_id)
    cuts = 0
    for number in range(1, 9):
        request_id = workshop.asked()
        workshop.offer(request_id)
        intent = system_intent(f"accept#{number}")
        try:
            with aws.hooked(_cutting(number, applied=applied)):
                service.accept(buyer, request_id, 1, intent)
        except _Cut:
            cuts += 1
            service.accept(buyer, request_id, 1, intent)
        found = store.load(request_id)
        assert (found.status, len(found.history)) == ("accepted", 3)
        assert inventory.level(found.sku_id).available == 2
    assert cuts == 4


def test_each_step_costs_what_it_must(workshop: Workshop) -> None:
    buyer = Party(Side.BUYER, workshop.buyer.account_id, workshop.buyer.account_id)
    merchant = Party(Side.MERCHANT, "acc_staff", workshop.shop.merchant_id)
    costs: dict[str, tuple[int, float, float]] = {}

    def step(name: str, act: Callable[[], Any]) -> Any:
        with metering.measured() as meter:
            done = act()
        costs[name] = (meter.calls, meter.write_units, meter.read_units)
        return done

    said = service.Statement("The same in blue?")
    request, _ = step("ask", lambda: service.ask(buyer, workshop.product_id, said, system_intent("ask")))
    until = clock.now() + timedelta(days=7)
    terms = service.Terms("Blue teapot", Money(25_000), 1, until.date(), until)
    step("offer", lambda: service.offer(merchant, request.request_id, terms, said, system_intent("offer")))
    step("accept", lambda: service.accept(buyer, request.request_id, 1, system_intent("accept")))
    address = workshop.buyer.address_id
    step("quote", lambda: service.quote(buyer, request.request_id, address_id=address))
    assert costs == {
        "ask": (5, 3.0, 2.5),
        "offer": (2, 1.0, 1.0),
        "accept": (4, 9.0, 2.5),
        "quote": (2, 0.0, 2.5),
    }

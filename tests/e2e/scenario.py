"""The main job, played over HTTP: by ``make demo``, by the test of the dev server, and by that of the deployed stack.

Three purchases: one from sign-up to a settled complaint, one that nobody pays, one that is paid too late. Whatever is
not as it must be raises :class:`Unexpected`.
"""

from __future__ import annotations

import json
import struct
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.e2e import parcels
from tools.shared.client import Client, Network

Json = Any
PATIENCE_S = 120.0
PAST_EXPIRY = timedelta(minutes=31)
STAGES = ("collected", "in_transit", "out_for_delivery", "signed")


class Unexpected(AssertionError):
    """A step did not end as it must."""


@dataclass(frozen=True)
class Played:
    """Ids of what was made, for whoever wants to look closer."""

    purchases: tuple[str, str, str, str]
    orders: tuple[str, ...]
    complaint: str


def play(
    base_url: str,
    sandbox_url: str,
    carrier_url: str,
    *,
    accounts: Sequence[dict[str, str]],
    advance: Callable[[timedelta], None],
    say: Callable[[str], None] = lambda _: None,
    explain: Callable[[str], str] | None = None,
    codes: bool = True,
) -> Played:
    """Play everything. ``accounts`` are those that ``tools.dev.seed`` made; ``advance`` lets the server's time pass.

    Registering takes a code that is read in a dev server's mailbox, unless a stage asks for none (``codes``).
    """
    game = Game(base_url, sandbox_url, carrier_url, list(accounts), advance, say, codes)
    try:
        return _play(game, explain)
    finally:
        game.network.close()


def _play(game: Game, explain: Callable[[str], str] | None) -> Played:
    game.browse()
    game.sign_up()
    game.fill_cart()
    first = game.buy()
    game.pay(first)
    game.ship(first)
    game.follow(first)
    complaint = game.complain(first)
    if explain is not None:
        game.say(f"\nWhat led to what, for {first['purchase_id']}:\n\n{explain(first['purchase_id'])}\n")
    second = game.leave_unpaid()
    third = game.pay_too_late()
    fourth = game.pay_too_late_for_what_is_gone()
    if explain is not None:
        game.say(f"\nWhat led to what, for {fourth['purchase_id']}:\n\n{explain(fourth['purchase_id'])}\n")
    purchases = (first["purchase_id"], second["purchase_id"], third["purchase_id"], fourth["purchase_id"])
    return Played(purchases, tuple(first["order_ids"]), complaint)


@dataclass
class Game:
    """The people, and one method for each part of the job."""

    base_url: str
    sandbox_url: str
    carrier_url: str
    accounts: list[dict[str, str]]
    advance: Callable[[timedelta], None]
    say: Callable[[str], None]
    codes: bool = True
    buyer: Client = field(init=False)
    staff: dict[str, Client] = field(default_factory=dict)
    goods: list[Json] = field(default_factory=list)
    address_id: str = ""
    identity: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        self.network = Network(self.base_url)
        self.buyer = Client(self.network)

    # Before the order ------------------------------------------------------------------------------------------

    def browse(self) -> None:
        """List, page on, search in both languages, and read one product of each of two merchants."""
        self.say("A visitor looks around")
        categories = self.buyer.get("/v1/categories")["categories"]
        page = self.buyer.get("/v1/products?limit=20")
        more = self.buyer.get(f"/v1/products?limit=20&cursor={page['next_cursor']}")
        seen = [card["product_id"] for card in page["items"] + more["items"]]
        expect(len(set(seen)) == 40, "two pages of a list hold forty different products")
        self.say(f"  {len(categories)} categories; two pages of products: {len(seen)}")
        for words in ("gaiwan", "盖碗"):
            found = self.buyer.get(f"/v1/search?q={quoted(words)}")["items"]
            expect(bool(found), f"searching {words} finds something")
            self.say(f"  searching {words!r} finds {len(found)}, first {found[0]['titles']['en']!r}")
        self.goods = [self._physical("tea-ware"), self._physical("home-kitchen")]
        expect(self.goods[0]["merchant_id"] != self.goods[1]["merchant_id"], "the two goods have two merchants")
        for product in self.goods:
            sku = product["skus"][0]
            self.say(f"  reads {product['titles']['en']!r}: {money(sku['price'])}, {len(product['skus'])} SKUs")
        again = self.buyer.call("GET", f"/v1/products/{self.goods[0]['product_id']}")
        tag = again.headers["etag"]
        cached = self.buyer.call("GET", f"/v1/products/{self.goods[0]['product_id']}", headers={"if-none-match": tag})
        expect(cached.status == 304, "an unchanged product page is not sent twice")

    def _physical(self, category: str) -> Json:
        for card in self.buyer.get(f"/v1/products?category={category}&sort=price_asc&limit=20")["items"]:
            if card["kind"] == "physical" and not card["sold_out"]:
                return self.buyer.get(f"/v1/products/{card['product_id']}")
        raise Unexpected(f"nothing to buy in {category}")

    def sign_up(self) -> None:
        """Put something into a guest's cart, register, sign in, pour the guest's cart into the own one."""
        self.say("\nShe puts a first thing into a guest's cart, then registers and signs in")
        sku_id = self.goods[0]["skus"][0]["sku_id"]
        guest = self.buyer.expect(200, "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 2})
        self.identity, self.password = f"mei-{uuid4().hex[:12]}@example.com", f"pass-{uuid4().hex[:12]}"
        self.buyer.register(self.identity, self.password, self.buyer.code_in_mailbox if self.codes else None)
        if self.codes:
            again = self.buyer.call("POST", "/v1/auth/codes", {"contact": self.identity, "purpose": "register"})
            expect(again.status == 202, "a contact that has an account is answered as one that has none")
            self.say("  a code came by e-mail; who asks for another is told the same, and she of it")
        wrong = self.buyer.call("POST", "/v1/auth/sign-in", {"identity": self.identity, "password": "not-this-one"})
        expect(wrong.status == 401, "a wrong password is refused")
        self.buyer.sign_in(self.identity, self.password)
        me = self.buyer.get("/v1/me")
        self.say(f"  {me['account_id']} is signed in as {self.identity}")
        merged = self.buyer.expect(200, "POST", "/v1/cart/merge", {"cart_token": guest["cart_token"]})
        expect([line["quantity"] for line in merged["lines"]] == [2], "the guest's cart is merged")
        address = {
            "recipient": "王梅",
            "phone": "+8613800138000",
            "province": "浙江省",
            "city": "杭州市",
            "district": "西湖区",
            "street": "文三路 1 号",
        }
        self.address_id = self.buyer.expect(201, "POST", "/v1/me/addresses", address)["address_id"]

    def fill_cart(self) -> None:
        """Add goods of the second merchant."""
        self.say("\nShe fills her cart from two merchants")
        sku_id = self.goods[1]["skus"][0]["sku_id"]
        self.buyer.expect(200, "PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1})
        cart = self.buyer.get("/v1/cart")
        expect(len({line["merchant_id"] for line in cart["lines"]}) == 2, "the cart holds goods of two merchants")
        for line in cart["lines"]:
            self.say(f"  {line['quantity']} x {line['title']!r} at {money(line['price'])}")

    def _quote(self) -> Json:
        return self.buyer.expect(200, "POST", "/v1/quotes", {"address_id": self.address_id})

    def _place(self, *, key: str | None = None, quote: Json = None) -> Json:
        quote = quote or self._quote()
        return self.buyer.expect(201, "POST", "/v1/purchases", {"quote": quote["quote"]}, key=key)

    def buy(self) -> Json:
        """Ask for a quote, tamper with it in vain, check out, and check out again with the same key."""
        self.say("\nShe asks what it costs and checks out")
        quote = self._quote()
        for share in quote["shares"]:
            self.say(f"  {share['merchant_name']}: {money(share['goods'])} + freight {money(share['freight'])}")
        parts = sum(share["total"]["minor"] for share in quote["shares"])
        expect(parts == quote["total"]["minor"], "the shares sum to the total")
        token = quote["quote"]
        forged = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
        refused = self.buyer.call("POST", "/v1/purchases", {"quote": forged})
        expect(400 <= refused.status < 500, "a forged quote is refused")
        key = uuid4().hex
        purchase = self._place(key=key, quote=quote)
        repeat = self.buyer.call("POST", "/v1/purchases", {"quote": token}, key=key)
        expect(repeat.json["purchase_id"] == purchase["purchase_id"], "the same key gives the same purchase")
        expect(repeat.headers.get("idempotency-replayed") == "true", "a repeat says that it is one")
        expect(purchase["total"] == quote["total"], "what was quoted is what is owed")
        expect(len(purchase["order_ids"]) == 2, "there is one order for each merchant")
        expect(self.buyer.get("/v1/cart")["lines"] == [], "what was ordered is no longer in the cart")
        self.say(f"  purchase {purchase['purchase_id']} (no. {purchase['number']}): {money(purchase['total'])}")
        return purchase

    # Money -----------------------------------------------------------------------------------------------------

    def _start_payment(self, purchase_id: str) -> Json:
        path = f"/v1/purchases/{purchase_id}/payments"
        payment = self.buyer.expect(201, "POST", path, {"provider": "sandbox"})
        expect(payment["instruction"]["action"] == "redirect", "the buyer is sent to the provider")
        return payment

    def pay(self, purchase: Json) -> None:
        """Pay with the sandbox; its signed notice, sent twice, makes the purchase paid once."""
        self.say("\nShe pays; the provider posts its signed notice, twice")
        purchase_id = purchase["purchase_id"]
        payment = self._start_payment(purchase_id)
        forged = self.buyer.call(
            "POST",
            "/v1/webhooks/payments/sandbox",
            {"kind": "payment", "out_trade_no": payment["payment_id"], "state": "paid"},
        )
        expect(forged.status == 401, "a forged notice is refused")
        post(f"{self.sandbox_url}/pay/{payment['payment_id']}", {"times": 2})
        paid = self._until(f"/v1/purchases/{purchase_id}", lambda found: found["status"] == "paid", "it is paid")
        expect(paid["settled_by"] == payment["payment_id"], "this payment settled it")
        expect({order["status"] for order in paid["orders"]} == {"paid"}, "all its orders are paid")
        self.say(f"  {payment['payment_id']} captured {money(paid['total'])}; both orders are paid")

    # Parcels ---------------------------------------------------------------------------------------------------

    def _staff(self, merchant_id: str) -> Client:
        if merchant_id not in self.staff:
            account = next(entry for entry in self.accounts if entry.get("merchant_id") == merchant_id)
            client = Client(self.network)
            client.sign_in(account["email"], account["password"])
            self.staff[merchant_id] = client
        return self.staff[merchant_id]

    def ship(self, purchase: Json) -> None:
        """Both merchants find the order among those to ship, and ship it."""
        self.say("\nBoth merchants ship")
        self.parcels: dict[str, str] = {}
        for order_id in purchase["order_ids"]:
            order = self.buyer.get(f"/v1/orders/{order_id}")
            staff = self._staff(order["merchant_id"])
            listed = [found["order_id"] for found in self._all(staff, "/v1/merchant/orders?view=to_ship")]
            expect(order_id in listed, "the merchant sees the order among those to ship")
            seen = staff.get(f"/v1/merchant/orders/{order_id}")
            expect(seen["contact"]["recipient"] == "王梅", "the merchant sees where it goes")
            number = f"YT{uuid4().int % 10**13:013d}"
            lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in order["lines"]]
            path = f"/v1/merchant/orders/{order_id}/shipments"
            body = {"lines": lines, "carrier": "yuantong", "tracking_number": number}
            shipment = staff.expect(201, "POST", path, body)
            over = staff.call("POST", path, body | {"tracking_number": number + "9"})
            expect(over.status == 409, "nothing is shipped twice")
            self.parcels[order_id] = number
            self.say(f"  {order['merchant_name']}: {shipment['shipment_id']} with yuantong {number}")

    def follow(self, purchase: Json) -> None:
        """The hub pushes tracking; the buyer follows, receives and confirms."""
        self.say("\nThe carrier hub pushes tracking, the buyer follows")
        for order_id, number in self.parcels.items():
            for stage in STAGES:
                self._until_answered(f"{self.carrier_url}/command", {"number": number, "do": stage})
            path = f"/v1/orders/{order_id}/shipments"
            done = self._until(path, lambda found: found["items"][0]["status"] == "delivered", "the parcel arrives")
            parcel = done["items"][0]
            expect(len(parcel["events"]) == len(STAGES), "every scan shows once")
            self.say(f"  {number}: {parcel['status_text']}")
            for event in parcel["events"]:
                self.say(f"    {event['at']}  {event['text']}")
            parcels.follow(self.buyer, Client(self.network), order_id, parcel["shipment_id"], say=self.say)
            self._until(
                f"/v1/orders/{order_id}", lambda found: found["status"] == "delivered", "the order is delivered"
            )
            key = uuid4().hex
            for _ in range(2):
                order = self.buyer.expect(200, "POST", f"/v1/orders/{order_id}/confirm", {}, key=key)
            expect(order["status"] == "completed", "a confirmed order is complete")
            self.say(f"  {order_id} is confirmed: {order['status']}")

    # Complaints ------------------------------------------------------------------------------------------------

    def complain(self, purchase: Json) -> str:
        """A complaint with a picture is answered with an offer, accepted, and the money is back."""
        self.say("\nShe files a complaint with a picture")
        order = self.buyer.get(f"/v1/orders/{purchase['order_ids'][0]}")
        line = order["lines"][0]
        picture = png()
        ticket = self.buyer.expect(
            201, "POST", "/v1/complaints/evidence", {"content_type": "image/png", "size": len(picture)}
        )
        upload(ticket, picture)
        filing = {
            "order_id": order["order_id"],
            "line_id": line["line_id"],
            "reason": "damaged",
            "text": "到货时有一处裂纹。",
            "evidence": [ticket["evidence_id"]],
        }
        complaint = self.buyer.expect(201, "POST", "/v1/complaints", filing)
        complaint_id = str(complaint["complaint_id"])
        expect(complaint["turn"] == "merchant", "it is the merchant's turn")
        expect(bool(complaint["due_at"]), "it says until when")
        self.say(f"  {complaint_id}: {complaint['status_text']}, {complaint['turn_text']} until {complaint['due_at']}")
        staff = self._staff(order["merchant_id"])
        waiting = [found["complaint_id"] for found in self._all(staff, "/v1/merchant/complaints?view=waiting")]
        expect(complaint_id in waiting, "the merchant sees it among those that wait")
        offer = {"minor": line["total"]["minor"] // 2, "currency": line["total"]["currency"]}
        answer = {"answer": "refund", "amount": offer, "text": "抱歉，退您一半。"}
        offered = staff.expect(200, "POST", f"/v1/merchant/complaints/{complaint_id}/reply", answer)
        expect(offered["turn"] == "buyer", "it is the buyer's turn")
        self.say(f"  the merchant offers {money(offer)}; she accepts")
        self.buyer.expect(200, "POST", f"/v1/complaints/{complaint_id}/accept", {})
        path = f"/v1/complaints/{complaint_id}"
        done = self._until(path, lambda found: found["status"] == "resolved", "it is resolved")
        expect(done["refund"] == offer, "what was offered is what went back")
        after = self._until(
            f"/v1/orders/{order['order_id']}", lambda found: found["refunded"] == offer, "the order shows the refund"
        )
        self.say(f"  {complaint_id} is resolved; {after['order_id']} shows {money(after['refunded'])} refunded")
        return complaint_id

    # What goes wrong -------------------------------------------------------------------------------------------

    def _stock(self, product: Json) -> int:
        stock = self._staff(product["merchant_id"]).get(f"/v1/merchant/products/{product['product_id']}/stock")
        sku_id = product["skus"][0]["sku_id"]
        return next(int(level["available"]) for level in stock["items"] if level["sku_id"] == sku_id)

    def _refill(self) -> None:
        self.buyer.expect(200, "PATCH", "/v1/cart", {"lines": self._three_of_each()})

    def _three_of_each(self) -> list[Json]:
        return [{"sku_id": product["skus"][0]["sku_id"], "quantity": 3} for product in self.goods]

    def _sign_in_again(self) -> None:
        """Access tokens last ten minutes: time has passed."""
        self.buyer.sign_in(self.identity, self.password)
        self.staff.clear()

    def leave_unpaid(self) -> Json:
        """A purchase that nobody pays expires, and its stock comes back."""
        self.say("\nA second purchase is left unpaid")
        self._sign_in_again()
        before = [self._stock(product) for product in self.goods]
        self._refill()
        purchase = self._place()
        held = [self._stock(product) for product in self.goods]
        expect(held == [count - 3 for count in before], "placing holds the stock")
        self.say(f"  {purchase['purchase_id']} holds stock: {before} -> {held}; half an hour passes")
        self.advance(PAST_EXPIRY)
        self._sign_in_again()
        path = f"/v1/purchases/{purchase['purchase_id']}"
        self._until(path, lambda found: found["status"] == "expired", "it expires")
        after = [self._stock(product) for product in self.goods]
        expect(after == before, "the stock is back")
        self.say(f"  it is expired; stock is back: {after}")
        return purchase

    def pay_too_late(self) -> Json:
        """A purchase that is paid after it expired is honoured: everything was free, so all of it is taken again."""
        self.say("\nA third purchase is paid after it expired, and everything is still there")
        before = [self._stock(product) for product in self.goods]
        purchase, payment = self._expired()
        self._pay_closed(payment)
        path = f"/v1/purchases/{purchase['purchase_id']}"
        paid = self._until(path, lambda found: found["status"] == "paid", "it is honoured")
        expect(paid["settled_by"] == payment["payment_id"], "the late payment settled it")
        expect(paid["total"] == purchase["total"], "at what it was placed at")
        after = [self._stock(product) for product in self.goods]
        expect(after == [count - 3 for count in before], "all its units are taken again, once")
        self.say(f"  it is honoured at {money(paid['total'])}; its stock is taken again: {before} -> {after}")
        return purchase

    def pay_too_late_for_what_is_gone(self) -> Json:
        """Where one thing of it is gone meanwhile, nothing is taken, and the money goes back with the reason."""
        self.say("\nA fourth is paid after it expired, and some of it is gone meanwhile")
        purchase, payment = self._expired()
        product = self.goods[0]
        left = self._stock(product)
        self._move_stock(product, "write-offs", left)
        before = [self._stock(one) for one in self.goods]
        self._pay_closed(payment)
        path = f"/v1/purchases/{purchase['purchase_id']}"
        done = self._until(
            f"{path}/payments/{payment['payment_id']}",
            lambda found: [refund["status"] for refund in found["refunds"]] == ["succeeded"],
            "the money goes back by itself",
        )
        refund = done["refunds"][0]
        expect(refund["amount"] == purchase["total"], "all of it goes back")
        expect(refund["reason"] == "purchase_expired", "the buyer is told why")
        expect(self.buyer.get(path)["status"] == "expired", "the purchase stays expired")
        expect([self._stock(one) for one in self.goods] == before, "nothing of it is taken")
        self._move_stock(product, "receipts", left)
        self.say(f"  {refund['refund_id']} sent {money(refund['amount'])} back: {done['status_text']}")
        return purchase

    def _expired(self) -> tuple[Json, Json]:
        """Fill the cart with the question for a price, place and start to pay at once, and let its time run out."""
        asked = {"address_id": self.address_id, "lines": self._three_of_each()}
        quote = self.buyer.expect(200, "POST", "/v1/quotes", asked)["quote"]
        way = {"provider": "sandbox"}
        purchase = self.buyer.expect(201, "POST", "/v1/purchases", {"quote": quote, "payment": way})
        payment = purchase["payment"]
        expect(payment["instruction"]["action"] == "redirect", "the buyer is sent to the provider")
        waiting = self.buyer.get(f"/v1/purchases/{purchase['purchase_id']}/status")
        expect(waiting["status"] == "awaiting_payment", "a page that waits for the money reads the least there is")
        self.advance(PAST_EXPIRY)
        self._sign_in_again()
        path = f"/v1/purchases/{purchase['purchase_id']}"
        self._until(path, lambda found: found["status"] == "expired", "it expires")
        return purchase, payment

    def _pay_closed(self, payment: Json) -> None:
        post(f"{self.sandbox_url}/pay-closed/{payment['payment_id']}", {})
        self.say(f"  {payment['payment_id']} was closed at the provider, and is paid there all the same")

    def _move_stock(self, product: Json, how: str, quantity: int) -> None:
        body = {"lines": [{"sku_id": product["skus"][0]["sku_id"], "quantity": quantity}], "reason": "counted"}
        path = f"/v1/merchant/products/{product['product_id']}/stock/{how}"
        self._staff(product["merchant_id"]).expect(200, "POST", path, body)

    # Waiting ---------------------------------------------------------------------------------------------------

    def _all(self, client: Client, path: str) -> list[Json]:
        found: list[Json] = []
        cursor = ""
        while True:
            page = client.get(f"{path}&limit=100{cursor}")
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def _until(self, path: str, holds: Callable[[Json], bool], what: str, client: Client | None = None) -> Json:
        """Read until it holds: what happens behind queues takes a moment."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = (client or self.buyer).get(path)
            if holds(found):
                return found
            if time.monotonic() > deadline:
                text = json.dumps(found, ensure_ascii=False)[:2000]
                raise Unexpected(f"{what}: not within {PATIENCE_S:.0f} s; {path} is {text}")
            time.sleep(0.05)

    def _until_answered(self, url: str, body: Json) -> None:
        """Send a command to a stand-in until it knows what it is about: the subscription travels through a queue."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status, answer = send(url, body)
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise Unexpected(f"{url} answered {status} to {body}: {answer}")
            time.sleep(0.05)


def expect(holds: bool, what: str) -> None:
    """Demand that something holds."""
    if not holds:
        raise Unexpected(f"it must hold that {what}")


def money(amount: Json) -> str:
    """Return an amount as people write it."""
    return f"{amount['minor'] / 100:.2f} {amount['currency']}"


def quoted(text: str) -> str:
    """Return a text for a query string."""
    from urllib.parse import quote

    return quote(text)


def send(url: str, body: Json) -> tuple[int, str]:
    """Post JSON to a stand-in; return status and text."""
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"content-type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def post(url: str, body: Json) -> None:
    """Post JSON to a stand-in that must accept it."""
    status, answer = send(url, body)
    expect(200 <= status < 300, f"{url} accepts {body} (it answered {status}: {answer})")


def png() -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xb4\x36\x1e")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def upload(ticket: Json, content: bytes) -> None:
    """Post a file with the form that the API gave out, as a browser does."""
    border = uuid4().hex
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in ticket["fields"].items()
    ]
    parts.append(f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="crack.png"\r\n'.encode())
    parts.append(b"Content-Type: image/png\r\n\r\n" + content + f"\r\n--{border}--\r\n".encode())
    request = urllib.request.Request(
        ticket["url"], data=b"".join(parts), headers={"content-type": f"multipart/form-data; boundary={border}"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        expect(answer.status in (200, 201, 204), "the file is uploaded")

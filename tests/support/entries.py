"""How each route is called so that it succeeds for its owner: the table behind the tests of access and of bad input.

``ENTRIES`` names an entry for every declared route by its operation; an entry makes its own record and returns the
request. A route without an entry fails the tests: whoever adds one says here what to send.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import count, cycle
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.auth import tokens
from chalicelib.auth.domain import Link
from chalicelib.auth.external.people import identity_of
from chalicelib.catalog import bulk, files
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Post, Role
from chalicelib.ledger import counting
from chalicelib.ledger import service as ledger
from chalicelib.ledger.sums import Written
from chalicelib.logistics import links
from chalicelib.logistics.providers import kdniao, kuaidi100
from chalicelib.notifications import inbox_store
from chalicelib.notifications.inbox import Entry
from chalicelib.notifications.topics import Topic
from chalicelib.orders import service as orders
from chalicelib.orders.service import Sale
from chalicelib.payments import service as payments
from chalicelib.privacy import service as privacy
from chalicelib.reconciliation import service as reconciliation
from chalicelib.reconciliation.domain import RunStatus
from chalicelib.returns import acting as returns_acting
from chalicelib.returns import domain as returns_domain
from chalicelib.returns import service as returns
from chalicelib.risk import service as risk
from chalicelib.risk.default_rules import DEFAULTS
from chalicelib.risk.domain import FactKind, Finding, Mode, Subject, SubjectKind
from chalicelib.risk.reviews.service import review_id_of
from chalicelib.runtime import aws, objects, outbound
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.routes import Route
from chalicelib.runtime.intents import system_intent
from chalicelib.webhooks import service as webhooks
from tests.support import (
    authenticator,
    booking_entries,
    elsewhere,
    entries_virtual,
    goods,
    joining,
    passkeys,
    people,
    request_entries,
    sales,
    talks,
)
from tests.support import shop as shops
from tests.support.http import Answer, call
from tests.support.letters import token_in, waiting
from tools.fakes.carriers.kdniao import KDNiao
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.mount import transport
from tools.fakes.sign_in import mount
from tools.fakes.sign_in.stand_in import SignInHost

PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 20
CSV = b"Handle,Title,Variant Price,Type\r\ncup,Cup,9.90,tea\r\n"
PASSWORD = "correct horse battery"
CANNED = {"version": 0, "items": [{"title": "Thanks", "text": "Thank you for writing."}]}


@dataclass(frozen=True)
class Ask:
    """One request: path parameters by name, and what goes with them."""

    ids: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    body_ids: tuple[str, ...] = ()
    """Fields of the body that name a record of the caller's."""
    twice: tuple[tuple[str, str], ...] = ()
    """Parameters that are sent once more."""
    own: dict[str, str] = field(default_factory=dict)
    """Whose call it is in another's place: the token of a person of its own, under that of the world's."""

    def send(self, route: Route, token: str | None, *, key: str | None = None) -> Answer:
        """Make the call."""
        of_few_accounts()
        path = route.path
        for name, value in self.ids.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
        query = f"?{urlencode([*self.query.items(), *self.twice])}" if self.query else ""
        headers = {"content-type": route.content_types[0], **self.headers}
        who = self.own.get(token, token) if token else token
        return call(route.method, path + query, self.body, token=who, headers=headers, raw=self.raw, key=key)

    def value(self, name: str) -> str:
        """Return the id that a path parameter or a field of the body holds."""
        return str(self.body[name] if name in self.body_ids else self.ids[name])

    def having(self, name: str, value: str) -> Ask:
        """Return the same request about another record."""
        if name in self.body_ids:
            return replace(self, body={**self.body, name: value})
        return replace(self, ids={**self.ids, name: value})


def _registering() -> Ask:
    identity = f"{uuid4().hex[:12]}@example.com"
    return Ask(body={"identity": identity, "password": PASSWORD, **joining.proof(identity, "register")})


def _with_code(purpose: str, *, contact: str = "", **more: Any) -> Ask:
    contact = contact or f"{uuid4().hex[:12]}@example.com"
    return Ask(body={"contact": contact, **joining.proof(contact, purpose), **more})


def of_few_accounts() -> None:
    """Let the few accounts of a world file what a whole module asks for; ``conftest`` ends it with each test."""
    os.environ.setdefault("BIANDAN_COMPLAINTS", "day:100000,month:100000")
    os.environ.setdefault("BIANDAN_WAYBILLS", "kdniao")
    os.environ.setdefault("BIANDAN_CONVERSATIONS_A_DAY", "100000")
    for name, value in elsewhere.SETTINGS.items():
        os.environ.setdefault(name, value)


def _drawing(others: outbound.Transport) -> outbound.Transport:
    """Return what reaches KDNiao's stand-in beside the others."""
    birds = KDNiao(lambda *_: (200, b""), now=clock.now)

    def send(request: outbound.Request) -> outbound.Response:
        parts = urlsplit(request.url)
        if parts.netloc != "api.kdniao.com":
            return others(request)
        return outbound.Response(*birds.handle(parts.path, request.body))

    return send


def ghost(real: str) -> str:
    """Return an id of the same shape that nobody has."""
    prefix, body, *number = real.split("_")
    return "_".join([prefix, "0" * len(body), *number])


@dataclass
class World:
    """Two merchants, two buyers, an operator, and the records that the entries make among them."""

    sandbox: Sandbox
    buyer: shops.Buyer
    other_buyer: shops.Buyer
    shop: shops.Shop
    other_shop: shops.Shop
    operator: people.Person
    sign_in: SignInHost
    """QQ's and WeChat's other end."""

    @classmethod
    def build(cls) -> World:
        """Make them in the account that is in use."""
        sandbox = Sandbox(now=lambda: clock.now().timestamp())
        sign_in = SignInHost(now=lambda: clock.now().timestamp())
        outbound.install(_drawing(mount.transport(sign_in, transport(sandbox))))
        goods.categories()
        return cls(sandbox, shops.buyer(), shops.buyer(), shops.shop(), shops.shop(), people.operator(), sign_in)

    def mirror(self) -> World:
        """Return the same world as the other buyer and the other merchant see it: what the entries make is theirs."""
        return World(
            self.sandbox, self.other_buyer, self.buyer, self.other_shop, self.shop, self.operator, self.sign_in
        )

    def token_of(self, who: str) -> str:
        """Return the token of ``buyer``, ``other_buyer``, ``staff``, ``other_staff`` or ``operator``."""
        return {
            "buyer": self.buyer.token,
            "other_buyer": self.other_buyer.token,
            "staff": self.shop.token,
            "other_staff": self.other_shop.token,
            "operator": self.operator.token,
        }[who]

    @cached_property
    def listed(self) -> goods.Made:
        """A product that is only read."""
        return self.shop.product()

    def product(self, **wanted: Any) -> goods.Made:
        """Make a product to change."""
        return goods.product(self.shop.merchant_id, **wanted)

    # Contacts

    def verifying(self) -> Ask:
        """Show a contact that is the buyer's from now on, or was before."""
        return _with_code("verify", contact=self._contact())

    def proving(self) -> Ask:
        """Let a person of its own prove who that is by a code to a verified contact; a contact gets few codes."""
        person = people.buyer()
        people.session(person)
        contact = f"{uuid4().hex[:12]}@example.com"
        shown = _with_code("verify", contact=contact)
        assert call("POST", "/v1/me/contacts/verify", shown.body, token=person.token).status == 200
        return replace(_with_code("prove", contact=contact), own={self.buyer.token: person.token})

    def _contact(self) -> str:
        return f"{self.buyer.account_id.removeprefix('acc_')}@example.com"

    # Sales

    def placed(self) -> Sale:
        """Make an unpaid purchase."""
        return sales.placed(self.buyer.account_id, (self.shop.merchant_id, (sales.line("1"),)))

    @cached_property
    def sale(self) -> Sale:
        """A paid purchase that is only read."""
        return self.paid()

    def started(self, sale: Sale) -> str:
        """Start a payment."""
        answer = self.buyer.post(f"/v1/purchases/{sale.purchase.purchase_id}/payments", {"provider": "sandbox"})
        assert answer.status == 201, answer.body
        return str(answer.json["payment_id"])

    def paid(self) -> Sale:
        """Make a purchase of one order, paid through the sandbox."""
        sale = self.placed()
        payment_id = self.started(sale)
        payments.record_capture(
            payment_id, amount=sale.purchase.total, transaction_id=uuid4().hex, at=clock.now(), confirmed=True
        )
        return orders.load_sale(sale.purchase.purchase_id)

    def order(self) -> str:
        """Make a paid order."""
        return self.paid().orders[0].order_id

    def shipped(self) -> tuple[str, str]:
        """Make an order whose one parcel is on its way; returns order and shipment."""
        order_id = self.order()
        answer = self.shop.post(f"/v1/merchant/orders/{order_id}/shipments", parcel())
        assert answer.status == 201, answer.body
        return order_id, str(answer.json["shipment_id"])

    def held_number(self) -> dict[str, str]:
        """Make a parcel; returns its carrier and number."""
        order_id, _ = self.shipped()
        made = self.shop.get(f"/v1/merchant/orders/{order_id}/shipments").json["items"][0]
        return {"carrier": made["carrier"]["code"], "number": made["tracking_number"]}

    # Complaints

    def upload(self) -> str:
        """Put a file where a buyer's upload lands; returns the evidence's id."""
        evidence_id = ids.new_id("evd")
        key = f"evidence/incoming/{self.buyer.account_id}/{evidence_id}"
        put = {"Bucket": config().bucket, "Key": key, "Body": PNG, "ContentType": "image/png"}
        aws.call("s3", "PutObject", put)
        return evidence_id

    @cached_property
    def complaint(self) -> dict[str, str]:
        """A complaint with a file, only read: its path parameters."""
        evidence_id = self.upload()
        return {"complaint_id": self.filed(evidence=[evidence_id]), "evidence_id": evidence_id}

    def filed(self, **more: Any) -> str:
        """File a complaint."""
        of_few_accounts()
        body = {"order_id": self.order(), "line_id": "1", "reason": "damaged", "text": "Broken.", **more}
        answer = self.buyer.post("/v1/complaints", body)
        assert answer.status == 201, answer.body
        return str(answer.json["complaint_id"])

    def replied(self) -> str:
        """File a complaint that the merchant rejects."""
        complaint_id = self.filed()
        answer = self.shop.post(f"/v1/merchant/complaints/{complaint_id}/reply", {"answer": "reject", "text": "No."})
        assert answer.status == 200, answer.body
        return complaint_id

    def escalated(self) -> str:
        """File a complaint that waits for the operator."""
        complaint_id = self.replied()
        assert self.buyer.post(f"/v1/complaints/{complaint_id}/escalate", {"text": "Look."}).status == 200
        return complaint_id

    def asked(self) -> str:
        """File a complaint in which the platform asks the buyer."""
        complaint_id = self.escalated()
        question = {"side": "buyer", "text": "Show it."}
        path = f"/v1/operator/complaints/{complaint_id}/question"
        assert call("POST", path, question, token=self.operator.token).status == 200
        return complaint_id

    def decided(self) -> str:
        """File a complaint that the platform dismisses."""
        complaint_id = self.escalated()
        path = f"/v1/operator/complaints/{complaint_id}/decision"
        assert call("POST", path, DISMISSED, token=self.colleague.token).status == 200
        return complaint_id

    def closed(self) -> str:
        """File a complaint that the buyer gave up after an answer."""
        complaint_id = self.replied()
        assert self.buyer.post(f"/v1/complaints/{complaint_id}/accept").status == 200
        return complaint_id

    # Returns

    def delivered(self) -> str:
        """Make an order that its buyer received."""
        order_id, shipment_id = self.shipped()
        orders.record_delivery(order_id, shipment_id, clock.now())
        return order_id

    def asked_back(self, **more: Any) -> str:
        """Ask for a return."""
        answer = self.buyer.post("/v1/returns", {**goes_back(self.delivered()), **more})
        assert answer.status == 201, answer.body
        return str(answer.json["return_id"])

    def agreed(self, **more: Any) -> str:
        """Ask for a return that the merchant agrees to."""
        return_id = self.asked_back(**more)
        self._said(return_id, "approve", {"address": RETURN_ADDRESS})
        return return_id

    def objected(self) -> str:
        """Ask for a return that the merchant refuses."""
        return_id = self.asked_back()
        self._said(return_id, "refuse", {"text": "Worn."})
        return return_id

    def on_its_way(self, **more: Any) -> str:
        """Send goods back."""
        return_id = self.agreed(**more)
        sent = {key: value for key, value in parcel().items() if key != "lines"}
        assert self.buyer.post(f"/v1/returns/{return_id}/parcel", sent).status == 200
        return return_id

    def taken_in_part(self) -> str:
        """Send goods back of which the merchant takes nothing."""
        return_id = self.on_its_way()
        said = {"lines": [{"line_id": "1", "damaged": 1}], "withhold_damaged": True, "text": "Broken."}
        self._said(return_id, "inspection", said)
        return return_id

    def to_replace(self) -> str:
        """Send goods back that are to be exchanged."""
        return_id = self.on_its_way(wish="exchange")
        line = orders.load_order(returns.load(_everybody, return_id).order_id).lines[0]
        inventory.receive(line.sku_id, 5, intent=system_intent(f"for#{return_id}"))
        self._said(return_id, "inspection", {"lines": [{"line_id": "1", "open_box": 1}]})
        return return_id

    def before_the_platform(self) -> str:
        """Take a refusal to the platform."""
        return_id = self.objected()
        assert self.buyer.post(f"/v1/returns/{return_id}/escalate", {"text": "Look."}).status == 200
        return return_id

    def _said(self, return_id: str, what: str, body: Any) -> None:
        answer = self.shop.post(f"/v1/merchant/returns/{return_id}/{what}", body)
        assert answer.status == 200, answer.body

    @cached_property
    def returned(self) -> str:
        """A return that is only read."""
        return self.asked_back()

    # Conversations

    def talk(self, *pictures: str) -> talks.Talk:
        """Let the buyer ask about an order."""
        shop, agent = self.shop.merchant_id, self.operator.account_id
        return talks.Talk.about(self.order(), self.buyer.account_id, shop, agent, pictures=pictures)

    @cached_property
    def talked(self) -> talks.Talk:
        """A conversation that is only read."""
        return self.talk()

    @cached_property
    def pictured(self) -> dict[str, str]:
        """A conversation with a picture, only read: its path parameters."""
        picture_id = self.upload()
        return {"conversation_id": self.talk(picture_id).conversation_id, "number": "1", "picture_id": picture_id}

    # Others

    def job(self, kind: str) -> str:
        """Begin an import or export."""
        body = {"size_bytes": len(CSV)} if kind == "import" else None
        answer = self.shop.post(f"/v1/merchant/{kind}s", body)
        assert answer.status in (201, 202), answer.body
        return str(answer.json[f"{kind}_id"])

    def uploaded_import(self) -> str:
        """Begin an import whose file is there."""
        import_id = self.job("import")
        objects.put(files.key(self.shop.merchant_id, import_id, bulk.SOURCE), CSV, "text/csv")
        return import_id

    def guest_cart(self) -> str:
        """Begin a guest's cart; returns its token."""
        answer = call("PUT", f"/v1/cart/lines/{self.listed.sku_id}", {"quantity": 1})
        return str(answer.json["cart_token"])

    def identity(self) -> str:
        """Register somebody; returns the e-mail address."""
        identity = f"{uuid4().hex[:12]}@example.com"
        answer = joining.register(identity, PASSWORD)
        assert answer.status == 201, answer.body
        return identity

    def refresh_token(self) -> str:
        """Register and sign in; returns the refresh token."""
        body = {"identity": self.identity(), "password": PASSWORD}
        return str(call("POST", "/v1/auth/sign-in", body).json["refresh_token"])

    def linked(self) -> str:
        """Give the buyer a person of each mini program; returns the first one's link."""
        of_few_accounts()
        elsewhere.forget_links(self.buyer.account_id)
        for provider in ("wechat_mini", "qq_mini"):
            answer = elsewhere.link_mini(self.sign_in, self.buyer.token, elsewhere.somebody(), provider)
            assert answer.status == 201, answer.body
        return str(answer.json["link_id"])

    @cached_property
    def passerby(self) -> people.Person:
        """Somebody who only buys: the entries make buyers of the world a merchant's staff, too."""
        return people.buyer()

    @cached_property
    def colleague(self) -> people.Person:
        """Another operator."""
        return people.operator()

    def approval(self) -> dict[str, str]:
        """Let the other operator ask for an approval; returns its path parameters."""
        ask = _refund(self)
        path = f"/v1/operator/purchases/{ask.ids['purchase_id']}/refund-approvals"
        answer = call("POST", path, ask.body, token=self.colleague.token)
        assert answer.status == 201, answer.body
        return {**ask.ids, "approval_id": str(answer.json["approval_id"])}

    def role_request(self) -> str:
        """Let the other operator ask for a role for somebody; returns the request."""
        path = f"/v1/operator/accounts/{people.buyer().account_id}/role-requests"
        answer = call("POST", path, OPERATOR, token=self.colleague.token)
        assert answer.status == 201, answer.body
        return str(answer.json["request_id"])

    def quarantined(self) -> dict[str, str]:
        """Let a provider tell of a second capture of one attempt; returns the notice's path parameters."""
        purchase_id = self.paid().purchase.purchase_id
        paid = payments.payment_records(purchase_id).payments[0]
        payments.record_capture(
            paid.payment_id, amount=paid.amount, transaction_id=uuid4().hex, at=clock.now(), confirmed=True
        )
        (held,) = payments.payment_records(purchase_id).quarantined
        return {"purchase_id": purchase_id, "quarantine_id": held.quarantine_id}

    def past_day(self) -> date:
        """Return a day that nobody reconciled yet."""
        return clock.now().date() - timedelta(days=next(_days))

    def reconciled(self) -> str:
        """Reconcile a day of the sandbox; returns the run."""
        run, _ = reconciliation.begin("sandbox", self.past_day())
        while run.status is not RunStatus.DONE:
            run = reconciliation.advance(run.run_id, run.step)
        return run.run_id

    @cached_property
    def run(self) -> str:
        """A reconciled day that is only read."""
        return self.reconciled()

    def case(self) -> str:
        """Open a case."""
        day = self.past_day().isoformat()
        return reconciliation.open_case("bill_missing", "sandbox", day, uuid4().hex, said={"why": "it was not there"})

    def stray(self) -> str:
        """Keep money of nobody's; returns what stands for it."""
        money = Money(100)
        number = uuid4().hex
        heard = payments.ReportedMoney("sandbox", number, money, "t1", clock.now(), {}, confirmed=True)
        return payments.note_billed_money(heard).stray_id

    def stuck_refund(self) -> str:
        """Make a refund that the provider refused."""
        sale = self.paid()
        answer = call(
            "POST",
            f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
            {"order_id": sale.orders[0].order_id, "amount": MONEY, "reason": "kindness"},
            token=self.operator.token,
        )
        assert answer.status == 201, answer.body
        refund_id = str(answer.json["refund_id"])
        payments.send_refund(refund_id)  # The provider never heard of this capture: it refuses.
        return refund_id

    def abnormal_refund(self) -> str:
        """Make a refund that the payer's bank did not take."""
        sale = self.placed()
        payment_id = self.started(sale)
        self.sandbox.steer(payment_id, refund="abnormal")
        transaction = self.sandbox.pay(payment_id).transaction_id
        money = sale.purchase.total
        payments.record_capture(payment_id, amount=money, transaction_id=transaction, at=clock.now(), confirmed=True)
        path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds"
        body = {"order_id": sale.orders[0].order_id, "amount": MONEY, "reason": "kindness"}
        refund_id = str(call("POST", path, body, token=self.operator.token).json["refund_id"])
        payments.send_refund(refund_id)
        return refund_id

    def owed_refund(self) -> str:
        """Make a refund that an operator has to pay another way."""
        refund_id = self.stuck_refund()
        payments.withhold_refund(refund_id, by=self.operator.account_id)
        return refund_id


_days = count(2)
OPERATOR = {"role": "operator", "reason": "She joins the desk."}
MONEY = {"minor": 100, "currency": "CNY"}
PAID_OFFLINE = {"reference": "ICBC-2026-000123", "paid_at": "2026-11-01T10:00:00Z", "note": "by transfer"}
CARD = {"bank_type": "ICBC_DEBIT", "bank_account": "6222020200112230", "real_name": "王五"}
_numbers = count(1_000_000_000)


def parcel() -> dict[str, Any]:
    """Return what ships a parcel with a number that no other has."""
    return {
        "lines": [{"line_id": "1", "quantity": 1}],
        "carrier": "yuantong",
        "tracking_number": f"YT{next(_numbers)}",
    }


RETURN_ADDRESS = {"recipient": "退货组", "phone": "+86 571 8800 0000", "city": "杭州市", "street": "仓前路 8 号"}
_everybody = returns_acting.Party(returns_domain.Turn.OPERATOR, "acc_nobody")


def goes_back(order_id: str) -> dict[str, Any]:
    """Return what asks for the first unit of an order to go back."""
    lines = [{"line_id": "1", "quantity": 1}]
    return {"order_id": order_id, "lines": lines, "wish": "refund", "reason": "no_reason"}


def numbered() -> dict[str, Any]:
    """Return a parcel of a return."""
    return {key: value for key, value in parcel().items() if key != "lines"}


PRODUCT = {"titles": {"en": "Cup"}, "category_id": "tea", "skus": [{"price": {"minor": 990, "currency": "CNY"}}]}
MERCHANT = {"name": "Tea", "contact": {"person": "Wang"}, "freight": MONEY}


def _notice(world: World) -> Ask:
    payment_id = world.started(world.placed())
    world.sandbox.pay(payment_id)
    held: list[tuple[dict[str, str], bytes]] = []

    def keep(url: str, headers: dict[str, str], body: bytes) -> int:
        held.append((headers, body))
        return 200

    world.sandbox.tick(keep)
    headers, body = held[-1]
    return Ask(ids={"provider": "sandbox"}, headers={k.lower(): v for k, v in headers.items()}, raw=body)


def _push(world: World) -> Ask:
    _, shipment_id = world.shipped()
    last = {"state": "0", "com": "yuantong", "nu": "", "data": []}
    param = json.dumps({"status": "polling", "lastResult": last})
    sign = kuaidi100.push_signature(param.encode(), kuaidi100.salt_of(shipment_id))
    return Ask(ids={"shipment_id": shipment_id}, raw=urlencode({"param": param, "sign": sign}).encode())


def _push_of_many(world: World) -> Ask:
    _, shipment_id = world.shipped()
    data = {"EBusinessID": "local-business", "Count": "1", "Data": [{"LogisticCode": "YT1", "CallBack": shipment_id}]}
    text = json.dumps(data)
    sign = kdniao.data_sign(text.encode(), "local-kdniao-app-key")
    return Ask(raw=urlencode({"RequestData": text, "RequestType": "101", "DataSign": sign}).encode())


WAYBILL: dict[str, Any] = {
    "carrier": "yuantong",
    "sender": {
        "name": "仓库",
        "phone": "13800138001",
        "province": "浙江省",
        "city": "杭州市",
        "district": "西湖区",
        "street": "文三路 1 号",
    },
    "goods": "茶叶",
}


def _mistyped(world: World) -> Ask:
    order_id, shipment_id = world.shipped()
    body = {name: value for name, value in parcel().items() if name != "lines"}
    return Ask(ids={"order_id": order_id, "shipment_id": shipment_id}, body=body)


def _on_its_way(world: World) -> Ask:
    order_id, shipment_id = world.shipped()
    return Ask(ids={"order_id": order_id, "shipment_id": shipment_id})


def _silent(world: World) -> Ask:
    """Return how a parcel is called lost that was shipped before anybody listened."""
    with clock.use(clock.Fixed(clock.now() - timedelta(days=4))):
        order_id, shipment_id = world.shipped()
    return Ask(ids={"order_id": order_id, "shipment_id": shipment_id}, body={"reason": "The carrier says so."})


def _settling(world: World) -> Ask:
    return replace(_on_its_way(world), body={"how": "delivered", "reason": "The carrier's receipt."})


def _lost(world: World) -> Ask:
    order_id, shipment_id = world.shipped()
    orders.record_turn_back(order_id, shipment_id, clock.now(), lost=True)
    return Ask(ids={"order_id": order_id})


def _followed_by_a_guest(world: World) -> Ask:
    order_id, shipment_id = world.shipped()
    return Ask(ids={"token": links.make(order_id, shipment_id, world.buyer.account_id).token})


def _checkout(world: World) -> Ask:
    world.buyer.put(world.listed.sku_id)
    return Ask(
        body={"quote": world.buyer.quote().json["quote"], "note": "ring twice", "payment": {"provider": "sandbox"}}
    )


def _quote(world: World) -> Ask:
    world.buyer.put(world.listed.sku_id)
    return Ask(body={"address_id": world.buyer.address_id}, body_ids=("address_id",))


def _address(world: World) -> dict[str, str]:
    answer = world.buyer.post("/v1/me/addresses", shops.ADDRESS)
    assert answer.status == 201, answer.body
    return {"address_id": str(answer.json["address_id"])}


PERSONS_PAGE = {"return_url": elsewhere.PAGE, "challenge": "A" * 43}


def _completed(world: World, token: str | None = None) -> Ask:
    of_few_accounts()
    if token is not None:
        elsewhere.forget_links(world.buyer.account_id)
    browser = elsewhere.Browser(world.sign_in, token=token)
    body = {**browser.come_back(elsewhere.somebody()), "verifier": browser.verifier, "return_url": browser.page}
    return Ask(ids={"provider": "qq"}, body=body)


def _mini(world: World, provider: str = "qq_mini") -> Ask:
    elsewhere.forget_links(world.buyer.account_id)
    code = world.sign_in.login(provider, elsewhere.somebody())["js_code"]
    return Ask(ids={"provider": provider}, body={"js_code": code})


def _known_proof(world: World) -> Ask:
    """Let somebody be known by QQ on the web, and come by a mini program."""
    of_few_accounts()
    elsewhere.forget_links(world.buyer.account_id)
    person = elsewhere.somebody()
    elsewhere.by_web(world.sign_in, person)
    return Ask(body={"proof": elsewhere.by_mini(world.sign_in, person).json["proof"]})


def _own_proof(world: World) -> Ask:
    """Let the buyer be known by QQ on the web, and come by a mini program."""
    person = elsewhere.somebody()
    linking = elsewhere.Browser(world.sign_in, token=world.buyer.token)
    of_few_accounts()
    elsewhere.forget_links(world.buyer.account_id)
    assert linking.complete(linking.come_back(person)).status == 201
    return Ask(body={"proof": elsewhere.by_mini(world.sign_in, person).json["proof"]})


def _proved_elsewhere(world: World) -> Ask:
    """Let the buyer have a person of the mini program, and that person come again."""
    of_few_accounts()
    elsewhere.forget_links(world.buyer.account_id)
    person = elsewhere.somebody()
    assert elsewhere.link_mini(world.sign_in, world.buyer.token, person).status == 201
    body = {"js_code": world.sign_in.login("qq_mini", person)["js_code"]}
    return _in_session(world, Ask(ids={"provider": "qq_mini"}, body=body))


def _read_picture(world: World) -> Ask:
    return Ask(ids=dict(world.pictured))


def _told(world: World) -> Ask:
    of_few_accounts()
    elsewhere.forget_links(world.buyer.account_id)
    person = elsewhere.somebody()
    assert elsewhere.link_mini(world.sign_in, world.buyer.token, person).status == 201
    said = world.sign_in.profile("qq_mini", person)
    return Ask(ids={"provider": "qq_mini"}, body={name: said[name] for name in ("raw_data", "signature")})


DISMISSED = {"decision": "dismiss", "text": "No.", "facts": "Nothing shows it.", "rule": "CN-ECL-63-1"}


def _of(make: Callable[[World], str], name: str, body: Any = None) -> Callable[[World], Ask]:
    return lambda world: Ask(ids={name: make(world)}, body=body)


def _product(body: Any = None, **wanted: Any) -> Callable[[World], Ask]:
    return lambda world: Ask(ids={"product_id": world.product(**wanted).product_id}, body=body)


def _stock(world: World) -> Ask:
    made = world.product()
    line = {"sku_id": made.sku_id, "quantity": 2}
    return Ask(ids={"product_id": made.product_id}, body={"lines": [line], "reason": "count"})


def _sku(body: Any = None) -> Callable[[World], Ask]:
    def make(world: World) -> Ask:
        made = world.product()
        return Ask(ids={"product_id": made.product_id, "sku_id": made.sku_id}, body=body)

    return make


def _sold(body: Any = None) -> Callable[[World], Ask]:
    return lambda world: Ask(ids={"order_id": world.order()}, body=body)


def _read_order(world: World) -> Ask:
    return Ask(ids={"order_id": world.sale.orders[0].order_id})


def _read_purchase(world: World) -> Ask:
    return Ask(ids={"purchase_id": world.sale.purchase.purchase_id})


def _read_complaint(world: World) -> Ask:
    return Ask(ids={"complaint_id": world.complaint["complaint_id"]})


def _read_evidence(world: World) -> Ask:
    return Ask(ids=dict(world.complaint))


def _leaving(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    return Ask(own={world.buyer.token: person.token})


def _erasure(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    privacy.request_erasure(person.account_id)
    return Ask(own={world.buyer.token: person.token})


def _archive(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    privacy.archives.request(person.account_id)
    return Ask(own={world.buyer.token: person.token})


def _archive_made(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    asked = privacy.archives.request(person.account_id)
    privacy.archives.advance(asked.archive_id, asked.step)
    return Ask(own={world.buyer.token: person.token})


def _child(*, agreed: bool = True) -> tuple[people.Person, str]:
    """Return a child, and their guardian's contact."""
    child, guardian = people.buyer(), f"guardian.{ids.new_id('acc')[4:14]}@example.com"
    people.session(child)
    auth.guardians.declare(child.account_id, auth.Age.UNDER_14)
    if agreed:
        shown = joining.proof(guardian, "guardian")
        proof = auth.proving.Proof(auth.identity(guardian), shown["code_id"], shown["code"])
        auth.guardians.agree(child.account_id, proof, version=1)
    return child, guardian


def _guardian_agrees(world: World) -> Ask:
    child, guardian = _child(agreed=False)
    body = {"contact": guardian, **joining.proof(guardian, "guardian"), "rules_version": 1}
    return Ask(body=body, own={world.buyer.token: child.token})


def _guardian_says(**more: str) -> Make:
    def make(_: World) -> Ask:
        child, guardian = _child()
        shown = joining.proof(guardian, "guardian")
        return Ask(body={"account_id": child.account_id, "contact": guardian, **shown, **more})

    return make


def _talk(talk: talks.Talk, body: Any = None) -> Ask:
    return Ask(ids={"conversation_id": talk.conversation_id}, body=body)


def _read_talk(world: World) -> Ask:
    return _talk(world.talked)


def _of_writer(world: World, tell: Callable[[str], str], body: Any = None) -> Ask:
    """Let a person of its own have told something: an account may tell little a day."""
    person = people.buyer()
    people.session(person)
    return Ask(ids={"feedback_id": tell(person.account_id)}, body=body, own={world.buyer.token: person.token})


_rules = cycle(rule.rule_id for rule in DEFAULTS[:6])


def _rule() -> tuple[str, int]:
    """Return a rule, another one each time, and a threshold that it does not have."""
    rule_id = next(_rules)
    return rule_id, risk.changing.in_force().rule(rule_id).least % 30 + 1


def _rule_to_ask(_: World) -> Ask:
    rule_id, least = _rule()
    return Ask(ids={"rule": rule_id}, body={"reason": "too many", "least": least})


def _asked_rule(_: World) -> Ask:
    rule_id, least = _rule()
    asking, intent = people.operator(), system_intent(uuid4().hex)
    asked, _before = risk.changing.ask(rule_id, {"least": least}, "too many", by=asking.account_id, intent=intent)
    return Ask(ids={"rule": rule_id}, body={"version": asked.rule.version})


def _review(account_id: str = "") -> str:
    subject = Subject(SubjectKind.ACCOUNT, account_id or ids.new_id("acc"))
    evidence = ((FactKind.COMPLAINED, ids.new_id("cmp"), clock.now()),)
    rule = replace(risk.changing.in_force().rule("complaints_account"), mode=Mode.REVIEW)
    finding = Finding(rule, subject, clock.now(), 1000, 0, evidence)
    risk.reviews.open_review(finding)
    return review_id_of(finding)


def _review_to_decide(world: World) -> Ask:
    review_id = _review()
    risk.reviews.claim(review_id, by=world.operator.account_id, intent=system_intent(uuid4().hex))
    return Ask(ids={"review_id": review_id}, body={"decision": "upheld", "reason": "八次投诉均无依据"})


def _review_to_appeal(world: World) -> Ask:
    person, operator = people.buyer(), people.operator().account_id
    people.session(person)
    review_id = _review(person.account_id)
    risk.reviews.claim(review_id, by=operator, intent=system_intent(uuid4().hex))
    risk.reviews.decide(review_id, uphold=True, reason="是", by=operator, intent=system_intent(uuid4().hex))
    return Ask(ids={"review_id": review_id}, body={"text": "投诉均属实"}, own={world.buyer.token: person.token})


def _nothing(_: World) -> Ask:
    return Ask()


def _body(body: Any) -> Callable[[World], Ask]:
    return lambda _: Ask(body=body)


def _categories(_: World) -> Ask:
    tree = call("GET", "/v1/categories").json
    return Ask(body={"categories": tree["categories"], "version": tree["version"]})


def _refund(world: World) -> Ask:
    sale = world.paid()
    body = {"order_id": sale.orders[0].order_id, "amount": MONEY, "reason": "kindness"}
    return Ask(ids={"purchase_id": sale.purchase.purchase_id}, body=body, body_ids=("order_id",))


def _payment(world: World) -> Ask:
    purchase_id = world.sale.purchase.purchase_id
    return Ask(ids={"purchase_id": purchase_id, "payment_id": ids.child_id("pay", purchase_id, 1)})


def _filing(world: World) -> Ask:
    body = {"order_id": world.order(), "line_id": "1", "reason": "damaged", "text": "Broken."}
    return Ask(body={**body, "evidence": [world.upload()]}, body_ids=("order_id",))


def _account_days(world: World) -> Ask:
    for entry in ledger.entries(world.sale.purchase.purchase_id):
        postings = tuple((each.account, each.amount.minor, each.amount.currency) for each in entry.postings)
        counting.count(
            [Written(entry.purchase_id, entry.entry_id, entry.at, postings, written_at=clock.now())], generation=0
        )
    return Ask(ids={"account": "clearing-sandbox"}, query={"first": "2026-01-01", "last": "2026-12-31"})


def _staff(world: World) -> Ask:
    body = {"role": "merchant_staff", "merchant_id": world.shop.merchant_id}
    return Ask(ids={"account_id": people.staff(world.shop.merchant_id).account_id}, body=body)


def _colleague(world: World, post: Post = Post.CLERK) -> str:
    """Somebody who works at the shop and stands in its roster."""
    account_id = people.buyer().account_id
    auth.grant(account_id, Role.MERCHANT_STAFF, world.shop.merchant_id, post=post)
    return account_id


def _offer(_: World) -> Ask:
    return Ask(body={"post": "clerk", "contact": f"{uuid4().hex[:12]}@example.com"})


def _invited(world: World) -> Ask:
    answer = world.shop.post("/v1/merchant/staff/invitations", _offer(world).body)
    assert answer.status == 201, answer.body
    return Ask(ids={"invitation_id": str(answer.json["invitation_id"])})


def _invitation(world: World) -> Ask:
    contact, shop = f"{uuid4().hex[:12]}@example.com", shops.shop()
    made = shop.post("/v1/merchant/staff/invitations", {"post": "clerk", "contact": contact})
    assert made.status == 201, made.body
    token = token_in(waiting(contact, f"invitation#{made.json['invitation_id']}"))
    return Ask(body={"token": token}, own={world.buyer.token: people.reachable(contact).token})


def _wanted_key(world: World) -> Ask:
    """A new key; the few that a merchant may have are taken back in time."""
    held = auth.keys.listed(world.shop.merchant_id)
    for one in held if len(held) > 6 else ():
        auth.keys.revoke(world.shop.merchant_id, one.key_id, by=world.operator.account_id)
    return Ask(body={"name": "Stock system", "scopes": ["stock:read"]})


def _key(world: World, body: Any = None) -> Ask:
    answer = world.shop.post("/v1/merchant/keys", _wanted_key(world).body)
    assert answer.status == 201, answer.body
    return Ask(ids={"key_id": str(answer.json["key_id"])}, body=body)


WEBHOOK = {"name": "Warehouse", "url": "https://hooks.example.com/biandan", "types": ["order.paid"]}


def _wanted_webhook(world: World) -> Ask:
    """A new webhook; the few that a merchant may have are removed in time."""
    merchant_id = world.shop.merchant_id
    held = webhooks.listed(merchant_id)
    for one in held if len(held) > 8 else ():
        webhooks.remove(merchant_id, one.webhook_id, by=world.operator.account_id)
    return Ask(body=WEBHOOK)


def _webhook(world: World, body: Any = None) -> Ask:
    answer = world.shop.post("/v1/merchant/webhooks", _wanted_webhook(world).body)
    assert answer.status == 201, answer.body
    return Ask(ids={"webhook_id": str(answer.json["webhook_id"])}, body=body)


def _tested_webhook(world: World) -> Ask:
    asked = _webhook(world)
    answer = world.shop.post(f"/v1/merchant/webhooks/{asked.ids['webhook_id']}/test")
    assert answer.status == 201, answer.body
    return Ask(ids={**asked.ids, "delivery_id": str(answer.json["delivery_id"])})


def _left(world: World) -> Ask:
    merchant = people.merchant()
    for account_id in (world.buyer.account_id, people.buyer().account_id):
        auth.grant(account_id, Role.MERCHANT_STAFF, merchant.merchant_id)
    return Ask(ids={"merchant_id": merchant.merchant_id})


def _revoked(world: World) -> Ask:
    person = people.staff(world.shop.merchant_id)
    return Ask(ids={"account_id": person.account_id, "role": "merchant_staff"})


def _delivered(world: World) -> Ask:
    order_id, shipment_id = world.shipped()
    orders.record_delivery(order_id, shipment_id, clock.now())
    return Ask(ids={"order_id": order_id})


def _started_payment(world: World) -> Ask:
    return Ask(ids={"payment_id": world.started(world.placed())})


def _proof(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    people.with_password(person, PASSWORD)
    return Ask(body={"password": PASSWORD}, own={world.buyer.token: person.token})


def _with_app(state: str | None, *, bare: bool = False) -> Callable[[World], Ask]:
    """Return a call of a person of its own who has no authenticator app, one that waits, or one that counts."""

    def make(world: World) -> Ask:
        person = people.buyer()
        people.session(person)
        secret = authenticator.set_up(person, confirmed=state == "confirmed") if state else ""
        body = {"code": authenticator.code(secret)} if secret and not bare else None
        return Ask(body=body, own={world.buyer.token: person.token})

    return make


def _second_step(world: World) -> Ask:
    identity = world.identity()
    account_id = auth.account_with(identity).account_id
    secret = authenticator.set_up(people.Person(account_id, people.token(account_id)), confirmed=True)
    first = call("POST", "/v1/auth/sign-in", {"identity": identity, "password": PASSWORD})
    return Ask(body={"challenge": first.json["challenge"], "code": authenticator.code(secret)})


def _new_passkey(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    begun = call("POST", "/v1/me/passkeys/begin", token=person.token).json
    made = passkeys.Authenticator().make(begun["public_key"])
    body = {"challenge": begun["challenge"], "credential": made, "name": "Laptop"}
    return Ask(body=body, own={world.buyer.token: person.token})


def _passkey(world: World, body: Any = None) -> Ask:
    person = people.buyer()
    people.session(person)
    passkeys.added(person.token)  # The one that stays.
    made = passkeys.add(person.token, passkeys.Authenticator())
    return Ask(ids={"passkey_id": str(made.json["passkey_id"])}, body=body, own={world.buyer.token: person.token})


def _signed_in_by_passkey(_: World) -> Ask:
    person = people.buyer()
    people.session(person)
    mine = passkeys.added(person.token)
    begun = passkeys.begin()
    return Ask(body={"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"])})


def _proved_by_passkey(world: World) -> Ask:
    person = people.buyer()
    people.session(person)
    mine = passkeys.added(person.token)
    begun = call("POST", "/v1/auth/prove/passkey/begin", token=person.token).json
    body = {"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"])}
    return Ask(body=body, own={world.buyer.token: person.token})


def _session(world: World) -> Ask:
    made = people.session(people.Person(world.buyer.account_id, people.token(world.buyer.account_id)))
    return Ask(ids={"session_id": made.session_id})


def _in_session(world: World, ask: Ask) -> Ask:
    """Let there be the session that the buyer's token names."""
    people.session(people.Person(world.buyer.account_id, world.buyer.token))
    return ask


def _apart(world: World, ask: Ask = Ask()) -> Ask:
    """Let a person of its own make the call in the buyer's place: it ends sessions, and the world's have to go on."""
    person = people.buyer()
    people.session(person)
    return replace(ask, own={world.buyer.token: person.token})


def _told_of(world: World) -> Ask:
    """Write an entry into the buyer's inbox."""
    entry_id = ids.new_id("ntc")
    entry = Entry(world.buyer.account_id, entry_id, "session_reused", Topic.SECURITY, clock.now())
    with UnitOfWork() as work:
        inbox_store.add(work, entry)
    return Ask({"message_id": entry_id})


def _subscribed(world: World) -> Ask:
    """Let somebody whom a mini program knows say yes."""
    person, openid = people.buyer(), uuid4().hex
    account = accounts.load_account(person.account_id, consistent=True)
    assert account is not None
    link = Link("lnk_1", "wechat_mini", "wx1", identity_of("wechat_mini", "wx1", openid), "", clock.now())
    with UnitOfWork() as work:
        work.save(accounts.account_row(replace(account, links=(link,))))
    people.session(person)
    body = {"provider": "wechat_mini", "payer": openid, "answers": {"shipped": "accept"}}
    return Ask(body=body, own={world.buyer.token: person.token})


def _changed_contact(world: World) -> Ask:
    person, contact = people.buyer(), f"{uuid4().hex[:12]}@example.com"
    people.session(person)
    body = {"contact": contact, **joining.proof(contact, "verify")}
    assert call("POST", "/v1/me/contacts/verify", body, token=person.token).status == 200
    return replace(_with_code("verify"), own={world.buyer.token: person.token})


def _taken_back(world: World) -> Ask:
    person, contact = people.buyer(), f"{uuid4().hex[:12]}@example.com"
    people.session(person)
    for path, named in (("verify", contact), ("change", f"{uuid4().hex[:12]}@example.com")):
        body = {"contact": named, **joining.proof(named, "verify")}
        answer = call("POST", f"/v1/me/contacts/{path}", body, token=person.token)
        assert answer.status == 200, answer.body
    return _with_code("take_back", contact=contact)


Make = Callable[[World], Ask]

ENTRIES: dict[str, Make] = {
    # auth
    "get_signing_keys": _nothing,
    "register": lambda _: _registering(),
    "send_code": lambda _: Ask(body={"contact": f"{uuid4().hex[:12]}@example.com", "purpose": "sign_in"}),
    "sign_in_by_code": lambda _: _with_code("sign_in", create=True),
    "reset_password": lambda world: _with_code("reset", contact=world.identity(), password="another horse battery"),
    "change_password": lambda world: _apart(world, Ask(body={"password": "another horse battery"})),
    "change_contact": _changed_contact,
    "take_back_contact": _taken_back,
    "verify_contact": lambda world: world.verifying(),
    "prove_by_code": lambda world: world.proving(),
    "sign_in": lambda world: Ask(body={"identity": world.identity(), "password": PASSWORD}),
    "refresh_session": lambda world: Ask(body={"refresh_token": world.refresh_token()}),
    "prove_by_password": _proof,
    "get_factors": _nothing,
    "begin_totp": _with_app(None),
    "confirm_totp": _with_app("pending"),
    "remove_totp": _with_app("confirmed", bare=True),
    "renew_recovery_codes": _with_app("confirmed", bare=True),
    "prove_by_totp": _with_app("confirmed"),
    "finish_sign_in": _second_step,
    "begin_passkey": _apart,
    "add_passkey": _new_passkey,
    "list_passkeys": _nothing,
    "rename_passkey": lambda world: _passkey(world, {"name": "Key"}),
    "remove_passkey": _passkey,
    "begin_passkey_sign_in": _nothing,
    "sign_in_by_passkey": _signed_in_by_passkey,
    "begin_passkey_proof": _nothing,
    "prove_by_passkey": _proved_by_passkey,
    "begin_web_sign_in": lambda _: Ask(ids={"provider": "qq"}, body=PERSONS_PAGE),
    "complete_web_sign_in": _completed,
    "sign_in_by_mini_program": _mini,
    "sign_in_apart": _known_proof,
    "list_identities": _nothing,
    "begin_linking": lambda _: Ask(ids={"provider": "qq"}, body=PERSONS_PAGE),
    "begin_proving": lambda _: Ask(ids={"provider": "qq"}, body=PERSONS_PAGE),
    "prove_elsewhere": _proved_elsewhere,
    "link_web_identity": lambda world: _completed(world, world.buyer.token),
    "link_mini_identity": _mini,
    "link_proved_identity": _own_proof,
    "unlink_identity": _of(World.linked, "link_id"),
    "tell_mini_data": _told,
    "list_sessions": _nothing,
    "revoke_session": _session,
    "sign_out": _apart,
    "sign_out_everywhere": _apart,
    "get_me": _nothing,
    "change_me": lambda _: Ask(body={"nickname": f"n{uuid4().hex[:8]}"}),
    "grant_role": _staff,
    "revoke_role": _revoked,
    "ask_role": lambda _: Ask(ids={"account_id": people.buyer().account_id}, body=OPERATOR),
    "list_role_requests": _nothing,
    "get_role_request": _of(World.role_request, "request_id"),
    "approve_role": _of(World.role_request, "request_id", {"note": "known"}),
    "reject_role": _of(World.role_request, "request_id", {"note": "no"}),
    "list_keys": _nothing,
    "make_key": _wanted_key,
    "rotate_key": lambda world: _key(world, {"overlap_s": 60}),
    "revoke_key": _key,
    "list_staff": _nothing,
    "list_webhooks": _nothing,
    "make_webhook": _wanted_webhook,
    "set_webhook": lambda world: _webhook(world, WEBHOOK),
    "rotate_webhook": _webhook,
    "remove_webhook": _webhook,
    "test_webhook": _webhook,
    "list_deliveries": _webhook,
    "replay_failed": _webhook,
    "replay_delivery": _tested_webhook,
    "invite_person": _offer,
    "take_back_invitation": _invited,
    "move_person": lambda world: Ask(ids={"account_id": _colleague(world)}, body={"post": "manager"}),
    "dismiss_person": lambda world: Ask(ids={"account_id": _colleague(world)}),
    "accept_invitation": _invitation,
    "leave_post": _left,
    "list_addresses": _nothing,
    "add_address": _body(shops.ADDRESS),
    "get_address": lambda world: Ask(ids={"address_id": world.buyer.address_id}),
    "put_address": lambda world: Ask(ids=_address(world), body={**shops.ADDRESS, "street": "文三路 2 号"}),
    "delete_address": lambda world: Ask(ids=_address(world)),
    # merchants
    "get_merchant": _of(lambda world: world.shop.merchant_id, "merchant_id"),
    "get_profile": _nothing,
    "change_profile": lambda _: Ask(body={"description": uuid4().hex}),
    "create_merchant": _body(MERCHANT),
    "get_merchant_as_operator": _of(lambda world: world.shop.merchant_id, "merchant_id"),
    "change_merchant": lambda world: Ask(ids={"merchant_id": world.shop.merchant_id}, body={"name": uuid4().hex}),
    # catalog
    "list_products": lambda _: Ask(query={"limit": "2", "sort": "newest"}),
    "get_product": _of(lambda world: world.listed.product_id, "product_id"),
    "list_categories": _nothing,
    "search_products": lambda _: Ask(query={"q": "tea", "limit": "2"}),
    "set_categories": _categories,
    "create_product": _body(PRODUCT),
    "list_own_products": _nothing,
    "get_own_product": _of(lambda world: world.listed.product_id, "product_id"),
    "change_product": lambda world: replace(
        _product({"vendor": "Tea"}, listed=False)(world), headers={"if-match": '"1"'}
    ),
    "list_product": _product(listed=False),
    "unlist_product": _product(),
    "get_stock": _product(),
    "receive_stock": _stock,
    "write_off_stock": _stock,
    "list_movements": _sku(),
    "set_buckets": _sku({"buckets": 2}),
    "begin_import": _body({"size_bytes": 100}),
    "import_file": lambda _: Ask(raw=CSV, query={"default_category": "tea"}),
    "start_import": _of(World.uploaded_import, "import_id"),
    "list_imports": _nothing,
    "get_import": _of(lambda world: world.job("import"), "import_id"),
    "list_refusals": _of(lambda world: world.job("import"), "import_id"),
    "begin_export": _nothing,
    "get_export": _of(lambda world: world.job("export"), "export_id"),
    # cart, checkout
    "get_cart": lambda world: Ask(headers={"x-cart-token": world.guest_cart()}),
    "change_cart": lambda world: Ask(body={"lines": [{"sku_id": world.listed.sku_id, "quantity": 2}]}),
    "set_cart_line": lambda world: Ask(ids={"sku_id": world.listed.sku_id}, body={"quantity": 2}),
    "remove_cart_line": lambda world: Ask(
        ids={"sku_id": world.listed.sku_id}, headers={"x-cart-token": world.guest_cart()}
    ),
    "merge_cart": lambda world: Ask(body={"cart_token": world.guest_cart()}),
    "ask_quote": _quote,
    "place_purchase": _checkout,
    "cancel_purchase": lambda world: Ask(ids={"purchase_id": world.placed().purchase.purchase_id}, body={}),
    "cancel_order": _sold({"reason": "too late"}),
    "cancel_merchant_order": _sold({"reason": "broken"}),
    # orders
    "list_orders": _nothing,
    "get_order": _read_order,
    "get_purchase": _read_purchase,
    "get_purchase_status": _read_purchase,
    "confirm_receipt": _delivered,
    "list_merchant_orders": _nothing,
    "get_merchant_order": _read_order,
    "get_operator_order": _read_order,
    "get_operator_purchase": _read_purchase,
    "reveal_contact": lambda world: replace(_read_purchase(world), body={"reason": "The parcel came back."}),
    # payments, ledger
    "start_payment": lambda world: Ask(
        ids={"purchase_id": world.placed().purchase.purchase_id}, body={"provider": "sandbox"}
    ),
    "list_payments": _read_purchase,
    "get_payment": _payment,
    "take_notice": _notice,
    "list_waiting": _nothing,
    "list_booked": lambda _: Ask(query={"provider": "sandbox", "day": "2026-11-22"}),
    "get_payment_records": _read_purchase,
    "query_payment": _started_payment,
    "request_refund": _refund,
    "query_refund": _of(World.stuck_refund, "refund_id"),
    "retry_refund": _of(World.stuck_refund, "refund_id"),
    "take_refund_offline": _of(World.stuck_refund, "refund_id"),
    "note_paid_offline": _of(World.owed_refund, "refund_id", PAID_OFFLINE),
    "ask_paid_offline_approval": _of(World.owed_refund, "refund_id", PAID_OFFLINE),
    "send_refund_to_card": _of(World.abnormal_refund, "refund_id", CARD),
    "ask_to_card_approval": _of(World.abnormal_refund, "refund_id", CARD),
    "get_ledger": _read_purchase,
    "ask_refund_approval": _refund,
    "approve_refund": lambda world: Ask(ids=world.approval(), body={"note": "fine"}),
    "reject_refund": lambda world: Ask(ids=world.approval(), body={"note": "no"}),
    "resolve_quarantined": lambda world: Ask(ids=world.quarantined(), body={"how": "seen", "note": "known"}),
    "get_story": _read_purchase,
    "list_payment_methods": _nothing,
    "check_payment": _payment,
    "get_stray": _of(World.stray, "stray_id"),
    "settle_stray": _of(World.stray, "stray_id", {"how": "seen", "note": "known"}),
    "get_balances": _nothing,
    "get_account_days": _account_days,
    "begin_reconciliation": lambda world: Ask(body={"provider": "sandbox", "day": world.past_day().isoformat()}),
    "list_reconciliations": lambda world: Ask(query={"provider": "sandbox", "day": world.past_day().isoformat()}),
    "get_reconciliation": _of(lambda world: world.run, "run_id"),
    "list_reconciliation_lines": _of(lambda world: world.run, "run_id"),
    "get_reconciliation_report": _of(lambda world: world.run, "run_id"),
    "list_cases": _nothing,
    "get_case": _of(World.case, "case_id"),
    "resolve_case": _of(World.case, "case_id", {"how": "accepted", "note": "Bank says so."}),
    # logistics
    "list_carriers": _nothing,
    "ship_order": lambda world: Ask(ids={"order_id": world.order()}, body=parcel()),
    "correct_number": _mistyped,
    "draw_waybill": lambda world: Ask(ids={"order_id": world.order()}, body=WAYBILL),
    "recognise_carrier": lambda world: Ask(query={"tracking_number": "SF1234567890123"}),
    "read_number": lambda world: Ask(ids=world.held_number()),
    "release_number": lambda world: Ask(ids=world.held_number(), body={"reason": "Given out again."}),
    "list_merchant_shipments": _read_order,
    "follow_order": _read_order,
    "confirm_parcel": _on_its_way,
    "report_lost": _silent,
    "settle_parcel": _settling,
    "end_waiting": _lost,
    "weigh_shipments": _read_order,
    "change_address": lambda world: Ask(
        ids={"purchase_id": world.paid().purchase.purchase_id},
        body=_address(world),
        body_ids=("address_id",),
    ),
    "ask_address": lambda world: Ask(ids={"order_id": world.order()}, body={"reason": "No carrier goes there."}),
    "follow_parcel": _followed_by_a_guest,
    "link_parcel": _on_its_way,
    "kdniao_push": _push_of_many,
    "kuaidi100_push": _push,
    # times of services
    **booking_entries.entries(Ask),
    **entries_virtual.ENTRIES,
    # goods that go back
    "preview_return": lambda world: Ask(body=goes_back(world.delivered()), body_ids=("order_id",)),
    "ask_return": lambda world: Ask(body=goes_back(world.delivered()), body_ids=("order_id",)),
    "list_returns": _nothing,
    "get_return": lambda world: Ask(ids={"return_id": world.returned}),
    "send_return": lambda world: Ask(ids={"return_id": world.agreed()}, body=numbered()),
    "accept_inspection": _of(World.taken_in_part, "return_id"),
    "escalate_return": _of(World.objected, "return_id", {"text": "Look."}),
    "withdraw_return": _of(World.asked_back, "return_id"),
    "list_merchant_returns": _nothing,
    "get_merchant_return": lambda world: Ask(ids={"return_id": world.returned}),
    "approve_return": _of(World.asked_back, "return_id", {"address": RETURN_ADDRESS}),
    "leave_return": _of(World.asked_back, "return_id", {"text": "Keep it."}),
    "refuse_return": _of(World.asked_back, "return_id", {"text": "Worn."}),
    "inspect_return": _of(World.on_its_way, "return_id", {"lines": [{"line_id": "1", "open_box": 1}]}),
    "send_replacement": lambda world: Ask(ids={"return_id": world.to_replace()}, body=numbered()),
    "list_operator_returns": _nothing,
    "get_operator_return": lambda world: Ask(ids={"return_id": world.returned}),
    "decide_return": _of(World.before_the_platform, "return_id", {"decision": "dismiss", "text": "No."}),
    **request_entries.entries(Ask),
    # complaints
    "upload_evidence": _body({"content_type": "image/png", "size": 100}),
    "file_complaint": _filing,
    "list_complaints": _nothing,
    "get_complaint": _read_complaint,
    "get_complaint_evidence": _read_evidence,
    "accept_answer": _of(World.replied, "complaint_id"),
    "escalate_complaint": _of(World.replied, "complaint_id", {"text": "Look."}),
    "withdraw_complaint": _of(World.filed, "complaint_id"),
    "reopen_complaint": _of(World.closed, "complaint_id", {"text": "Again."}),
    "list_merchant_complaints": _nothing,
    "get_merchant_complaint": _read_complaint,
    "get_merchant_complaint_evidence": _read_evidence,
    "reply_to_complaint": _of(World.filed, "complaint_id", {"answer": "reject", "text": "No."}),
    "list_operator_complaints": _nothing,
    "get_operator_complaint": _read_complaint,
    "get_operator_complaint_evidence": _read_evidence,
    "decide_complaint": _of(World.escalated, "complaint_id", DISMISSED),
    "state_in_complaint": _of(World.asked, "complaint_id", {"text": "Here."}),
    "appeal_complaint": _of(World.decided, "complaint_id", {"text": "Look again."}),
    "appeal_as_merchant": _of(World.decided, "complaint_id", {"text": "Look again."}),
    "ask_for_person": _of(World.filed, "complaint_id"),
    "ask_for_person_as_merchant": _of(World.filed, "complaint_id"),
    "ask_in_complaint": _of(World.escalated, "complaint_id", {"side": "merchant", "text": "Show it."}),
    "get_complaint_bundle": _read_complaint,
    "bundle_complaint": lambda world: replace(
        _read_complaint(world), body={"authority": "市场监管局", "reference": "2026-1", "reason": "asked in writing"}
    ),
    # conversations
    "begin_conversation": lambda world: Ask(
        body={"about": "order", "subject_id": world.order(), "text": "Hello"}, body_ids=("subject_id",)
    ),
    "begin_merchant_conversation": lambda world: Ask(
        body={"about": "order", "subject_id": world.order(), "text": "Hello"}, body_ids=("subject_id",)
    ),
    "list_conversations": _nothing,
    "list_merchant_conversations": _nothing,
    "list_operator_conversations": _nothing,
    "get_conversation": _read_talk,
    "get_merchant_conversation": _read_talk,
    "get_operator_conversation": _read_talk,
    "get_picture": _read_picture,
    "get_merchant_picture": _read_picture,
    "get_operator_picture": _read_picture,
    "say_in_conversation": lambda world: _talk(world.talk(), {"text": "Still here."}),
    "say_as_merchant": lambda world: _talk(world.talk(), {"text": "Tomorrow."}),
    "say_as_service": lambda world: _talk(world.talk().taken(), {"text": "Let us see."}),
    "read_conversation": lambda world: _talk(world.talked, {"number": 1}),
    "read_as_merchant": lambda world: _talk(world.talked, {"number": 1}),
    "read_as_service": lambda world: _talk(world.talked, {"number": 1}),
    "call_service": lambda world: _talk(world.talk()),
    "call_service_as_merchant": lambda world: _talk(world.talk()),
    "solve_conversation": lambda world: _talk(world.talk()),
    "solve_as_merchant": lambda world: _talk(world.talk()),
    "solve_as_service": lambda world: _talk(world.talk().taken()),
    "take_conversation": lambda world: _talk(world.talk().called()),
    "transfer_conversation": lambda world: _talk(world.talk().called(), {"queue": "cases", "note": "Theirs."}),
    "get_merchant_answers": _nothing,
    "set_merchant_answers": _body(CANNED),
    "get_operator_answers": _nothing,
    "set_operator_answers": _body(CANNED),
    "get_merchant_figures": lambda _: Ask(query={"first": "2026-11-01", "last": "2026-11-30"}),
    "get_operator_figures": lambda _: Ask(query={"first": "2026-11-01", "last": "2026-11-30"}),
    # feedback
    "tell_platform": lambda world: _apart(world, Ask(body={"kind": "wish", "text": "More tea."})),
    "list_my_feedback": _nothing,
    "get_my_feedback": lambda world: _of_writer(world, talks.told),
    "object_to_answer": lambda world: _of_writer(
        world, lambda who: talks.answered(who, "acc_operator"), {"text": "No."}
    ),
    "close_feedback": lambda world: _of_writer(world, lambda who: talks.answered(who, "acc_operator")),
    "list_feedback": _nothing,
    "get_feedback": lambda _: Ask(ids={"feedback_id": talks.told(ids.new_id("acc"))}),
    "sort_feedback": lambda _: Ask(ids={"feedback_id": talks.told(ids.new_id("acc"))}, body={"topic": "goods"}),
    "answer_feedback": lambda _: Ask(
        ids={"feedback_id": talks.sorted_out(ids.new_id("acc"), "acc_operator")}, body={"text": "Soon."}
    ),
    "list_surveys": _nothing,
    "answer_survey": lambda world: Ask(ids={"survey_id": talks.asked(world.talk())}, body={"score": 5}),
    "get_service_figures": lambda _: Ask(query={"month": "2026-11"}),
    "get_merchant_service_figures": lambda world: Ask(
        ids={"merchant_id": world.shop.merchant_id}, query={"month": "2026-11"}
    ),
    # oversight
    "list_audit": _nothing,
    # explaining
    "explain_account": lambda world: Ask(
        ids={"account_id": world.buyer.account_id}, body={"reason": "The person asks."}
    ),
    "explain_order": lambda world: replace(_read_order(world), body={"reason": "The buyer asks."}),
    # site
    "openapi_document": _nothing,
    "docs_page": _nothing,
    # privacy
    "list_rules": _nothing,
    "ask_rule": _rule_to_ask,
    "approve_rule": _asked_rule,
    "reject_rule": _asked_rule,
    "list_reviews": _nothing,
    "get_review": lambda _: Ask(ids={"review_id": _review()}),
    "claim_review": lambda _: Ask(ids={"review_id": _review()}),
    "decide_review": _review_to_decide,
    "list_my_reviews": _nothing,
    "appeal_review": _review_to_appeal,
    "get_privacy_notice": _nothing,
    "request_erasure": _leaving,
    "get_erasure": _erasure,
    "withdraw_erasure": _erasure,
    "list_purposes": _nothing,
    "list_consents": _leaving,
    "list_disclosures": _nothing,
    "list_inbox": _nothing,
    "count_unread": _nothing,
    "get_message_preferences": _nothing,
    "choose_message_preferences": lambda world: _apart(
        world,
        Ask(
            body={
                "off": [{"topic": "parcels", "channel": "email"}],
                "quiet_hours": {"begins": "21:30", "ends": "07:00"},
            }
        ),
    ),
    "read_all_messages": lambda world: _apart(world, Ask(body={"until": "2026-01-02T03:04:05Z"})),
    "read_message": _told_of,
    "list_subscribable": lambda _: Ask(query={"provider": "wechat_mini"}),
    "subscribe": _subscribed,
    "get_childrens_rules": _nothing,
    "get_age": _nothing,
    "say_age": lambda world: _apart(world, Ask(body={"age": "adult"})),
    "agree_as_guardian": _guardian_agrees,
    "withdraw_as_guardian": _guardian_says(),
    "say_age_as_guardian": _guardian_says(age="adult"),
    "erase_as_guardian": _guardian_says(),
    "give_consent": lambda world: _apart(world, Ask({"purpose": "personalisation"}, {"version": 1})),
    "withdraw_consent": lambda world: _apart(world, Ask({"purpose": "personalisation"})),
    "request_archive": _leaving,
    "get_archive": _archive,
    "link_archive": _archive_made,
    "drop_archive": _archive,
    "privacy_page": _nothing,
}


def expired_token(world: World) -> str:
    """Return the buyer's token of half an hour ago."""
    with clock.use(clock.Fixed(clock.now() - timedelta(minutes=30))):
        return people.token(world.buyer.account_id)


def forged_tokens(world: World) -> dict[str, str]:
    """Return tokens that look like an operator's and are not."""
    import base64

    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    good = world.operator.token
    head, claims, signature = good.split(".")
    content = jwt.decode(good, options={"verify_signature": False})
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt","kid":"local-1"}').decode().rstrip("=")
    others = base64.urlsafe_b64encode(json.dumps({**content, "sub": world.buyer.account_id}).encode()).decode()
    headers = {"kid": "local-1", "typ": tokens.TYPE}
    key = Ed25519PrivateKey.generate()
    return {
        "no algorithm": f"{none}.{claims}.",
        "another key": jwt.encode(content, key, algorithm="EdDSA", headers=headers),
        "HMAC under the public key": jwt.encode(content, "x" * 32, algorithm="HS256", headers=headers),
        "unknown key id": jwt.encode(content, key, algorithm="EdDSA", headers={**headers, "kid": "../../dev/null"}),
        "other claims": f"{head}.{others.rstrip('=')}.{signature}",
        "cut": good[:-4],
        "empty": "",
        "words": "let me in",
        "unicode": "令牌.令牌.令牌",
        "long": "a" * 100_000,
        "an account": world.operator.account_id,
    }

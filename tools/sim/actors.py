"""Who acts: buyers, merchants, carriers, the provider and its payers, operators, the clock, and AWS's own deliveries.

Everybody acts at random and also wrongly: too late, twice, on records in any state. What an actor knows it reads from
the oracle's picture, never from the product's code; what it does goes through the product's handlers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chalicelib.auth import store as auth_store
from chalicelib.auth import tokens
from chalicelib.auth.domain import Account
from chalicelib.catalog import service as catalog
from chalicelib.catalog import store as catalog_store
from chalicelib.catalog.domain import Category, Cause, Draft, Kind, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel import ids
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Role
from chalicelib.merchants import service as merchants
from chalicelib.runtime import names
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import Intent, system_intent
from tools.sim import audit, books, holding, parked, strangers
from tools.sim.bank import BOUNCING
from tools.sim.complaining import Complaining
from tools.sim.http import Answer
from tools.sim.offline import Offline, limits
from tools.sim.oracle import OPEN, STUCK, Sale
from tools.sim.parcels import Numbers
from tools.sim.shortages import Balance
from tools.sim.world import World

TOKEN_S = 540
END_SERVED_S = 780
"""A seed's end begins with so long a service: more than anything may stay unknown."""
ALONE = ("time", "service", "unheard", "made after all", "balance", "refused deadline")
"""What is never done at the same moment as something else."""
RECENT = 10
"""How many purchases the actors care about most."""

Action = Callable[[], Any]


@dataclass
class Person:
    """Somebody with an account; tokens are renewed as they run out."""

    account_id: str
    roles: tuple[Role, ...]
    merchant_id: str | None = None
    address_id: str = ""
    quotes: list[str] = field(default_factory=list)
    _token: tuple[float, str] = (0.0, "")

    def token(self, now_s: float) -> str:
        """Return a token that is valid now."""
        if now_s - self._token[0] > TOKEN_S:
            caller = Caller(
                account_id=self.account_id,
                roles=frozenset(role.value for role in self.roles),
                merchant_id=self.merchant_id,
                session_id="ses_" + ids.body(self.account_id),
            )
            self._token = (now_s, tokens.access_token(caller))
        return self._token[1]


@dataclass(frozen=True)
class Unanswered:
    """A request whose answer never came: its client may send it again, exactly so."""

    who: Person
    method: str
    template: str
    path: dict[str, str]
    body: Any
    key: str | None


class Cast:
    """The people of one world and what they may do next."""

    def __init__(self, world: World, *, merchants_: int = 2, buyers: int = 5, small: bool = False) -> None:
        self.world = world
        self.rng = world.rng
        self.unanswered: list[Unanswered] = []
        self.faithful = False
        """Whether every client sends an unanswered request again."""
        self.focus: Sale | None = None
        self.sku_ids: list[str] = []
        self.owners: dict[str, Person] = {}
        """SKU -> somebody of its merchant."""
        self.parcels: list[str] = []
        """Tracking numbers."""
        self.complaining = Complaining(self)
        self.offline = Offline(self)
        self.balance = Balance(self)
        self.refusing = parked.Refusing(self)
        self.numbers = Numbers(self)
        self._serial = 0
        self._busy: set[Any] = set()
        self.buyers: list[Person] = []
        self.staff: list[Person] = []
        with world.calm():
            self._open(merchants_, buyers, small=small)
            world.drain()
        world.totals.steps = 0

    # --- the market opens ---------------------------------------------------------------------------------------------

    def _open(self, merchants_: int, buyers: int, *, small: bool) -> None:
        tree = catalog_store.tree(consistent=True)
        catalog.set_categories((Category("tea", {"zh": "茶叶", "en": "Tea"}),), version=tree.version)
        for number in range(merchants_):
            self._merchant(number, small=small)
        self.operator, self.second = (self._person(Role.BUYER, Role.OPERATOR) for _ in range(2))
        for number in range(buyers):
            self._buyer(number)

    def _person(self, *roles: Role, merchant_id: str | None = None) -> Person:
        account_id = ids.new_id("acc")
        account = Account(
            account_id=account_id, created_at=self.world.clock.moment, roles=roles, merchant_id=merchant_id
        )
        with UnitOfWork() as work:
            work.save(auth_store.account_row(account))
        return Person(account_id, roles, merchant_id)

    def _buyer(self, number: int) -> None:
        person = self._person(Role.BUYER)
        street = f"秘密街{number}{number}7号"
        phone = f"+861380013{number:04d}"
        answer = self.world.call(
            "POST",
            "/v1/me/addresses",
            None,
            {
                "recipient": f"收货人甲{number}乙",
                "phone": phone,
                "country": "CN",
                "province": "浙江省",
                "city": "杭州市",
                "district": "西湖区",
                "street": street,
            },
            token=person.token(self.world.now_s()),
            key=f"address-{number:04d}",
        )
        if answer is None or answer.status != 201:
            raise RuntimeError(f"no address: {answer}")
        person.address_id = answer.json["address_id"]
        self.world.unspeakable += [street, phone[1:], f"收货人甲{number}乙"]
        self.buyers.append(person)

    def _merchant(self, number: int, *, small: bool) -> None:
        made, _ = merchants.create(
            merchants.NewMerchant(
                name=f"Tea House {number}",
                contact=merchants.Contact(person="Wang"),
                freight=Money(self.rng.choice((0, 600, 801))),
                free_freight_from=Money(9900),
                commission_bps=self.rng.choice((0, 333, 777, 1250)),
            ),
            intent=system_intent(f"merchant#{number}"),
        )
        person = self._person(Role.BUYER, Role.MERCHANT_STAFF, merchant_id=made.merchant_id)
        self.staff.append(person)
        for product in range(1 if small else 2):
            self._product(person, made.merchant_id, f"{number}{product}", small=small)

    def _product(self, person: Person, merchant_id: str, number: str, *, small: bool) -> None:
        virtual = not small and self.rng.random() < 0.15
        price = 1999 if small else self.rng.choice((1, 333, 1999, 10001))
        draft = Draft(
            titles={"zh": f"茶{number}", "en": f"Tea {number}"},
            kind=Kind.VIRTUAL if virtual else Kind.PHYSICAL,
            category_id="tea",
            skus=(SkuDraft(options=(), price=Money(price), weight_g=0 if virtual else 100),),
        )
        product, _ = catalog.create(merchant_id, draft, intent=system_intent(f"product#{number}"))
        sku_id = product.skus[0].sku_id
        inventory.receive(sku_id, 5 if small else self.rng.randint(2, 9), intent=system_intent(f"stock#{number}"))
        if not small and self.rng.random() < 0.25:
            catalog.set_buckets(merchant_id, product.product_id, sku_id, self.rng.randint(2, 3))
        catalog.move(merchant_id, product.product_id, Cause.LIST, intent=system_intent(f"list#{number}"))
        self.sku_ids.append(sku_id)
        self.owners[sku_id] = person

    # --- asking -------------------------------------------------------------------------------------------------------

    def key(self) -> str:
        """Return a fresh Idempotency-Key."""
        self._serial += 1
        return f"key-{self._serial:08d}"

    def ask(
        self,
        who: Person,
        method: str,
        template: str,
        path: dict[str, str] | None = None,
        body: Any = None,
        *,
        key: str | None = None,
    ) -> Answer | None:
        """Send one request as somebody. One that is not answered may be sent again later."""
        key = key or (self.key() if method == "POST" else None)
        world = self.world
        with world.calm():
            token = who.token(world.now_s())
        answer = world.call(method, template, path, body, token=token, key=key)
        if answer is None or answer.status == 503:
            if self.faithful or self.rng.random() < 0.8:
                self.unanswered.append(Unanswered(who, method, template, path or {}, body, key))
            return answer
        if key is not None and answer.ok and answer.json is not None:
            self._remember(who, template, key, answer.json)
        return answer

    def _remember(self, who: Person, template: str, key: str, made: dict[str, Any]) -> None:
        """The same key must give the same record."""
        for name in ("complaint_id", "refund_id", "shipment_id", "payment_id", "order_id", "purchase_id"):
            if name in made:
                before = self.world.answers.setdefault((who.account_id, f"{template} {key}"), made[name])
                if before != made[name]:
                    self.world.oracle.broken("idempotency", f"{key} made {before} and {made[name]}", made[name])
                return

    def retry(self) -> None:
        """Send an unanswered request again, under its own key."""
        if not self.unanswered:
            return  # Another task was faster.
        again = self.unanswered.pop(self.rng.randrange(len(self.unanswered)))
        self.world.faults.count("client_retry")
        self.ask(again.who, again.method, again.template, again.path, again.body, key=again.key)

    def sale(self, wanted: Callable[[Sale], bool] | None = None) -> Sale | None:
        """Pick a purchase: the one in focus, a recent one, or any; one that fits unless somebody acts wrongly."""
        sales = self.world.oracle.sales
        if self.focus is not None and (wanted is None or wanted(self.focus) or self.rng.random() < 0.3):
            return self.focus
        if not sales:
            return None
        known = list(sales.values())
        pool = known[-RECENT:] if self.rng.random() < 0.9 else known
        if wanted is not None and self.rng.random() < 0.93:
            pool = [sale for sale in pool if wanted(sale)]
        return self.rng.choice(pool) if pool else None

    def buyer_of(self, sale: Sale) -> Person:
        """Return the purchase's buyer; now and then somebody else."""
        if self.rng.random() < 0.02:
            return self.rng.choice(self.buyers)
        return next(buyer for buyer in self.buyers if buyer.account_id == sale.buyer_id)

    # --- buyers -------------------------------------------------------------------------------------------------------

    def shop(self, buyer: Person | None = None, *, quantity: int = 0) -> str | None:
        """Fill the cart, ask for a quote, order; returns the purchase."""
        buyer = buyer or self.rng.choice(self.buyers)
        sku_ids = self.rng.sample(self.sku_ids, min(len(self.sku_ids), self.rng.choice((1, 1, 2, 3))))
        lines = [{"sku_id": sku_id, "quantity": quantity or self.rng.choice((1, 1, 1, 2, 3))} for sku_id in sku_ids]
        body: dict[str, Any] = {"address_id": buyer.address_id}
        match self.rng.choice(("line by line", "together", "with the quote")):
            case "line by line":
                for line in lines:
                    path = {"sku_id": str(line["sku_id"])}
                    self.ask(buyer, "PUT", "/v1/cart/lines/{sku_id}", path, {"quantity": line["quantity"]})
            case "together":
                self.ask(buyer, "PATCH", "/v1/cart", None, {"lines": lines})
            case _:
                body["lines"] = lines
        answer = self.ask(buyer, "POST", "/v1/quotes", None, body)
        if answer is None or not answer.ok:
            return None
        buyer.quotes = [*buyer.quotes, answer.json["quote"]][-3:]
        return self.place(buyer, answer.json["quote"])

    def place(self, buyer: Person, quote: str) -> str | None:
        """Order what was quoted; clicked twice, or the quote used again, now and then."""
        key = self.key()
        body: dict[str, Any] = {"quote": quote}
        made = Intent(scope=buyer.account_id, key=key, fingerprint="").record_id("pur")
        self.world.oracle.intents[made] = quote
        if self.rng.random() < 0.4:
            self.steer(f"{made.replace('pur_', 'pay_')}_01")
            body["payment"] = self._way_to_pay()
        oracle = self.world.oracle
        free = oracle.holding.free(buyer.account_id, oracle.sales.values(), self.world.clock.moment)
        answer = self.ask(buyer, "POST", "/v1/purchases", None, body, key=key)
        for purchase_id in free & set(answer.json.get("purchase_ids", ()) if answer is not None else ()):
            oracle.broken("what is held unpaid", "somebody is refused for a purchase that holds nothing", purchase_id)
        if not self.faithful and self.rng.random() < 0.1:
            self.world.faults.count("client_duplicate")
            self.ask(buyer, "POST", "/v1/purchases", None, body, key=key)
        return str(answer.json["purchase_id"]) if answer is not None and answer.status == 201 else None

    def place_old(self) -> None:
        """Order an old quote under a new key."""
        buyer = self.rng.choice(self.buyers)
        if buyer.quotes:
            self.place(buyer, self.rng.choice(buyer.quotes))

    def start_payment(self) -> None:
        """Start to pay, at a provider with a mood."""
        sale = self.sale(lambda one: one.status == "awaiting_payment" and one.attempts < 6)
        if sale is None:
            return
        number = ids.child_id("pay", sale.purchase_id, min(99, sale.attempts + 1))
        if number not in self.world.sandbox._steering:  # noqa: SLF001
            self.steer(number)
        key = self.key()
        path = {"purchase_id": sale.purchase_id}
        body = self._way_to_pay()
        buyer = self.buyer_of(sale)
        self.ask(buyer, "POST", "/v1/purchases/{purchase_id}/payments", path, body, key=key)
        if self.rng.random() < 0.1:
            self.world.faults.count("client_duplicate")
            self.ask(buyer, "POST", "/v1/purchases/{purchase_id}/payments", path, body, key=key)

    def _way_to_pay(self) -> dict[str, Any]:
        bank = self.world.bank
        return {
            "provider": bank.name,
            "method": self.rng.choice(bank.methods),
            "return_url": "https://shop.example/back",
        }

    def steer(self, number: str) -> None:
        """Decide how the provider treats an attempt."""
        rng, count = self.rng, self.world.faults.count
        mood: dict[str, Any] = {}
        if not self.world.faults.armed:
            return
        if rng.random() < 0.5:
            self.world.sandbox.steer(number)
            return
        for kind, chance, changes in self._moods():
            if rng.random() < chance and all(map(self.world.bank.knows, changes)):
                mood |= changes
                count(kind)
        for what, kind in (
            ("silent_after", "timeout_accepted"),
            ("silent_before", "timeout"),
            ("unsigned", "unsigned"),
            ("no_signature", "no_signature"),
            ("probe", "probe"),
            ("broken", "system_error"),
        ):
            if rng.random() < 0.25 and self.world.bank.knows(what):
                operations = ("create", "query", "close", "refund", "query_refund")
                mood[what] = tuple(rng.choice(operations) for _ in range(rng.randint(1, 3)))
                count(f"provider_{kind}")
        if rng.random() < 0.08:
            mood["down"] = (rng.choice(("query", "close", "close", "refund")),)
            count("provider_down")
        if "refund" in mood.get("refuse", ()) or mood.get("refund") == "failed":
            self.world.excused[number] = "failed"
        self.world.sandbox.steer(number, **mood)

    def _moods(self) -> list[tuple[str, float, dict[str, Any]]]:
        rng, outcomes = self.rng, self.world.sandbox.outcomes
        ends = [outcome for outcome in ("pending", "pending", "failed", "abnormal", "closed") if outcome in outcomes]
        return [
            ("notices_lost", 0.12, {"notify": False}),
            ("notices_late", 0.2, {"delay_s": rng.choice((20, 90, 400, 1700, 1900, 7200))}),
            ("notices_repeated", 0.25, {"duplicates": rng.randint(2, 10)}),
            ("notices_reordered", 0.15, {"reorder": True}),
            ("notices_tampered", 0.06, {"tamper": True}),
            ("notices_stale", 0.04, {"stale": True}),
            ("notices_of_others", 0.04, {"other_merchant": True}),
            ("notices_of_other_apps", 0.04, {"other_app": True}),
            ("notices_of_unknown_keys", 0.04, {"unknown_key": True}),
            ("notice_wrong_amount", 0.08, {"notice_amount": rng.choice((1, 999999))}),
            ("notice_wrong_currency", 0.03, {"notice_currency": "USD"}),
            ("paid_during_close", 0.15, {"pay_during_close": True}),
            ("provider_refuses", 0.04, {"refuse": (rng.choice(("create", "refund")),)}),
            ("refund_not_done", 0.4, {"refund": rng.choice(ends)}),
        ]

    def _pending(self, sale: Sale) -> list[str]:
        bank, shown = self.world.bank, self.world.oracle.shown
        return [number for number in sale.payments if number in shown and bank.payable(number)]

    def pay(self) -> None:
        """Pay at the provider's cashier; not always what was asked."""
        sale = self.sale(lambda one: bool(self._pending(one)))
        pending = self._pending(sale) if sale is not None else []
        if sale is None or not pending:
            return
        number = self.rng.choice(pending)
        self.world.totals.steps += 1
        self.world.say(f"the buyer pays {number}")
        if sale.payments[number].status not in OPEN:  # Alipay: who holds the link of what never was at the provider.
            self._surely_noticed(number)
            self.world.oracle.paid_when_closed.add(number)
        draw, bank, count = self.rng.random(), self.world.bank, self.world.faults.count
        if draw < 0.03 and self.world.faults.armed:
            there = bank.order(number)
            if bank.pay(number, amount=self.rng.choice((1, (there.amount if there is not None else 1) + 1))):
                count("wrong_amount_paid")
        elif draw < 0.05 and self.world.faults.armed and bank.name in ("sandbox", "stripe"):
            if bank.pay(number, currency="USD"):
                count("wrong_currency_paid")
        elif not bank.pay(number):
            count("paid_too_late")

    def _surely_noticed(self, number: str) -> None:
        """Make sure that a fact which nothing but its notice and the bill would tell of has a good notice."""
        good: dict[str, Any] = {"notify": True, "tamper": False, "other_merchant": False, "notice_amount": None}
        good |= {"stale": False, "other_app": False, "unknown_key": False, "notice_currency": None, "probe": ()}
        bank = self.world.bank
        bank.stand_in.steer(number, **{word: value for word, value in good.items() if bank.knows(word)})

    def pay_closed(self) -> None:
        """Pay what is closed: it cannot happen, and does. Its notice comes; nothing else would ever tell."""
        bank, shown = self.world.bank, self.world.oracle.shown

        def closed_of(sale: Sale) -> list[str]:
            found = [(number, bank.order(number)) for number in sale.payments if number in shown]
            return [number for number, there in found if there is not None and there.state == "closed"]

        sale = self.sale(lambda one: bool(closed_of(one)))
        closed = closed_of(sale) if sale is not None else []
        if closed:
            number = self.rng.choice(closed)
            self.world.faults.count("paid_when_closed")
            self.world.totals.steps += 1
            self._surely_noticed(number)
            if self.world.faults.armed and self.rng.random() < 0.15:  # Genuine, and it names our number: we must ask.
                self.world.faults.count("notices_of_others")
                self.world.sandbox.steer(number, other_merchant=True)
            self.world.oracle.paid_when_closed.add(number)
            self.world.say(f"the buyer pays {number}, which is closed")
            self.world.sandbox.pay_closed(number)

    def pay_unheard(self) -> None:
        """Pay an attempt of which no notice will ever come: only asking finds it."""
        sale = self.sale(lambda one: bool(self._pending(one)))
        pending = [number for number in self._pending(sale) if sale.payments[number].status in OPEN] if sale else []
        if not pending:
            return
        number = self.rng.choice(pending)
        self.world.faults.count("paid_unheard")
        self.world.totals.steps += 1
        self.world.sandbox.steer(number, notify=False)
        self.world.say(f"the buyer pays {number}, and nobody tells")
        self.world.bank.pay(number)

    def pay_unheard_in_service(self) -> None:
        """Wait at an open cashier while everything works, then pay: nobody tells, at whatever age of the attempt."""
        minutes = [self.rng.choice((1, 2, 4, 8, 15))]
        until_s = self.world.now_s() + 60 * minutes[0] + 200

        def waits(sale: Sale) -> bool:
            return sale.status == "awaiting_payment" and sale.due_at_s > until_s and bool(self._pending(sale))

        found = [sale for sale in list(self.world.oracle.sales.values())[-RECENT:] if waits(sale)]
        if not found:
            return
        chosen = self.rng.choice(found)

        def each_minute() -> None:
            minutes[0] -= 1
            if minutes[0] == 0:
                self.focus, before = chosen, self.focus
                self.pay_unheard()
                self.focus = before

        self.world.serve(60 * minutes[0] + 190, each_minute=each_minute)

    def pay_as_stranger(self) -> None:
        """Pay the provider under a number that is none of ours; we are told, perhaps more than once."""
        self._serial += 1
        self.world.faults.count("strangers_money")
        self.world.totals.steps += 1
        number = f"{strangers.PREFIX}{self._serial:06d}"
        self.world.sandbox.steer(number, duplicates=self.rng.choice((1, 1, 3)))
        strangers.pay(self.world.sandbox, self._serial, self.rng.choice((1, 1999, 50000)))
        self.world.say(f"a stranger pays {number}")

    def cancel_purchase(self) -> None:
        """Call a purchase off."""
        sale = self.sale(lambda one: one.status == "awaiting_payment")
        if sale is not None:
            path = {"purchase_id": sale.purchase_id}
            self.ask(self.buyer_of(sale), "POST", "/v1/purchases/{purchase_id}/cancel", path, {"reason": "changed"})

    def _order(self, *statuses: str) -> tuple[Sale, str] | None:
        sale = self.sale(lambda one: any(order.status in statuses for order in one.orders.values()))
        if sale is None or not sale.orders:
            return None
        fitting = [order_id for order_id, order in sale.orders.items() if order.status in statuses]
        return sale, self.rng.choice(fitting or list(sale.orders))

    def cancel_order(self) -> None:
        """Cancel a paid order, as its buyer or its merchant, or one that turned back."""
        found = self._order("paid", "turned_back")
        if found is None:
            return
        sale, order_id = found
        if self.rng.random() < 0.5:
            self.ask(
                self.buyer_of(sale), "POST", "/v1/orders/{order_id}/cancel", {"order_id": order_id}, {"reason": "x"}
            )
        else:
            staff = self._staff_of(sale, order_id)
            path = {"order_id": order_id}
            self.ask(staff, "POST", "/v1/merchant/orders/{order_id}/cancel", path, {"reason": "none left"})

    def confirm(self) -> None:
        """Confirm receipt."""
        found = self._order("shipped", "delivered")
        if found is not None:
            path = {"order_id": found[1]}
            self.ask(self.buyer_of(found[0]), "POST", "/v1/orders/{order_id}/confirm", path, {})

    def look(self) -> None:
        """Read something; what is not theirs must not be there."""
        sale = self.sale()
        if sale is None:
            return
        buyer = self.rng.choice(self.buyers)
        template = self.rng.choice(("/v1/purchases/{purchase_id}", "/v1/purchases/{purchase_id}/payments"))
        answer = self.ask(buyer, "GET", template, {"purchase_id": sale.purchase_id})
        if answer is not None and answer.ok and buyer.account_id != sale.buyer_id:
            self.world.oracle.broken("tenants", f"{buyer.account_id} saw it", sale.purchase_id)

    # --- merchants ----------------------------------------------------------------------------------------------------

    def _staff_of(self, sale: Sale, order_id: str) -> Person:
        if self.rng.random() < 0.02:
            return self.rng.choice(self.staff)
        merchant_id = sale.orders[order_id].merchant_id
        return next(person for person in self.staff if person.merchant_id == merchant_id)

    def ship(self) -> None:
        """Ship a part, everything, or too much."""
        found = self._order("paid", "partly_shipped", "turned_back")
        if found is None:
            return
        sale, order_id = found
        lines = self._lines(order_id)
        chosen = self.rng.sample(lines, self.rng.randint(1, len(lines)))
        body: dict[str, Any] = {
            "lines": [
                {
                    "line_id": line_id,
                    "quantity": quantity if self.rng.random() < 0.6 else self.rng.randint(1, quantity + 1),
                }
                for line_id, quantity, _ in chosen
            ]
        }
        if chosen[0][2] == "physical" or self.rng.random() < 0.05:
            body |= self.numbers.given()
        elif self.rng.random() < 0.5:
            self._serial += 1
            body["code"] = f"CODE-{self.rng.randrange(10**6):06d}-{self._serial}"
            self.world.unspeakable.append(body["code"])
        staff = self._staff_of(sale, order_id)
        template, path = "/v1/merchant/orders/{order_id}/shipments", {"order_id": order_id}
        answer = self.ask(staff, "POST", template, path, body)
        if answer is not None and answer.status == 201 and "tracking_number" in body:
            self.parcels.append(body["tracking_number"])

    def _lines(self, order_id: str) -> list[tuple[str, int, str]]:
        """Return line, quantity and kind, as the merchant's screen shows them."""
        quantities = self.world.oracle.lines_of(order_id)
        return [(str(number), quantity, kind) for number, (quantity, kind) in enumerate(quantities, start=1)]

    def restock(self) -> None:
        """Receive, write off, or spread stock."""
        sku_id = self.rng.choice(self.sku_ids)
        staff = self.owners[sku_id]
        product_id = catalog.product_of(sku_id)
        draw, intent = self.rng.random(), system_intent(f"stock#{self.key()}")
        quantity = self.rng.randint(1, 4)

        def work() -> None:
            if draw < 0.5:
                catalog.receive(staff.merchant_id or "", product_id, {sku_id: quantity}, intent=intent, reason="more")
            elif draw < 0.75:
                catalog.write_off(staff.merchant_id or "", product_id, {sku_id: quantity}, intent=intent, reason="lost")
            else:
                catalog.set_buckets(staff.merchant_id or "", product_id, sku_id, quantity)

        self._serve("stock", work)

    def reprice(self) -> None:
        """Change a price."""
        sku_id = self.rng.choice(self.sku_ids)
        staff, price = self.owners[sku_id], Money(self.rng.choice((1, 334, 1999, 2001, 10001)))
        product_id = catalog.product_of(sku_id)

        def work() -> None:
            product = catalog.own(staff.merchant_id or "", product_id)
            draft = Draft(
                skus=tuple(
                    SkuDraft(options=sku.options, price=price, weight_g=sku.weight_g, sku_id=sku.sku_id)
                    for sku in product.skus
                )
            )
            catalog.change(staff.merchant_id or "", product_id, draft, revision=product.revision)

        self._serve("reprice", work)

    def _serve(self, name: str, work: Action) -> None:
        """Run a use case directly, where HTTP would only cost time. Refusals are answers; faults of AWS are retried."""

        def refused() -> None:
            try:
                work()
            except ShopError as error:
                self.world.say(f"      refused: {error.code}")
            except Exception as error:
                if not self.world.faults.armed:
                    raise
                self.world.say(f"      {type(error).__name__}")

        self.world.invoke(name, refused)

    # --- carriers, the provider, operators ----------------------------------------------------------------------------

    def carry(self) -> None:
        """Let a parcel move, or its hub misbehave."""
        known = [number for number in self.parcels[-8:] if number in self.world.hub.journeys]
        if not known:
            return
        number = self.rng.choice(known)
        hub, draw = self.world.hub, self.rng.random()
        self.world.totals.steps += 1
        if draw < 0.75:
            stage = self.rng.choice(("collected", "in_transit", "out_for_delivery", "signed", "signed", "problem"))
            if self.rng.random() < 0.12:
                stage = self.rng.choice(("refused", "returning", "returned"))
                self.world.faults.count("parcel_turned_back")
            hub.advance(number, stage, push=draw < 0.7)
        elif hub.journeys[number].pushes:
            if draw < 0.85:
                self.world.faults.count("push_repeated")
                hub.replay(number, self.rng.randrange(len(hub.journeys[number].pushes)))
            elif draw < 0.92:
                self.world.faults.count("push_tampered")
                hub.tamper(number)
            else:
                self.world.faults.count("hub_gives_up")
                hub.abort(number)

    def settle_refund(self) -> None:
        """Let a pending refund come to its end at the provider."""
        pending = [number for number, refund in self.world.bank.refunds() if refund.state == "pending"]
        if pending:
            number = self.rng.choice(pending)
            self.world.totals.steps += 1
            ends = [end for end in ("abnormal", "closed") if end in self.world.sandbox.outcomes]
            state = self.rng.choice(("succeeded", "succeeded", "succeeded", *ends))
            self.world.say(f"the provider's refund {number} becomes {state}")
            self.world.sandbox.settle(number, state)

    def console_refund(self) -> None:
        """Refund in the provider's console, behind our back."""
        bank = self.world.bank
        sale = self.sale(lambda one: one.status == "paid")
        for number in sale.payments if sale is not None else ():
            there = bank.order(number)
            if there is None or there.state != "paid" or bank.held_back(number):
                continue
            amount = self.rng.choice((1, max(1, there.paid_amount // 10), max(1, there.paid_amount // 2)))
            if there.refunded + amount <= there.paid_amount:
                self.world.faults.count("console_refund")
                self.world.totals.steps += 1
                self.world.oracle.console_refunds.add(number)
                self.world.say(f"somebody refunds {amount} of {number} in the console")
                self.world.sandbox.console_refund(number, amount)
                return

    def adopt(self) -> None:
        """Take a refund of the console into the books; twice, on any order, while nobody answers."""

        def of(sale: Sale) -> list[str]:
            return [
                note_id
                for note_id, note in sale.notes.items()
                if note.why == "unknown_refund" and (not note.resolved or self.rng.random() < 0.05)
            ]

        sale = self.sale(lambda one: bool(one.notes) and bool(of(one)))
        found = of(sale) if sale is not None else []
        if sale is None or not found or not sale.orders:
            return
        note_id = self.rng.choice(found)
        if self.world.faults.armed and self.rng.random() < 0.2:
            self.world.faults.count("provider_timeout")
            number = sale.notes[note_id].payment_id
            self.world.sandbox.steer(number, silent_before=("query_refund",) * self.rng.randint(1, 2))
        template = "/v1/operator/purchases/{purchase_id}/quarantined/{quarantine_id}/resolve"
        path = {"purchase_id": sale.purchase_id, "quarantine_id": note_id}
        body = {"how": "adopt", "order_id": self.rng.choice(list(sale.orders)), "note": "done by phone"}
        key = self.key()
        answer = self.ask(self.operator, "POST", template, path, body, key=key)
        if answer is not None and answer.ok:
            self.world.faults.count("console_refund_adopted")
        if self.rng.random() < 0.15:
            self.world.faults.count("client_duplicate")
            self.ask(self.operator, "POST", template, path, body, key=self.rng.choice((key, self.key())))

    def bounce_refund(self) -> None:
        """Let a refund that had gone through come back: its notice comes, or nothing but the bill tells of it."""
        bank, oracle = self.world.bank, self.world.oracle
        done = [(number, refund.out_trade_no) for number, refund in bank.refunds() if refund.state == "succeeded"]
        if bank.name not in BOUNCING or not done:
            return
        console = [one for one in done if one[0].startswith("console")]
        number, payment_id = self.rng.choice(console if console and self.rng.random() < 0.25 else done[-RECENT:])
        self.world.totals.steps += 1
        self.world.faults.count("refund_bounced")
        if number.startswith("console") and bank.name == "stripe":
            pass  # It bears no number of ours: nothing spoils its notices.
        elif self.world.faults.armed and self.rng.random() < 0.3:
            oracle.untold.add(number)
            if self.rng.random() < 0.6:
                self.world.sandbox.steer(payment_id, notify=False)
        else:
            self._surely_noticed(payment_id)
            if self.world.faults.armed:
                late, often = self.rng.choice((0, 0, 20, 400)), self.rng.choice((1, 1, 3))
                self.world.sandbox.steer(payment_id, delay_s=late, duplicates=often, reorder=self.rng.random() < 0.3)
        self.world.say(f"the provider's refund {number} of {payment_id} comes back")
        bank.bounce(number)

    def say_old(self) -> None:
        """Let the provider say once more that a refund had failed, which has gone through since."""
        bank = self.world.bank
        done = [number for number, refund in bank.refunds() if refund.state == "succeeded"]
        if bank.name in BOUNCING and self.world.faults.armed and done:
            number = self.rng.choice(done[-RECENT:])
            if not number.startswith("console"):
                self.world.totals.steps += 1
                self.world.faults.count("notice_outdated")
                self.world.say(f"the provider says that {number} failed, which is long past")
                bank.say_old(number)

    def contest(self) -> None:
        """Let a payer's bank contest a payment, ask about it, decide, and decide again."""
        bank, sandbox = self.world.bank, self.world.sandbox
        sale = self.sale(lambda one: any(payment.captured for payment in one.payments.values()))
        able = [number for number in (sale.payments if sale else ()) if bank.contested(number) is not None]
        if not able:
            return
        number, before = self.rng.choice(able), len(sandbox.outbox)
        self.world.totals.steps += 1
        self.world.oracle.contested.add(number)
        self.world.watches.moved_again(number)
        does = bank.contest(number, self.rng)
        self.world.faults.count(f"dispute_{does}")
        self.world.say(f"the payer's bank on {number}: {does}")
        self._told_somehow(before)
        if self.world.faults.armed and self.rng.random() < 0.15:
            self.world.faults.count("provider_timeout")
            sandbox.steer("query_dispute", silent_before=("query_dispute",) * self.rng.randint(1, 3))

    def _told_somehow(self, before: int) -> None:
        """Lose, repeat and delay what the provider has begun to tell since; the last of it comes."""
        outbox, rng = self.world.sandbox.outbox, self.rng
        told = outbox[before:]
        if not self.world.faults.armed:
            return
        del outbox[before:]
        for out in told:
            if out is not told[-1] and rng.random() < 0.3:
                self.world.faults.count("notice_lost")
                continue
            late = rng.choice((0.0, 0.0, 20.0, 400.0))
            outbox += [replace(out, due=out.due + late) for _ in range(rng.choice((1, 1, 1, 3)))]

    def operate(self) -> None:
        """Refund a part, ask about a payment, try a stuck refund again."""
        draw = self.rng.random()
        if draw < 0.45:
            self._refund()
        elif draw < 0.6:
            sale = self.sale(lambda one: bool(one.payments))
            if sale is not None and sale.payments:
                path = {"payment_id": self.rng.choice(list(sale.payments))}
                self.ask(self.operator, "POST", "/v1/operator/payments/{payment_id}/query", path)
        elif draw < 0.63:
            sale = self.sale(lambda one: bool(one.refunds))
            if sale is not None and sale.refunds:
                path = {"refund_id": self.rng.choice(list(sale.refunds))}
                self.ask(self.operator, "POST", "/v1/operator/refunds/{refund_id}/query", path)
        else:
            self.retry_refund()

    def _refund(self) -> None:
        sale = self.sale(lambda one: one.status == "paid")
        if sale is None or not sale.orders:
            return
        order_id = self.rng.choice(list(sale.orders))
        order = sale.orders[order_id]
        taken = sum(
            one.amount for one in sale.refunds.values() if one.order_id == order_id and one.status != "replaced"
        )
        left = max(1, order.total - taken)
        amount = self.rng.choice((1, max(1, order.total // 3), max(1, left // 2), left, left, order.total + 1))
        money = {"minor": amount, "currency": sale.currency}
        body: dict[str, Any] = {"order_id": order_id, "amount": money, "reason": "goodwill"}
        if self.rng.random() < 0.4:
            body = self.complaining.refund_lines(order_id)
        if self.rng.random() < 0.3:
            body = {**body, "offline": True}
        path, key = {"purchase_id": sale.purchase_id}, self.key()
        template = "/v1/operator/purchases/{purchase_id}/refunds"
        self.ask(self.operator, "POST", template, path, body, key=key)
        if self.rng.random() < 0.15:
            self.world.faults.count("client_duplicate")
            self.ask(self.operator, "POST", template, path, body, key=key)

    def retry_refund(self) -> None:
        """Try a stuck refund again, after what kept it was mended (mostly)."""
        sale = self.sale(lambda one: any(refund.status in STUCK for refund in one.refunds.values()))
        stuck = [number for number, refund in (sale.refunds if sale else {}).items() if refund.status in STUCK]
        if sale is not None and stuck:
            number = self.rng.choice(stuck)
            if self.rng.random() < 0.7:
                self.world.sandbox.steer(sale.refunds[number].payment_id, refund="succeeded", refuse=())
            path = {"refund_id": number}
            self.ask(self.operator, "POST", "/v1/operator/refunds/{refund_id}/retry", path)

    # --- AWS and the clock --------------------------------------------------------------------------------------------

    def move(self) -> Action | None:
        """Return one delivery that is possible now: of a stream, a queue or a notice; not always in order."""
        world, rng = self.world, self.rng
        choices: list[Action] = [
            lambda shard=shard: self._relay(shard)  # type: ignore[misc]
            for shard in world.waiting_shards()
            if shard not in self._busy
        ]
        for queue in world.waiting_queues():
            choices += [lambda queue=queue: self._deliver(queue)] * 2  # type: ignore[misc]
        notices = world.waiting_notices()
        if notices:
            out = rng.choice(notices)
            choices += [lambda: world.notify(out)] * 2
        return rng.choice(choices) if choices else None

    def _relay(self, shard: tuple[str, int]) -> None:
        if shard in self._busy or not self.world.shards[shard]:
            return
        self._busy.add(shard)
        again = self.world.faults.armed and self.rng.random() < 0.04
        if again:
            self.world.faults.count("stream_redelivered")
        try:
            self.world.relay(shard, count=self.rng.choice((1, 2, 5, 100)), again=again)
        finally:
            self._busy.discard(shard)

    def _deliver(self, queue: str) -> None:
        world, rng = self.world, self.rng
        visible = world.queues.visible(names.queue_name(queue))
        if not visible:
            return
        chosen = rng.sample(visible, min(len(visible), rng.choice((1, 1, 2, 10))))
        if len(chosen) > 1 and chosen != visible[: len(chosen)]:
            world.faults.count("queue_reordered")
        world.deliver(queue, chosen)
        if world.faults.armed and rng.random() < 0.05:
            world.faults.count("queue_duplicate")
            message = rng.choice(chosen)
            world.queues._put(names.queue_name(queue), message.body, 0, {})  # noqa: SLF001

    def redeliver_old(self) -> None:
        """Deliver a message once more that was handled long ago."""
        if self.world.old_messages and self.world.faults.armed:
            queue, body = self.rng.choice(self.world.old_messages[-60:])
            self.world.faults.count("queue_redelivered_late")
            self.world.queues._put(names.queue_name(queue), body, 0, {})  # noqa: SLF001

    def pass_time(self) -> None:
        """Let seconds, minutes or days pass, or jump to just before something is due."""
        draw, rng = self.rng.random(), self.rng
        if draw < 0.5:
            by = rng.uniform(1, 30)
        elif draw < 0.75:
            by = rng.uniform(30, 180)
        elif draw < 0.88:
            by = rng.uniform(300, 2400)
        elif draw < 0.96:
            moment = self.world.next_moment()
            by = max(1.0, (moment or 0) - self.world.now_s() - rng.choice((0, 1, 20, 50)))
        else:
            by = rng.uniform(86400, 12 * 86400)
        self.world.advance(timedelta(seconds=round(by, 3)))

    def be_served(self) -> None:
        """Let some minutes pass as they do in AWS, often from just before something is due; people go on meanwhile."""
        rng, world = self.rng, self.world
        if rng.random() < 0.6:
            due = [sale.due_at_s for sale in world.oracle.sales.values() if sale.due_at_s > world.now_s() + 160]
            if due:
                world.advance(timedelta(seconds=min(due) - world.now_s() - rng.randint(50, 150)))
        world.serve(rng.choice((90, 200, 400, 720)), each_minute=self._meanwhile)

    def _meanwhile(self) -> None:
        """What people do while everything works."""
        actions = (
            *(self.pay, self.pay, self.pay_unheard, self.pay_unheard, self.pay_closed),
            *(self.shop, self.start_payment, self.settle_refund, self.operate),
        )
        if self.rng.random() < 0.6:
            self.rng.choice(actions)()

    def storm(self) -> None:
        """Throttle a whole table for a while, or end that."""
        faults = self.world.faults
        if faults.storm is not None or not faults.armed:
            faults.storm = None
        else:
            faults.count("storm")
            faults.storm = self.rng.choice(("stock", "orders", "payments"))

    def lose_memory(self) -> None:
        """End an idle process: a new one knows nothing."""
        from chalicelib.runtime import caches

        self.world.faults.count("cold_start")
        caches.forget_all()

    # --- one step -----------------------------------------------------------------------------------------------------

    def pick(self) -> tuple[str, Action]:
        """Pick what happens next."""
        if self.rng.random() < 0.5:
            found = self.move()
            if found is not None:
                return "aws", found
        if self.unanswered and self.rng.random() < 0.15:
            return "retry", self.retry
        name, _, action = self.rng.choices(self._plan(), weights=self._weights)[0]
        return name, action

    def _plan(self) -> list[tuple[str, float, Action]]:
        if not hasattr(self, "_actions"):
            self._actions: list[tuple[str, float, Action]] = [
                ("shop", 10, self.shop),
                ("place old", 1, self.place_old),
                ("start payment", 14, self.start_payment),
                ("pay", 14, self.pay),
                ("pay closed", 1, self.pay_closed),
                ("stranger", 0.5 if self.world.bank.name == "sandbox" else 0, self.pay_as_stranger),
                ("cancel purchase", 2, self.cancel_purchase),
                ("cancel order", 3, self.cancel_order),
                ("confirm", 2, self.confirm),
                ("look", 1, self.look),
                ("ship", 8, self.ship),
                ("restock", 3, self.restock),
                ("reprice", 1, self.reprice),
                ("carry", 5, self.carry),
                ("settle refund", 3, self.settle_refund),
                ("console refund", 0.4, self.console_refund),
                ("adopt", 0.6, self.adopt),
                ("bounce", 0.8 if self.world.bank.name in BOUNCING else 0, self.bounce_refund),
                ("old word", 0.4 if self.world.bank.name in BOUNCING else 0, self.say_old),
                ("contest", 2 if self.world.bank.name == "stripe" else 0, self.contest),
                ("operate", 7, self.operate),
                ("complain", 8, self.complaining.act),
                ("by hand", 3, self.offline.act),
                ("made after all", 3, self.offline.go_through_late),
                ("balance", 2, self.balance.act),
                ("refused deadline", 0.8, self.refusing.act),
                ("numbers", 3, self.numbers.act),
                ("time", 14, self.pass_time),
                ("service", 0.8, self.be_served),
                ("unheard", 0.8, self.pay_unheard_in_service),
                ("sweep", 8, self.world.sweep),
                ("old message", 1.5, self.redeliver_old),
                ("storm", 0.6, self.storm),
                ("cold start", 0.5, self.lose_memory),
            ]
            self._weights = [weight for _, weight, _ in self._actions]
        return self._actions

    def step(self) -> None:
        """Do one thing, or several at once about one purchase."""
        if self.world.faults.storm is not None and self.rng.random() < 0.05:
            self.world.faults.storm = None
        if self.rng.random() >= 0.15:
            self.pick()[1]()
            return
        sales = list(self.world.oracle.sales.values())[-RECENT:]
        self.focus = self.rng.choice(sales) if sales else None
        works = [self.pick() for _ in range(self.rng.choice((2, 2, 3)))]
        self.world.together([(name, action) for name, action in works if name not in ALONE])
        self.focus = None

    def wind_up(self) -> None:
        """Before the end: what was broken on purpose is mended, and parcels on their way arrive."""
        self.world.faults.armed = False
        self.world.faults.storm = None
        self.world.oracle.parked.refused.clear()
        sandbox = self.world.sandbox
        spoilt = ("silent_after", "silent_before", "unsigned", "no_signature", "probe", "broken")
        mended: dict[str, Any] = {word: () for word in spoilt if self.world.bank.knows(word)}
        for number in list(sandbox._steering):  # noqa: SLF001
            sandbox.steer(number, down=(), refund="succeeded", **mended)
        for number, journey in self.world.hub.journeys.items():
            if journey.status == "polling" and journey.state != "3":
                self.world.hub.advance(number, "signed")

    def read_the_bill(self) -> None:
        """In the quiet end: an operator asks about refunds that came back, and nobody told us."""
        oracle = self.world.oracle
        for sale in oracle.sales.values():
            for number, refund in sale.refunds.items():
                if refund.status == "succeeded" and (refund.there or number) in oracle.untold:
                    self.ask(self.operator, "POST", "/v1/operator/refunds/{refund_id}/query", {"refund_id": number})

    def tidy(self) -> None:
        """In the quiet end: the provider finishes what is pending."""
        for number, refund in list(self.world.bank.refunds()):
            if refund.state == "pending":
                self.world.sandbox.settle(number, "succeeded")
        self.complaining.close()
        self.offline.close()
        self.refusing.close()


def run(world: World, steps: int) -> Cast:
    """Play a whole seed: the market, so many steps, and the end."""
    with limits(world), holding.limits(world), parked.refusals(world):
        return _run(world, steps)


def _run(world: World, steps: int) -> Cast:
    cast, kept = Cast(world), books.Books(world)
    world.faults.armed = world.faults.rate > 0
    while world.totals.steps < steps and not world.oracle.violations:
        cast.step()
        kept.step()
    if not world.oracle.violations:
        cast.wind_up()
        world.settle(before=cast.tidy, serve_s=END_SERVED_S)
        if world.oracle.untold and not world.oracle.violations:
            cast.read_the_bill()
            world.settle(before=cast.tidy)
    if not world.oracle.violations:
        world.oracle.finish(world.dead_letters(), excused=world.excused)
    if not world.oracle.violations:
        world.findings = audit.reconcile(world, leave_out=world.rng.random() < 0.5)
    if not world.oracle.violations:
        kept.finish()
    return cast


def rates(seed: int) -> tuple[float, float]:
    """Return how much goes wrong in a seed: some are calm, most are rough, a few are stormy."""
    return random.Random(f"{seed}:rates").choice(((0.0, 0.0), (0.01, 0.004), (0.02, 0.008), (0.05, 0.02)))  # noqa: S311


__all__ = ["OPEN", "Cast", "Person", "Unanswered", "rates", "run"]

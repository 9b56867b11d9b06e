"""The promises as checks: fed every stream record the moment it is written, asked after every call and at the end.

It reads raw items and the provider's own state only; of the product's rules it knows the state tables and nothing
else, so that a wrong rule cannot excuse itself.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from chalicelib import topology
from chalicelib.complaints.states import COMPLAINT
from chalicelib.kernel.events import decode_list
from chalicelib.kernel.machine import StateMachine
from chalicelib.logistics.domain import PARCEL
from chalicelib.logistics.watch import WATCH
from chalicelib.orders.domain import ORDER, PURCHASE
from chalicelib.payments.domain.dispute import DISPUTE
from chalicelib.payments.domain.payment import PAYMENT
from chalicelib.payments.domain.refund import REFUND
from chalicelib.payments.domain.stray import STRAY
from chalicelib.returns.domain import RETURN
from chalicelib.runtime import names
from tools.sim import deadlines, mediating, offline, strangers, to_card
from tools.sim.bank import Bank
from tools.sim.expressions import Item
from tools.sim.holding import Holding
from tools.sim.late import Late
from tools.sim.parcels import Parcels
from tools.sim.parked import Parked
from tools.sim.returned import Returned
from tools.sim.shortages import Shortages
from tools.sim.storage import Params, Table
from tools.sim.units import RefundAsked, Units

RESERVING = {"placed": "held", "cancelled": "released"}
"""Order status -> where its units must be; every other status: committed."""
WINNING = ("captured", "refunded")
HOLDING = (*WINNING, "surplus", "returned")
OPEN = ("started", "pending")
STUCK = ("abnormal", "failed", "closed")
COMPLAINED_OUT = ("resolved", "dismissed", "withdrawn")
"""States of a complaint that is nobody's turn."""
MACHINES: dict[str, StateMachine[Any, Any]] = {"pay": PAYMENT, "ref": REFUND, "dsp": DISPUTE}
"""Of the records that lie beside a purchase's payments."""
_decode = msgspec.json.decode


@dataclass(frozen=True)
class Violation:
    """One broken promise, and the record it is about."""

    promise: str
    what: str
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}" + (f" [{self.subject}]" if self.subject else "")


@dataclass(frozen=True)
class OrderSeen:
    """What the oracle keeps of an order."""

    status: str
    stock: str
    total: int
    merchant_id: str
    buyer_id: str
    refunded: int
    refunds: tuple[str, ...]
    parcels: tuple[tuple[str, bool], ...]
    commission_bps: int

    def standing(self) -> list[str]:
        """Return its refunds without those that came back."""
        return [number for number in self.refunds if number[0] != "-" and f"-{number}" not in self.refunds]


@dataclass(frozen=True)
class PaymentSeen:
    """What the oracle keeps of an attempt."""

    status: str
    amount: int
    currency: str
    captured: int
    captured_currency: str
    reserved: int
    refunded: int
    disputed: int = 0


@dataclass(frozen=True)
class RefundSeen:
    """What the oracle keeps of a refund."""

    status: str
    amount: int
    payment_id: str
    order_id: str
    alone: bool = False
    """Whether one person paid it by hand, without a second."""
    there: str = ""
    """What the provider's books call it, where somebody made it in its console and it was taken into ours."""
    to_cards: tuple[to_card.Sent, ...] = ()
    """Each time that it was sent to another card."""
    origin: str = ""
    """Its first number, where it was renewed."""


@dataclass(frozen=True)
class ComplaintSeen:
    """What the oracle keeps of a complaint."""

    status: str
    order_id: str
    line_id: str
    buyer_id: str
    merchant_id: str
    borne: frozenset[str] = frozenset()
    """First numbers of its refunds that are at the platform's cost."""


@dataclass(frozen=True)
class NoteSeen:
    """What the oracle keeps of a notice that did not fit."""

    payment_id: str
    why: str
    resolved: bool


@dataclass
class Sale:
    """A purchase with everything about it."""

    purchase_id: str
    buyer_id: str = ""
    status: str = ""
    total: int = 0
    currency: str = ""
    settled_by: str = ""
    attempts: int = 0
    placed_at: datetime | None = None
    due_at_s: int = 0
    """When it expires unless it is paid."""
    orders: dict[str, OrderSeen] = field(default_factory=dict)
    payments: dict[str, PaymentSeen] = field(default_factory=dict)
    refunds: dict[str, RefundSeen] = field(default_factory=dict)
    notes: dict[str, NoteSeen] = field(default_factory=dict)
    disputes: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Dispute -> the attempt it is about, and what is held back over it."""
    ledger: dict[tuple[str, str], int] = field(default_factory=dict)
    """Balance by (account, currency)."""
    by_hand: dict[str, int] = field(default_factory=dict)
    """What its counter says was paid by hand by one person alone, by currency."""


def _copied(sale: Sale) -> Sale:
    made = copy.copy(sale)
    made.orders, made.payments, made.refunds = dict(sale.orders), dict(sale.payments), dict(sale.refunds)
    made.notes, made.disputes, made.ledger = dict(sale.notes), dict(sale.disputes), dict(sale.ledger)
    made.by_hand = dict(sale.by_hand)
    return made


@dataclass
class Stock:
    """What the rows say of a SKU, and what orders hold of it."""

    available: int = 0
    received: int = 0
    written_off: int = 0
    ordered: int = 0
    """What the stock's own rows count for orders."""
    reserved: int = 0


class Oracle:
    """Everything it has seen, and every violation it found."""

    def __init__(self, bank: Bank, *, now: Callable[[], datetime]) -> None:
        self.violations: list[Violation] = []
        self.sales: dict[str, Sale] = {}
        self.stock: dict[str, Stock] = {}
        self.shipments: dict[str, tuple[str, bool]] = {}
        """Shipment -> (order, whether it is delivered)."""
        self.intents: dict[str, str] = {}
        """Purchase id that an attempt to place would get -> the quote it sent."""
        self.paid_when_closed: set[str] = set()
        """Orders at the provider that were paid after they were closed there."""
        self.shown: set[str] = set()
        """Attempts whose instruction reached a client: only those can be paid."""
        self.console_refunds: set[str] = set()
        """Attempts of which somebody refunded something in the provider's console, behind our back."""
        self.contested: set[str] = set()
        """Attempts that a payer's bank ever contested."""
        self.untold: set[str] = set()
        """Refunds that came back at the provider and of which, perhaps, only its bill tells."""
        self.complaints: dict[str, ComplaintSeen] = {}
        self.units = Units()
        self.returned = Returned()
        self.holding = Holding()
        self.strangers = strangers.Strangers()
        self.late = Late()
        self.shortages = Shortages()
        self.parked = Parked()
        self.parcels = Parcels(now)
        self._lines_seen: dict[str, tuple[tuple[int, str], ...]] = {}
        self._quotes: dict[str, str] = {}
        self._dirty_stock: set[str] = set()
        self._dirty_sales: set[str] = set()
        self._released: list[str] = []
        self._sent: list[tuple[str, str]] = []
        """Purchase and refund, of those that were asked for by the last call."""
        self._asked: list[tuple[str, str, Mapping[str, Any]]] = []
        """Purchase, refund and its document, of those that the last call made on orders."""
        self._known_refunds = 0
        self._bank = bank
        self._now = now
        self._deadlines = {names.table_name(table) for table, _, _ in topology.DUE_TABLES}
        self._tables: dict[str, Callable[[Item | None, Item | None], None]] = {
            names.table_name("orders"): self._order_row,
            names.table_name("payments"): self._payment_row,
            names.table_name("ledger"): self._ledger_row,
            names.table_name("stock"): self._stock_row,
            names.table_name("shipments"): self._shipment_row,
            names.table_name("complaints"): self._complaint_row,
            names.table_name("returns"): self._return_row,
            names.table_name("holds"): lambda _, new: self.holding.row(new),
        }

    def lines_of(self, order_id: str) -> tuple[tuple[int, str], ...]:
        """Return quantity and kind of each line of an order."""
        return self._lines_seen.get(order_id, ((1, "physical"),))

    def _units_of(self, order_id: str) -> int:
        return sum(quantity for quantity, _ in self.lines_of(order_id))

    def broken(self, promise: str, what: str, subject: str = "") -> None:
        """Note a violation."""
        self.violations.append(Violation(promise, what, subject))

    # --- every change -------------------------------------------------------------------------------------------------

    def changed(self, table: Table, record: Params) -> None:
        """Take one stream record."""
        handler = self._tables.get(table.name)
        change = record["dynamodb"]
        old, new = change.get("OldImage"), change.get("NewImage")
        if new is not None and "version" in new:
            self._version(table, old, new)
            if table.name in self._deadlines:
                for problem, record_id in self.parked.seen(old, new):
                    self.broken("parked deadlines", problem, record_id)
        if handler is not None:
            handler(old, new)

    def _version(self, table: Table, old: Item | None, new: Item) -> None:
        before = int(old["version"]["N"]) if old is not None and "version" in old else 0
        if table.name.endswith("reconciliations") and new["id"]["S"].startswith("line#"):
            return  # A finding is written without conditions: judging it again comes out the same.
        if int(new["version"]["N"]) != before + 1 and not table.name.endswith("catalog"):
            self.broken("version", f"{before} -> {new['version']['N']} in {table.name}", str(table.raw_key(new)))

    def _move(
        self,
        machine: StateMachine[Any, Any],
        old: Item | None,
        new: Item | None,
        subject: str,
        attribute: str = "status",
    ) -> bool:
        """Check a transition; say whether the state changed."""
        if new is None:
            self.broken("transitions", "a record was deleted", subject)
            return False
        after = new[attribute]["S"]
        if old is None:
            free = machine.name in ("parcel", "watch", "dispute") or '"foreign":' in new.get("doc", {}).get("S", "")
            free = free or (machine is REFUND and after == offline.OWED)
            if not free and after != machine.initial:
                self.broken("transitions", f"born as {after}", subject)
            return False
        before = old[attribute]["S"]
        if before == after:
            return False
        if after not in machine.edges[before].values() and not _is_written_down(machine, old, new):
            self.broken("transitions", f"{machine.name} {before} -> {after}", subject)
        return True

    def _sale(self, purchase_id: str) -> Sale:
        self._dirty_sales.add(purchase_id)
        if purchase_id not in self.sales:
            self.sales[purchase_id] = Sale(purchase_id)
        return self.sales[purchase_id]

    def _order_row(self, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        record_id = item["id"]["S"]
        if record_id.endswith("~lines"):
            self._lines(record_id.removesuffix("~lines"), item["lines"]["S"])
            return
        machine = PURCHASE if record_id.startswith("pur_") else ORDER
        moved = self._move(machine, old, new, record_id)
        if new is None:
            return
        doc = _decode(new["doc"]["S"])
        if moved and old is not None:
            self._early(old, doc["history"][-1], record_id)
        for wrong in deadlines.problems(new):
            self.broken("deadlines", wrong, record_id)
        sale = self._sale(new["purchase_id"]["S"])
        before = old["status"]["S"] if old is not None else ""
        if record_id.startswith("pur_"):
            self.late.purchase_moved(record_id, before, new["status"]["S"])
            self._purchase(sale, old, new, moved=moved)
        else:
            self.late.order_moved(record_id, sale.purchase_id, before, new["status"]["S"])
            if moved and new["status"]["S"] == "delivered":
                problem = self.parcels.arrived(deadlines.due_s(new) or 0)
                if problem:
                    self.broken("deadlines", problem, record_id)
            self._order(sale, record_id, new, doc)

    def _purchase(self, sale: Sale, old: Item | None, new: Item, *, moved: bool) -> None:
        if old is None:
            self._placed(sale.purchase_id)
            sale.placed_at = self._now()
            self.holding.placed.append(new["owner_id"]["S"])
        sale.buyer_id, sale.status = new["owner_id"]["S"], new["status"]["S"]
        sale.total, sale.currency = int(new["total_minor"]["N"]), new["currency"]["S"]
        sale.settled_by = new["settled_by"]["S"] if "settled_by" in new else ""
        sale.attempts = int(new["attempts"]["N"])
        sale.due_at_s = int(new["due_at"]["N"]) if "due_at" in new else 0
        if moved and sale.status in ("expired", "cancelled"):
            self._released.append(sale.purchase_id)

    def _placed(self, purchase_id: str) -> None:
        if not self.intents:
            return
        quote = self.intents.get(purchase_id)
        if quote is None:
            self.broken("one purchase per intent", "nobody asked for this purchase", purchase_id)
        elif quote in self._quotes:
            self.broken("one purchase per intent", f"the quote of {self._quotes[quote]} again", purchase_id)
        else:
            self._quotes[quote] = purchase_id

    def _early(self, old: Item, change: list[Any], subject: str) -> None:
        """A move made by the checkout queue is a timeout: its deadline must be past, and no complaint open over it."""
        if change[2] == "queue:checkout" and change[0] == "completed":
            for complaint_id, complaint in self.complaints.items():
                if complaint.order_id == subject and complaint.status not in COMPLAINED_OUT:
                    self.broken("deadlines", f"confirmed by itself while {complaint_id} is {complaint.status}", subject)
            open_return = self.returned.open_about(subject)
            if open_return:
                self.broken("deadlines", f"confirmed by itself while {open_return} is open", subject)
        due_s = deadlines.due_s(old)
        if change[2] == "queue:checkout" and due_s is not None and not deadlines.is_due_at_once(old):
            early_s = due_s - self._now().timestamp()
            if early_s > 1:
                self.broken("deadlines", f"fired {early_s:.0f} s early", subject)

    def _order(self, sale: Sale, order_id: str, new: Item, doc: Mapping[str, Any]) -> None:
        if "lines" in new and order_id not in self._lines_seen:
            self._lines(order_id, new["lines"]["S"])
        parcels = tuple((parcel[0], any(parcel[2:])) for parcel in doc.get("parcels", ()))
        seen = OrderSeen(
            status=new["status"]["S"],
            stock=new["stock"]["S"],
            total=int(new["total_minor"]["N"]),
            merchant_id=new["merchant_id"]["S"],
            buyer_id=new["buyer_id"]["S"],
            refunded=doc.get("refunded_minor", 0),
            refunds=tuple(doc.get("refunds", ())),
            parcels=parcels,
            commission_bps=doc.get("commission_bps", 0),
        )
        sale.orders[order_id] = seen
        waits = new.get("to_ship_merchant_id", {}).get("S", "")
        if waits.startswith("unpaid#") != (seen.stock == "held"):
            self.broken("stock", f"{order_id} holds stock unpaid, or not, and is listed otherwise", order_id)
        self.units.moved(order_id, seen.status, seen.total, doc)

    def _lines(self, order_id: str, text: str) -> None:
        lines = _decode(text)
        self._lines_seen[order_id] = tuple((line[4], line[7] if len(line) > 7 else "physical") for line in lines)
        self.units.bought(order_id, lines)

    def _complaint_row(self, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        complaint_id = item["complaint_id"]["S"]
        if not complaint_id.startswith("cmp_"):
            return
        self._move(COMPLAINT, old, new, complaint_id)
        if new is None:
            return
        doc = _decode(new["doc"]["S"])
        self.complaints[complaint_id] = ComplaintSeen(
            status=new["status"]["S"],
            order_id=doc["order_id"],
            line_id=doc["line_id"],
            buyer_id=new["buyer_id"]["S"],
            merchant_id=new["merchant_id"]["S"],
            borne=mediating.borne(doc),
        )
        for problem in mediating.row_problems(new, doc):
            self.broken("complaints", problem, complaint_id)
        self.units.complained(complaint_id, doc["order_id"], doc["line_id"], doc["reason"])

    def _return_row(self, old: Item | None, new: Item | None) -> None:
        if new is None:
            return
        self._move(RETURN, old, new, new["return_id"]["S"])
        self.returned.row(new, _decode(new["doc"]["S"]))

    def _stock_row(self, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        if not item["bucket"]["S"].isdigit():
            return
        sku_id = item["sku_id"]["S"]
        seen = self.stock.setdefault(sku_id, Stock())
        for image, sign in ((old, -1), (new, 1)):
            if image is None:
                continue
            for name in ("available", "received", "written_off", "ordered"):
                if name in image:
                    setattr(seen, name, getattr(seen, name) + sign * int(image[name]["N"]))
        if new is not None and int(new.get("available", {"N": "0"})["N"]) < 0:
            self.broken("stock", "available below zero", sku_id)
        self._dirty_stock.add(sku_id)
        self.late.stock_moved(sku_id)

    def _payment_row(self, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        record_id = item["id"]["S"]
        if record_id.startswith("alone#"):
            return  # What an operator gave back alone on a day.
        if record_id.startswith("hand#"):
            sale = self._sale(item["purchase_id"]["S"].removeprefix("of#"))
            sale.by_hand[record_id.removeprefix("hand#")] = int(item["minor"]["N"])
            return
        if record_id.startswith("str_"):
            self._move(STRAY, old, new, record_id)
            self.strangers.seen(item)
        else:
            self._record_row(record_id, old, new)

    def _record_row(self, record_id: str, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        sale = self._sale(item["purchase_id"]["S"])
        kind = record_id.split("_", maxsplit=1)[0]
        if kind == "apr":
            return
        if kind == "qua" and new is not None:
            kept = _decode(new["doc"]["S"])
            sale.notes[record_id] = NoteSeen(new["payment_id"]["S"], kept["why"], bool(kept.get("resolved")))
            return
        self._move(MACHINES[kind], old, new, record_id)
        if new is None:
            return
        doc = _decode(new["doc"]["S"])
        if kind == "pay":
            fresh = old is None or old["status"]["S"] != "surplus"
            if fresh and new["status"]["S"] == "surplus" and doc.get("code") == "purchase_expired":
                self.late.sent_back(record_id, sale.purchase_id)
            sale.payments[record_id] = PaymentSeen(
                status=new["status"]["S"],
                amount=int(new["amount_minor"]["N"]),
                currency=new["currency"]["S"],
                captured=int(new["captured_minor"]["N"]) if "captured_minor" in new else 0,
                captured_currency=doc.get("captured_currency", ""),
                reserved=int(new["reserved_minor"]["N"]),
                refunded=int(new["refunded_minor"]["N"]),
                disputed=int(new["disputed_minor"]["N"]) if "disputed_minor" in new else 0,
            )
            return
        if kind == "dsp":
            sale.disputes[record_id] = (new["payment_id"]["S"], doc.get("taken", 0))
            return
        number = doc.get("order_number", 0)
        if old is None and number and not doc.get("renews"):
            self._asked.append((sale.purchase_id, record_id, doc))
        sale.refunds[record_id] = RefundSeen(
            status=new["status"]["S"],
            amount=int(new["amount_minor"]["N"]),
            payment_id=new["payment_id"]["S"],
            order_id=f"ord_{sale.purchase_id[4:]}_{number:02d}" if number else "",
            alone=bool(doc.get("offline")) and not doc["offline"].get("approved_by"),
            there=self._bank.name_there(doc["foreign"]) if doc.get("foreign") else "",
            to_cards=to_card.sent(sale.refunds.get(record_id), doc),
            origin=doc.get("origin", ""),
        )
        paid_by = sale.payments.get(new["payment_id"]["S"])
        contested = paid_by is not None and bool(paid_by.disputed)
        for problem in self.shortages.seen(record_id, old, new, doc, self._now(), contested=contested):
            self.broken("short balances", problem, record_id)
        begun = ("requested", offline.OWED) if old is None else ("requested",)
        if new["status"]["S"] in begun and (old is None or old["status"]["S"] != "requested"):
            self._sent.append((sale.purchase_id, record_id))

    def _ledger_row(self, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        if item["purchase_id"]["S"].startswith("str_") and new is not None:
            self.strangers.posted(_decode(new["postings"]["S"]))
            return
        sale = self._sale(item["purchase_id"]["S"])
        if old is not None or new is None:
            self.broken("ledger", "an entry was changed", item["id"]["S"])
            return
        sums: dict[str, int] = {}
        for account, minor, currency in _decode(new["postings"]["S"]):
            sums[currency] = sums.get(currency, 0) + minor
            if item["id"]["S"].startswith("fee."):
                continue  # What the provider keeps, by its bill: neither payments nor refunds know of it.
            sale.ledger[account, currency] = sale.ledger.get((account, currency), 0) + minor
        if any(sums.values()):
            self.broken("ledger", "an entry does not sum to zero", item["id"]["S"])

    def _shipment_row(self, old: Item | None, new: Item | None) -> None:
        item = new or old or {}
        if item["order_id"]["S"].startswith("num_") and new is not None:
            self.parcels.claim(new)
        if item["order_id"]["S"].startswith(("code_", "num_")):
            return
        shipment_id = item["id"]["S"]
        if new is not None:
            self.shipments[shipment_id] = (new["order_id"]["S"], "delivered_ms" in _decode(new["doc"]["S"]))
            self._watch(old, new, shipment_id)
            self.parcels.shipment(new)
        self._move(PARCEL, old, new, shipment_id)

    def _watch(self, old: Item | None, new: Item, shipment_id: str) -> None:
        self._move(WATCH, old, new, shipment_id, "watch")

    # --- after every call ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check what the last call touched. A transaction's records come together, so every call ends consistent."""
        self._check_units()
        for problem, subject in self.late.check(
            lambda purchase_id: list(self.sales[purchase_id].orders),
            lambda order_id: self.units.orders[order_id].bought(),
            lambda sku_id: self.stock[sku_id].available if sku_id in self.stock else 0,
        ):
            self.broken("late money", problem, subject)
        if self._dirty_stock:
            for sku_id in sorted(self._dirty_stock):
                self._check_stock(sku_id)
            self._dirty_stock.clear()
        if self._dirty_sales:
            for purchase_id in sorted(self._dirty_sales):
                for problem in self._problems(self.sales[purchase_id]):
                    self.broken("money", problem, purchase_id)
            self._dirty_sales.clear()
        for purchase_id, refund_id in self._sent:
            self._check_asked(self.sales[purchase_id], refund_id)
        self._sent.clear()
        self._check_held()
        self._check_parcels()
        for purchase_id in self._released:
            self._check_released(self.sales[purchase_id])
        self._released.clear()
        if self._bank.refund_count() != self._known_refunds:
            self._known_refunds = self._bank.refund_count()
            self._check_provider_refunds()

    def _check_held(self) -> None:
        for problem, buyer_id in self.holding.problems(list(self.sales.values()), self._now(), self._units_of):
            self.broken("what is held unpaid", problem, buyer_id)

    def _check_parcels(self) -> None:
        for problem, shipment_id in self.parcels.check(self._buyer_of, self._paid_s):
            self.broken("tracking numbers", problem, shipment_id)

    def _buyer_of(self, order_id: str) -> str:
        return self.sales["pur_" + order_id[4:28]].buyer_id

    def _paid_s(self, order_id: str) -> float:
        """Return when an order was paid, by the provider's books where they say so; else when it was placed."""
        sale = self.sales["pur_" + order_id[4:28]]
        paid_at = getattr(self._bank.order(sale.settled_by), "paid_at", None) if sale.settled_by else None
        placed_s = sale.placed_at.timestamp() if sale.placed_at is not None else 0.0
        return max(placed_s, float(paid_at or 0))

    def _check_units(self) -> None:
        """Check where units are, and take over what orders hold of each SKU into the stock's equation."""
        for purchase_id, refund_id, doc in self._asked:
            refund = self.sales[purchase_id].refunds[refund_id]
            contested = refund.payment_id in self.contested
            self.units.asked(RefundAsked(refund.order_id, refund_id, refund.amount, doc, contested))
        self._asked.clear()
        for problem, order_id in self.units.check():
            self.broken("units", problem, order_id)
        for problem, order_id in self.returned.problems():
            self.broken("returns", problem, order_id)
        for sku_id, change in (*self.units.reserved(), *self.returned.reserved()):
            self.stock.setdefault(sku_id, Stock()).reserved += change
            self._dirty_stock.add(sku_id)

    def _check_stock(self, sku_id: str) -> None:
        seen = self.stock[sku_id]
        if seen.available + seen.reserved != seen.received - seen.written_off:
            self.broken(
                "stock",
                f"{seen.available} available + {seen.reserved} reserved"
                f" != {seen.received} received - {seen.written_off} written off",
                sku_id,
            )
        if seen.ordered != seen.reserved:
            self.broken("stock", f"{seen.ordered} counted as ordered, orders have {seen.reserved}", sku_id)

    def _problems(self, sale: Sale) -> Iterator[str]:
        yield from self._sale_problems(sale)
        yield from self._order_problems(sale)
        yield from self._payment_problems(sale)
        yield from self._ledger_problems(sale)
        yield from offline.miscounted(sale)

    def _sale_problems(self, sale: Sale) -> Iterator[str]:
        winners = [payment_id for payment_id, payment in sale.payments.items() if payment.status in WINNING]
        if len(winners) > 1:
            yield f"two winning payments: {', '.join(winners)}"
        if (sale.status == "paid") is not bool(winners):
            yield f"purchase {sale.status}, winners {winners}"
        if winners and sale.settled_by != winners[0]:
            yield f"settled by {sale.settled_by}, captured by {winners[0]}"
        if winners:
            winner = sale.payments[winners[0]]
            if (winner.captured, winner.captured_currency) != (sale.total, sale.currency):
                yield f"{winner.captured} {winner.captured_currency} captured for {sale.total} {sale.currency}"
        if sale.orders and sum(order.total for order in sale.orders.values()) != sale.total:
            yield "the orders' totals are not the purchase's"

    def _order_problems(self, sale: Sale) -> Iterator[str]:
        for order_id, order in sale.orders.items():
            sent = any(self.units.orders[order_id].sent.values())
            if order.stock != ("committed" if sent else RESERVING.get(order.status, "committed")):
                yield f"{order_id} is {order.status} and its stock {order.stock}"
            if (order.status == "placed") is not (sale.status == "awaiting_payment"):
                yield f"{order_id} is {order.status} of a purchase {sale.status}"
            if sale.status in ("expired", "cancelled") and order.status != "cancelled":
                yield f"{order_id} is {order.status} of a purchase {sale.status}"
            asked = [r for r in sale.refunds.values() if r.order_id == order_id and r.status != "replaced"]
            if sum(refund.amount for refund in asked) > order.total:
                yield f"{order_id}: refunds exceed its total"
            if len(set(order.refunds)) != len(order.refunds):
                yield f"{order_id}: a refund counted twice"
            if order.refunded != sum(sale.refunds[r].amount for r in order.standing() if r in sale.refunds):
                yield f"{order_id}: refunded is not the sum of its refunds"

    def _payment_problems(self, sale: Sale) -> Iterator[str]:
        for payment_id, payment in sale.payments.items():
            mine = [refund for refund in sale.refunds.values() if refund.payment_id == payment_id]
            reserved = sum(refund.amount for refund in mine if refund.status != "replaced")
            refunded = sum(refund.amount for refund in mine if refund.status in offline.BACK)
            if reserved > payment.captured:
                yield f"{payment_id}: {reserved} to refund of {payment.captured} captured"
            if (reserved, refunded) != (payment.reserved, payment.refunded):
                yield f"{payment_id}: says {payment.reserved}/{payment.refunded}, refunds {reserved}/{refunded}"
            if payment.status in ("surplus", "returned") and reserved != payment.captured:
                yield f"{payment_id}: surplus is not on its way back"
            if bool(payment.captured) is not (payment.status in HOLDING):
                yield f"{payment_id}: {payment.status} with {payment.captured} captured"
            held = sum(taken for about, taken in sale.disputes.values() if about == payment_id)
            if held != payment.disputed:
                yield f"{payment_id}: says {payment.disputed} disputed, its disputes hold {held}"
            adopted = [refund.there for refund in mine if refund.there]
            if len(set(adopted)) != len(adopted):
                yield f"{payment_id}: a refund of the console is in the books twice"

    def _ledger_problems(self, sale: Sale) -> Iterator[str]:
        expected: dict[tuple[str, str], int] = {}
        for payment_id, payment in sale.payments.items():
            if payment.status in HOLDING:
                currency, winning = payment.captured_currency, payment.status in WINNING
                owed, paid = offline.by_hand(sale.refunds.values(), payment_id)
                for account, minor in offline.places(payment, owed, paid, winning=winning):
                    expected[account, currency] = expected.get((account, currency), 0) + minor
        found: dict[tuple[str, str], int] = {}
        for (account, currency), minor in sale.ledger.items():
            place = account.split(":")[0]
            place = place if place in ("clearing", "surplus", "disputes", "offline", "bank") else "order"
            found[place, currency] = found.get((place, currency), 0) + minor
        for key in {**expected, **found}:
            if expected.get(key, 0) != found.get(key, 0):
                yield f"{key[0]}: the ledger says {found.get(key, 0)}, the records {expected.get(key, 0)}"
        yield from self._refunded_problems(sale)

    def _refunded_problems(self, sale: Sale) -> Iterator[str]:
        """Once an order's money is all back, nobody is owed anything for it: roundings add up."""
        gone = {
            order_id: sum(
                r.amount for r in sale.refunds.values() if r.order_id == order_id and r.status in offline.GIVEN_BACK
            )
            for order_id in sale.orders
        }
        if sale.status != "paid":
            return
        for order_id, order in sale.orders.items():
            left = sale.ledger.get((f"merchant:{order.merchant_id}", sale.currency), 0)
            borne = sale.ledger.get((mediating.GOODWILL, sale.currency), 0)
            if gone[order_id] == order.total and left and not borne:
                yield f"{order_id} was refunded and its merchant is still owed {-left}"
        if all(gone[order_id] == order.total for order_id, order in sale.orders.items()):
            left = sale.ledger.get(("commission", sale.currency), 0)
            if left:
                yield f"everything was refunded and the commission keeps {-left}"

    def _check_asked(self, sale: Sale, refund_id: str) -> None:
        """What a payer's bank contests is spent: no refund is asked for out of it, and none again."""
        payment = sale.payments[sale.refunds[refund_id].payment_id]
        if payment.disputed and payment.reserved + payment.disputed > payment.captured:
            self.broken(
                "contested money",
                f"{payment.reserved} to refund and {payment.disputed} contested of {payment.captured} captured",
                refund_id,
            )

    def _check_released(self, sale: Sale) -> None:
        """No stock goes back while somebody may still pay, or has paid unheard."""
        for payment_id, payment in sale.payments.items():
            there = self._bank.order(payment_id)
            if there is None or there.state == "closed" or payment_id in self.paid_when_closed:
                continue
            if payment_id not in self.shown:  # Being created; it is taken back before anybody can pay it.
                continue
            if there.state == "pending":
                self.broken("release", "stock was released while the provider could still be paid", payment_id)
            elif payment.status not in HOLDING:
                self.broken("release", "stock was released although it was paid", payment_id)

    def _check_provider_refunds(self) -> None:
        for number, refund in self._bank.refunds():
            if number.startswith("console"):
                continue
            sale = self.sales.get("pur_" + number.split("_")[1])
            known = sale.refunds.get(number) if sale is not None else None
            if known is None:
                self.broken("refunds", "the provider knows a refund that we do not", number)
            elif (known.amount, known.payment_id) != (refund.amount, refund.out_trade_no):
                self.broken("refunds", "the provider's refund differs from ours", number)

    # --- the end ------------------------------------------------------------------------------------------------------

    def finish(self, dead: list[tuple[str, str, str]], *, excused: Mapping[str, str]) -> None:
        """Check that nothing is left unknown. ``dead``: queue, reason and body of each dead letter."""
        for sku_id in self.stock:
            self._check_stock(sku_id)
        for complaint_id, complaint in self.complaints.items():
            if complaint.status not in COMPLAINED_OUT:
                self.broken("at the end", f"{complaint_id} is still {complaint.status}", complaint.order_id)
        refunds = [found for sale in self.sales.values() for found in sale.refunds.items()]
        back = {number for number, refund in refunds if refund.status == "succeeded"}
        for problem, order_id in self.returned.unfinished(back):
            self.broken("at the end", problem, order_id)
        for sale in self.sales.values():
            ends = (*self._unfinished(sale, excused), *mediating.sale_problems(self, sale))
            for problem in (*self._problems(sale), *ends, *self._provider_problems(sale)):
                self.broken("at the end", problem, sale.purchase_id)
        self._check_ended()
        for problem in self._books_problems():
            self.broken("the books", problem)
        for problem in self.strangers.problems(strangers.told_of(self._bank.stand_in)):
            self.broken("money of nobody's", problem)
        for queue, reason, body in dead:
            self.broken("dead letters", f"{queue}: {reason or 'too many receives'}: {body[:160]}", _subject(body))

    def _check_ended(self) -> None:
        for problem, buyer_id in self.holding.miscounted(self.sales.values()):
            self.broken("what is held unpaid", problem, buyer_id)
        for problem, record_id in self.parked.unfinished():
            self.broken("parked deadlines", problem, record_id)

    def _unfinished(self, sale: Sale, excused: Mapping[str, str]) -> Iterator[str]:
        if sale.status == "awaiting_payment":
            yield "the purchase neither expired nor was paid"
        for payment_id, payment in sale.payments.items():
            if payment.status in OPEN:
                yield f"{payment_id} is still {payment.status}"
        for refund_id, refund in sale.refunds.items():
            yield from self._unfinished_refund(refund_id, refund, excused)
        yield from offline.unfinished(sale, self._bank, self.contested)
        for order_id, order in sale.orders.items():
            yield from self._unfinished_order(sale, order_id, order)

    def _unfinished_refund(self, refund_id: str, refund: RefundSeen, excused: Mapping[str, str]) -> Iterator[str]:
        there = self._bank.refund(refund.there or refund_id)
        said = there.state if there is not None else excused.get(refund.payment_id, "")
        if refund.status == "failed" and refund.payment_id in self.console_refunds | self.contested:
            return  # The money that was to go back was gone already, or its bank keeps it from going.
        if refund.status == "failed" and self.shortages.unfinished(refund_id):
            yield f"{refund_id} fell short, and was not finished when the balance was back"
        if refund.there and (there is None or (there.amount, there.out_trade_no) != (refund.amount, refund.payment_id)):
            yield f"{refund_id} was taken into the books from {refund.there}, which is {there}"
        if refund.status in ("requested", "pending"):
            yield f"{refund_id} is still {refund.status}"
        elif refund.status in (*STUCK, "succeeded") and said != refund.status:
            yield f"{refund_id} is {refund.status}, the provider says {said or 'nothing'}"

    def _unfinished_order(self, sale: Sale, order_id: str, order: OrderSeen) -> Iterator[str]:
        if order.status not in ("completed", "cancelled"):
            yield f"{order_id} is still {order.status}"
        if sale.status == "paid" and sale.settled_by not in self.contested:
            yield from self.units.unfinished(order_id)
        done = [
            refund_id
            for refund_id, refund in sale.refunds.items()
            if refund.order_id == order_id and refund.status in offline.BACK
        ]
        if sorted(done) != sorted(order.standing()):
            yield f"{order_id} knows {order.refunds}, succeeded are {done}"
        for shipment_id, told in order.parcels:
            if shipment_id in self.shipments and self.shipments[shipment_id][1] and not told:
                yield f"{order_id} does not know that {shipment_id} arrived"

    def _provider_problems(self, sale: Sale) -> Iterator[str]:
        for payment_id in {**sale.payments, **self._of_sale(sale)}:
            mine = sale.payments.get(payment_id)
            if mine is None:
                yield f"{payment_id}: the provider knows an attempt that we do not"
                continue
            captured, back = self._bank.money(payment_id)
            held = captured - back + self._unadopted(payment_id)
            paid = offline.by_hand(sale.refunds.values(), payment_id)[1]
            ours = mine.captured - (mine.refunded - paid) - mine.disputed
            if ours != held:
                yield f"{payment_id}: we hold {ours}, the provider says {held}"
            if mine.disputed != self._bank.held_back(payment_id):
                yield f"{payment_id}: {mine.disputed} disputed, {self._bank.held_back(payment_id)} held back there"

    def _unadopted(self, payment_id: str) -> int:
        """Return what went back in the provider's console and is not in our books: a person's to decide."""
        if payment_id not in self.console_refunds:
            return 0
        sale = self.sales["pur_" + payment_id.split("_")[1]]
        adopted = {refund.there for refund in sale.refunds.values()}
        return sum(
            refund.amount
            for number, refund in self._bank.refunds()
            if (refund.out_trade_no, refund.state) == (payment_id, "succeeded")
            and number.startswith("console")
            and number not in adopted
        )

    def _of_sale(self, sale: Sale) -> dict[str, None]:
        prefix = f"pay_{sale.purchase_id[4:]}_"
        return {number: None for number in self._bank.numbers() if number.startswith(prefix)}

    def _books_problems(self) -> Iterator[str]:
        """Compare the provider's books with the clearing account of our ledger, to the minor unit."""
        account = f"clearing:{self._bank.name}"
        ours: dict[str, int] = {}
        for books in (self.strangers.ledger, *(sale.ledger for sale in self.sales.values())):
            for (name, currency), minor in books.items():
                if name == account:
                    ours[currency] = ours.get(currency, 0) + minor
                elif name.startswith("clearing:") and minor:
                    yield f"the ledger has {minor} at {name}"
        theirs: dict[str, int] = {}
        for number in self._bank.numbers():
            there = self._bank.order(number)
            captured, back = self._bank.money(number)
            if there is not None and captured:
                kept = captured - back + self._unadopted(number)
                theirs[there.paid_currency] = theirs.get(there.paid_currency, 0) + kept
        for currency in {**ours, **theirs}:
            mine, their = ours.get(currency, 0), theirs.get(currency, 0)
            if mine != their:
                yield f"{account}: the ledger says {mine} {currency}, the provider's books {their}"

    # --- snapshots ----------------------------------------------------------------------------------------------------

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return (
            list(self.violations),
            {key: _copied(sale) for key, sale in self.sales.items()},
            {key: copy.copy(stock) for key, stock in self.stock.items()},
            dict(self.shipments),
            dict(self.intents),
            set(self.paid_when_closed),
            set(self.console_refunds),
            (dict(self.complaints), self.units.save(), self.strangers.save(), self.returned.save()),
            dict(self._quotes),
            self._known_refunds,
            set(self.shown),
            set(self.contested),
            set(self.untold),
            dict(self._lines_seen),
            self.holding.save(),
            (self.shortages.save(), self.parked.save(), self.parcels.save()),
        )

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.violations = list(saved[0])
        self.sales = {key: _copied(sale) for key, sale in saved[1].items()}
        self.stock = {key: copy.copy(stock) for key, stock in saved[2].items()}
        self.shipments, self.intents = dict(saved[3]), dict(saved[4])
        self.paid_when_closed, self.console_refunds = set(saved[5]), set(saved[6])
        self.complaints = dict(saved[7][0])
        self.units.restore(saved[7][1])
        self.strangers.restore(saved[7][2])
        self.returned.restore(saved[7][3])
        self._quotes, self._known_refunds = dict(saved[8]), saved[9]
        self.shown, self.contested, self.untold = set(saved[10]), set(saved[11]), set(saved[12])
        self._lines_seen = dict(saved[13])
        self.late.forget()
        self.holding.restore(saved[14])
        self.shortages.restore(saved[15][0])
        self.parked.restore(saved[15][1])
        self.parcels.restore(saved[15][2])
        self._dirty_sales.clear()
        self._dirty_stock.clear()
        self._released.clear()
        self._sent.clear()
        self._asked.clear()


def _subject(body: str) -> str:
    try:
        data = _decode(body)["data"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
    for name in ("payment_id", "record_id", "order_id", "refund_id", "purchase_id"):
        if name in data:
            return str(data[name])
    return ""


def riders(item: Item) -> list[str]:
    """Return the ids of the events that ride on an item's last change."""
    if "events" not in item or item.get("event_version") != item.get("version"):
        return []
    return [envelope.id for envelope in decode_list(item["events"]["S"])]


def _is_written_down(machine: StateMachine[Any, Any], old: Item, new: Item) -> bool:
    """Say whether one write took several steps of an order's table, each of which its history names.

    An order that goes on without its rest is delivered at once where all that it has had arrived before.
    """
    if machine is not ORDER:
        return False
    known = len(msgspec.json.decode(old["doc"]["S"]).get("history", ()))
    steps = [str(entry[0]) for entry in msgspec.json.decode(new["doc"]["S"])["history"][known:]]
    places = [old["status"]["S"], *steps]
    taken = all(after in machine.edges[before].values() for before, after in itertools.pairwise(places))
    return bool(steps) and taken and places[-1] == new["status"]["S"]

"""What one account, and one network, may hold without paying: purchases, units, and for how long they count. Pure.

A purchase counts from its placing until it is paid. One that nobody paid counts on for a while after its time was over,
so that stock cannot be held again and again for nothing; one that its buyer called off counts among those only.

Paying writes nothing here. What became of a purchase is learned from the purchase itself, and only where it matters:
where a most seems to be reached, and where an account may have paid for the first time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.orders.domain import PAY_WITHIN

COUNTS_FOR = timedelta(hours=24)
"""How long a purchase counts once the time to pay it is over."""
QUOTE_KNOWN_FOR = timedelta(minutes=20)
"""How long a paid purchase is remembered for the sake of its quote, which lives a quarter of an hour."""
PAID_KEPT = 20
LAPSED_KEPT = 5
"""So many holds may outlive their time before somebody looks what became of them: one look for several of them."""
NETWORK_WINDOW_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may count at once."""

    purchases: int
    """Unpaid, or ended unpaid of late."""
    units: int
    """Of those purchases."""
    called_off: int = 0
    """Purchases called off of late."""


FRESH = Limits(purchases=5, units=200, called_off=10)
"""An account that never paid anything."""
KNOWN = Limits(purchases=20, units=5000, called_off=40)
NETWORK = Limits(purchases=100, units=1000)
"""All fresh accounts behind one address together, in a window of a day."""
CALLED_OFF_TIMES = 5
"""So many times the units of a network may be called off there in a day: ever new accounts could hold them all, call
them off before they run out, and hold them again."""
DEFAULTS: Mapping[str, Limits] = {"fresh": FRESH, "known": KNOWN, "network": NETWORK}


class TooManyUnpaid(Conflict):
    """The account has as many unpaid purchases as it may."""

    code = "too_many_unpaid"
    en = "At most {most} purchases may be unpaid or have run out of late: pay or call off one, or wait until {until}."
    zh = "未付款（含近期超时未付）的订单最多 {most} 笔：请先支付或取消其中一笔，或于 {until} 后再试。"
    shown = ("most", "until", "purchase_ids")


class TooManyUnpaidUnits(Conflict):
    """The account's unpaid purchases hold as many units as they may."""

    code = "too_many_unpaid_units"
    en = "Unpaid purchases may hold at most {most} units, {held} are held: pay or call off one, or wait until {until}."
    zh = "未付款订单最多占用 {most} 件商品，当前已占用 {held} 件：请先支付或取消其中一笔，或于 {until} 后再试。"
    shown = ("most", "held", "until", "purchase_ids")


class TooManyUnits(Conflict):
    """One purchase alone would hold more units than the account may."""

    code = "too_many_units"
    en = "This account may order at most {most} units at once; these are {wanted}. Order some of them apart."
    zh = "当前账号单次最多可订购 {most} 件商品，本次为 {wanted} 件，请分开下单。"
    shown = ("most", "wanted")


class TooManyCalledOff(Conflict):
    """The account called off as many purchases as it may."""

    code = "too_many_called_off"
    en = "At most {most} purchases may be called off within a day; the next can be placed at {until}."
    zh = "一天内最多可取消 {most} 笔未付款订单，请于 {until} 后再下单。"
    shown = ("most", "until")


class TooManyUnpaidHere(ShopError):
    """New accounts behind one address hold as much as they may together."""

    code, status = "too_many_unpaid_here", 429
    en = "New accounts in this network have too many unpaid purchases: pay one, or try again in {wait_s} seconds."
    zh = "当前网络内新账号的未付款订单过多：请先支付已有订单，或在 {wait_s} 秒后重试。"
    shown = ("wait_s",)


class HoldState(StrEnum):
    """What became of a purchase, as far as holding goes."""

    UNPAID = "unpaid"
    """Waiting for its money, or ended without it because its time was over."""
    CALLED_OFF = "called_off"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class Hold:
    """One purchase of an account."""

    purchase_id: str
    units: int
    placed_at: datetime
    quote: str
    """Digest of the quote that was ordered."""
    state: HoldState = HoldState.UNPAID

    @property
    def until(self) -> datetime:
        """Return until when it counts, or is remembered."""
        if self.state is HoldState.PAID:
            return self.placed_at + QUOTE_KNOWN_FOR
        return self.placed_at + PAY_WITHIN + COUNTS_FOR


@dataclass(frozen=True, slots=True)
class Holds:
    """What is remembered of an account. ``paid`` counts the purchases that it paid."""

    account_id: str
    paid: int = 0
    holds: tuple[Hold, ...] = ()
    version: int = 0

    @property
    def is_fresh(self) -> bool:
        """Say whether it never paid anything."""
        return self.paid == 0

    def of_quote(self, quote: str) -> str | None:
        """Return the purchase that this quote became, if it did."""
        return next((hold.purchase_id for hold in self.holds if hold.quote == quote), None)

    def unpaid(self) -> list[Hold]:
        """Return those that count as far as is known, oldest first."""
        found = [hold for hold in self.holds if hold.state is HoldState.UNPAID]
        return sorted(found, key=lambda hold: hold.placed_at)


def must_look(holds: Holds, *, now: datetime) -> bool:
    """Say whether somebody has to look what became of what is listed as unpaid.

    An account that never paid anything may have done so meanwhile, and then holds more; and a list only grows so long.
    """
    unpaid = holds.unpaid()
    if holds.is_fresh and unpaid:
        return True
    return sum(hold.until <= now for hold in unpaid) > LAPSED_KEPT


def known(holds: Holds, *, paid: Collection[str], waiting: Collection[str], now: datetime) -> Holds:
    """Return the holds once it is known which of them are paid, and which still wait for money.

    What is over and paid no more by anybody is gone; one whose end waits for a silent provider's word counts on.
    """
    learned = [hold for hold in holds.unpaid() if hold.purchase_id in paid]
    seen = [replace(hold, state=HoldState.PAID) if hold in learned else hold for hold in holds.holds]
    gone = {
        hold.purchase_id
        for hold in seen
        if hold.state is HoldState.UNPAID and hold.until <= now and hold.purchase_id not in waiting
    }
    left = tuple(hold for hold in seen if hold.purchase_id not in gone)
    return kept(replace(holds, holds=left, paid=holds.paid + len(learned)), now=now)


def kept(holds: Holds, *, now: datetime) -> Holds:
    """Return the holds without what is of no use any more, paid or called off, and with few enough paid ones."""
    left = [hold for hold in holds.holds if hold.state is HoldState.UNPAID or hold.until > now]
    paid = sorted((hold for hold in left if hold.state is HoldState.PAID), key=lambda hold: hold.placed_at)
    dropped = {hold.purchase_id for hold in paid[:-PAID_KEPT]}
    return replace(holds, holds=tuple(hold for hold in left if hold.purchase_id not in dropped))


def check_size(units: int, limits: Limits) -> None:
    """Refuse what no account of this sort can ever hold.

    Raises:
        TooManyUnits: if it is too much at once.
    """
    if units > limits.units:
        raise TooManyUnits(most=limits.units, wanted=units)


def admit(holds: Holds, units: int, limits: Limits) -> None:
    """Say whether the account may hold one purchase more, of so many units.

    Raises:
        TooManyUnits: if these are too many whatever else is held.
        TooManyUnpaid, TooManyUnpaidUnits, TooManyCalledOff: if together they are.
    """
    check_size(units, limits)
    unpaid = holds.unpaid()
    held = sum(hold.units for hold in unpaid)
    told = {
        "until": f"{unpaid[0].until:%Y-%m-%dT%H:%M:%SZ}" if unpaid else "",
        "purchase_ids": [hold.purchase_id for hold in unpaid],
    }
    if len(unpaid) >= limits.purchases:
        raise TooManyUnpaid(most=limits.purchases, **told)
    if held + units > limits.units:
        raise TooManyUnpaidUnits(most=limits.units, held=held, **told)
    off = sorted(hold.until for hold in holds.holds if hold.state is HoldState.CALLED_OFF)
    if len(off) >= limits.called_off:
        raise TooManyCalledOff(most=limits.called_off, until=f"{off[0]:%Y-%m-%dT%H:%M:%SZ}")


@dataclass(frozen=True, slots=True)
class Crowd:
    """What the new accounts of a network placed in a window: by purchase its units, and what was counted."""

    holder: str
    listed: Mapping[str, int] = field(default_factory=dict)
    """Purchases of which it is not known that they are paid. A release before this one counted without a list."""
    purchases: int = 0
    units: int = 0
    called_off: int = 0
    version: int = 0

    def without(self, gone: Iterable[str]) -> Crowd:
        """Return it without those purchases."""
        left = {purchase_id: units for purchase_id, units in self.listed.items() if purchase_id not in set(gone)}
        return replace(
            self,
            listed=left,
            purchases=max(self.purchases, len(self.listed)) - (len(self.listed) - len(left)),
            units=max(self.units, sum(self.listed.values())) - (sum(self.listed.values()) - sum(left.values())),
        )


def admit_here(crowd: Crowd, units: int, limits: Limits, *, wait_s: int) -> None:
    """Say whether the new accounts of a network may hold one purchase more, of so many units.

    Raises:
        TooManyUnpaidHere: if they hold, or called off, too much already.
    """
    full = crowd.purchases >= limits.purchases or crowd.units + units > limits.units
    if full or crowd.called_off >= limits.units * CALLED_OFF_TIMES:
        raise TooManyUnpaidHere(wait_s=wait_s)


def limits_of(text: str) -> dict[str, Limits]:
    """Read limits as the setting writes them: ``fresh:5/200/10,known:20/5000/40,network:100/1000``.

    What it does not name keeps its default.

    Raises:
        ValueError: if it says something else.
    """
    found = dict(DEFAULTS)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, numbers = part.partition(":")
        counts = [int(number) for number in numbers.split("/")]
        if name not in DEFAULTS or len(counts) != (2 if name == "network" else 3) or min(counts) < 0:
            raise ValueError(f"not limits of unpaid purchases: {part}")
        found[name] = Limits(*counts)
    return found

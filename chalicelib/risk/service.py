"""Use cases of risk: taking facts in, and what becomes of what rules find in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chalicelib.kernel import clock, ids
from chalicelib.orders import service as orders
from chalicelib.risk import changing, domain, fact_store, finding_store, gathering, rings, rule_store
from chalicelib.risk.domain import Fact, FactKind, Finding, Mode, Subject, SubjectKind, Tally
from chalicelib.risk.reviews import service as reviews
from chalicelib.runtime import log, metrics

__all__ = ["Finding", "changing", "counts_of", "forget", "gathering", "note", "note_paid", "reviews"]


def note(facts: Iterable[Fact]) -> list[Finding]:
    """Count facts, and look what the rules make of whom they are about. The same fact counts once, however it comes."""
    now = clock.now()
    found: list[Finding] = []
    for fact in facts:
        if fact.at > now - domain.KEPT:
            found += _look(fact_store.add(fact, now), fact.kind, now)
    return found


def note_paid(payment_id: str, payer: str, at: datetime) -> list[Finding]:
    """Count a purchase that was paid: of its buyer, of its merchants, and of what both sides share."""
    now = clock.now()
    if at <= now - domain.KEPT:
        return []
    sale = orders.load_sale(ids.parent_id("pur", payment_id))
    buyer_id = sale.purchase.buyer_id
    found: list[Finding] = []
    buyer = Tally(Subject(SubjectKind.ACCOUNT, buyer_id))
    for order in sale.orders:
        buyer = fact_store.add(Fact(buyer.subject, FactKind.PAID, order.order_id, at), now)
    found += _look(buyer, FactKind.PAID, now)
    used = []
    for fact in gathering.used(buyer_id, sale.purchase.contact, payer, at):
        used.append(fact_store.add(fact, now))
        found += _look(used[-1], fact.kind, now)
    for order in sale.orders:
        merchant = Subject(SubjectKind.MERCHANT, order.merchant_id)
        shared = rings.found(buyer, used, rings.side_of(order.merchant_id))
        found += note(Fact(merchant, kind, order.order_id, at) for kind in (FactKind.PAID, *shared))
    return found


def counts_of(account_id: str) -> list[Fact]:
    """Return what is counted of an account, for the person whose it is; who else used a device is not told."""
    tally = fact_store.load(Subject(SubjectKind.ACCOUNT, account_id), clock.now())
    return [
        Fact(tally.subject, kind, record, at)
        for kind, found in sorted(tally.facts.items())
        if kind is not FactKind.SHARES_DEVICE
        for record, at in sorted(found.items())
    ]


def forget(account_id: str) -> None:
    """Drop what is counted of an account. Others' facts name its number until they are over, which leads to nobody."""
    fact_store.forget(Subject(SubjectKind.ACCOUNT, account_id))


def _look(tally: Tally, kind: FactKind, now: datetime) -> list[Finding]:
    """Return what rules that count this kind find, and act on it as their mode says."""
    found = []
    for rule in rule_store.in_force():
        if kind not in rule.of:
            continue
        finding = domain.evaluate(rule, tally, now)
        if finding is not None:
            _act(finding)
            found.append(finding)
    return found


def _act(finding: Finding) -> None:
    if finding.rule.mode is Mode.REVIEW:
        reviews.open_review(finding)
    elif finding.rule.mode is Mode.SHADOW and finding_store.add(finding):
        log.info("rule fired in shadow", rule=finding.rule.rule_id, version=finding.rule.version)
        metrics.count("risk_found_in_shadow")

"""When rules fire, and what they go by: pure, by tables and by properties."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.risk import domain
from chalicelib.risk.default_rules import DEFAULTS
from chalicelib.risk.domain import BadRule, Fact, FactKind, Mode, Rule, Subject, SubjectKind, Tally

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BUYER = Subject(SubjectKind.ACCOUNT, "acc_1")
SHOP = Subject(SubjectKind.MERCHANT, "mer_1")
UNPAID = Rule("unpaid", 1, SubjectKind.ACCOUNT, (FactKind.UNPAID,), 24, 3)
SHARE = Rule("refunds", 1, SubjectKind.ACCOUNT, (FactKind.REFUNDED,), 240, 2, per=FactKind.PAID, per_mille=500)
BURST = Rule("burst", 1, SubjectKind.MERCHANT, (FactKind.PAID,), 24, 2, young_h=240)
FADING = replace(UNPAID, half_life_h=6)
EITHER = Rule("ring", 1, SubjectKind.MERCHANT, (FactKind.RING_PHONE, FactKind.RING_ADDRESS), 24, 2)


def tally(subject: Subject, **ages_h: list[float]) -> Tally:
    """Return a tally of records ``<kind><number>``, so many hours old."""
    return Tally.read(
        subject,
        {
            FactKind(kind): [
                Fact(subject, FactKind(kind), f"{kind}{number}", NOW - timedelta(hours=age)).member
                for number, age in enumerate(ages)
            ]
            for kind, ages in ages_h.items()
        },
    )


@pytest.mark.parametrize(
    ("rule", "found", "fires"),
    [
        (UNPAID, tally(BUYER, unpaid=[1, 2]), False),
        (UNPAID, tally(BUYER, unpaid=[1, 2, 23.9]), True),
        (UNPAID, tally(BUYER, unpaid=[1, 2, 24]), False),
        (UNPAID, tally(SHOP, unpaid=[1, 2, 3]), False),
        (replace(UNPAID, mode=Mode.OFF), tally(BUYER, unpaid=[1, 2, 3]), False),
        (FADING, tally(BUYER, unpaid=[0, 1, 5.9]), True),
        (FADING, tally(BUYER, unpaid=[0, 1, 6.1]), False),
        (FADING, tally(BUYER, unpaid=[0, 1, 6.1, 6.1]), True),
        (SHARE, tally(BUYER, refunded=[1, 2], paid=[3, 3, 3, 3]), True),
        (SHARE, tally(BUYER, refunded=[1, 2], paid=[3, 3, 3, 3, 3]), False),
        (SHARE, tally(BUYER, refunded=[1], paid=[3]), False),
        (SHARE, tally(BUYER, refunded=[1] * domain.MOST_KEPT, paid=[3] * domain.MOST_KEPT), False),
        (BURST, tally(SHOP, paid=[1, 2]), False),
        (BURST, tally(SHOP, paid=[1, 2], opened=[239]), True),
        (BURST, tally(SHOP, paid=[1, 2], opened=[241]), False),
    ],
)
def test_when_a_rule_fires(rule: Rule, found: Tally, fires: bool) -> None:
    assert (domain.evaluate(rule, found, NOW) is not None) is fires


def test_a_record_of_several_kinds_counts_once() -> None:
    members = {kind: [f"ord_1@{int(NOW.timestamp()) // 60}"] for kind in EITHER.of}
    assert domain.evaluate(EITHER, Tally.read(SHOP, members), NOW) is None
    members[FactKind.RING_PHONE].append(f"ord_2@{int(NOW.timestamp()) // 60}")
    finding = domain.evaluate(EITHER, Tally.read(SHOP, members), NOW)
    assert finding is not None
    assert [(kind, record) for kind, record, _ in finding.evidence] == [
        (FactKind.RING_PHONE, "ord_1"),
        (FactKind.RING_PHONE, "ord_2"),
    ]


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("of", replace(UNPAID, of=())),
        ("of", replace(UNPAID, of=(FactKind.PAID, FactKind.PAID))),
        ("window_h", replace(UNPAID, window_h=0)),
        ("window_h", replace(UNPAID, window_h=35 * 24 + 1)),
        ("window_h", replace(UNPAID, half_life_h=25)),
        ("least", replace(UNPAID, least=0)),
        ("least", replace(UNPAID, least=domain.MOST_KEPT + 1)),
        ("per", replace(UNPAID, per_mille=10)),
        ("per", replace(SHARE, per_mille=0)),
        ("per", replace(SHARE, per_mille=1001)),
        ("subject", replace(UNPAID, young_h=24)),
    ],
)
def test_a_rule_that_cannot_be_is_refused(field: str, rule: Rule) -> None:
    with pytest.raises(BadRule) as refused:
        domain.check(rule)
    assert refused.value.params == {"field": field}


def test_the_rules_that_come_with_the_code_can_be_and_bind_nobody() -> None:
    assert [domain.check(rule) for rule in DEFAULTS] == list(DEFAULTS)
    assert len({rule.rule_id for rule in DEFAULTS}) == len(DEFAULTS)
    assert {rule.mode for rule in DEFAULTS} <= {Mode.SHADOW, Mode.OFF}


HISTORY = st.lists(
    st.tuples(
        st.sampled_from([FactKind.REFUNDED, FactKind.PAID, FactKind.UNPAID]), st.integers(0, 9), st.integers(0, 99)
    ),
    max_size=25,
)


@given(HISTORY, st.integers(0, 2**16))
def test_no_order_and_no_repeat_changes_what_is_found(history: list[tuple[FactKind, int, int]], seed: int) -> None:
    facts = [Fact(BUYER, kind, f"r{number}", NOW - timedelta(hours=age)) for kind, number, age in history]
    again = [*facts, *facts]
    random.Random(seed).shuffle(again)

    def kept(told: list[Fact]) -> Tally:
        sets: dict[FactKind, set[str]] = {}
        for fact in told:
            sets.setdefault(fact.kind, set()).add(fact.member)
        return Tally.read(BUYER, sets)

    for rule in (UNPAID, FADING, SHARE):
        assert domain.evaluate(rule, kept(again), NOW) == domain.evaluate(rule, kept(facts), NOW)


@given(HISTORY)
def test_what_fires_now_fires_in_the_replay_and_shows_what_it_went_by(history: list[tuple[FactKind, int, int]]) -> None:
    facts = [Fact(BUYER, kind, f"r{number}", NOW - timedelta(hours=age)) for kind, number, age in history]
    sets: dict[FactKind, set[str]] = {}
    for fact in facts:
        sets.setdefault(fact.kind, set()).add(fact.member)
    found = Tally.read(BUYER, sets)
    replayed = domain.replay(UNPAID, found)
    for finding in replayed:
        assert len(finding.evidence) >= UNPAID.least
        assert all(finding.at - timedelta(hours=24) < at <= finding.at for _, _, at in finding.evidence)
    last = max(found.moments(), default=NOW)
    if domain.evaluate(UNPAID, found.until(last), last) is not None:
        assert replayed

"""What is told of facts is data: each row can be worked out, is heard, and says the same in both languages."""

from __future__ import annotations

from itertools import combinations

import pytest

from chalicelib import topology
from chalicelib.notifications.facts import FACTS, Audience, Row
from chalicelib.notifications.templates import TEMPLATES, fill
from chalicelib.notifications.topics import TOPICS, Topic
from chalicelib.telling import consumers

NAMES = {
    Audience.BUYER: {"buyer_id", "order_id", "purchase_id", "payment_id"},
    Audience.SHOP: {"merchant_id", "order_id", "purchase_id", "payment_id"},
    Audience.PERSON: {"account_id"},
}
BOUGHT = {"order_id", "purchase_id", "payment_id"}


def fields(row: Row) -> set[str]:
    return set(row.fact.__struct_fields__)


def filled(row: Row) -> set[str]:
    found = fields(row)
    if found & BOUGHT:
        found |= {"order"} | ({"shop"} if "order_id" in found or row.to is Audience.SHOP else set())
    return found | ({"amount"} if {"amount_minor", "currency"} <= found else set())


@pytest.mark.parametrize("row", FACTS, ids=lambda row: f"{row.fact.__name__}-{row.to}-{row.template}")
def test_a_row_can_be_told(row: Row) -> None:
    assert fields(row) & NAMES[row.to], "nobody can tell whom it is about"
    assert set(TEMPLATES[row.template].fields) <= filled(row)
    assert set(row.when) <= fields(row)
    assert not row.about or row.about in fields(row)
    assert TEMPLATES[row.template].purpose == "", "what is told of a fact needs no consent"


def test_every_fact_is_heard_and_every_heard_fact_has_a_row() -> None:
    told = {str(row.fact.__struct_config__.tag) for row in FACTS}
    assert told == consumers.consumer.types
    assert told == {name for name, queues in topology.EVENTS.items() if "telling" in queues}


def test_no_fact_says_two_things_to_the_same_reader() -> None:
    for one, other in combinations(FACTS, 2):
        if (one.fact, one.to) == (other.fact, other.to):
            apart = [name for name in one.when.keys() & other.when if not set(one.when[name]) & set(other.when[name])]
            assert apart, f"{one.template} and {other.template} are told of the same fact"


def test_every_template_says_the_same_in_both_languages() -> None:
    for name, template in TEMPLATES.items():
        values = {one: f"<{one}>" for one in template.fields}
        said = {language: fill(name, language, values) for language in ("zh", "en")}
        for part in ("subject", "body", "short"):
            english, chinese = (getattr(said[language], part) for language in ("en", "zh"))
            assert english.strip(), (name, part)
            assert chinese.strip(), (name, part)
            assert {one for one in values.values() if one in english} == {
                one for one in values.values() if one in chinese
            }, (name, part)


def test_every_topic_is_described() -> None:
    assert set(TOPICS) == set(Topic)
    assert [topic for topic, habits in TOPICS.items() if not habits.may_end] == [Topic.SECURITY]

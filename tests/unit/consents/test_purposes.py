"""Words that people agreed to stay what they were; withdrawing takes no more than giving; nothing is bundled."""

from __future__ import annotations

from chalicelib import policy
from chalicelib.consents import api
from chalicelib.consents.purposes import PURPOSES
from chalicelib.notifications.templates import TEMPLATES
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import Ground

SHOWN = {
    ("marketing_messages", 1): "99f225bc079261f0ccc14bff6088ebc0",
    ("personalisation", 1): "9da92226714c16234fa480579eab1e88",
}
"""Digest of each edition that somebody may have agreed to: other words are another version, never an edit."""


def test_no_edition_ever_changes() -> None:
    found = {
        (purpose.name, number): edition.digest
        for purpose in PURPOSES.values()
        for number, edition in enumerate(purpose.editions, 1)
    }
    assert found == SHOWN


def test_withdrawing_takes_no_more_than_giving() -> None:
    give, withdraw = policy.TABLE["give_consent"], policy.TABLE["withdraw_consent"]
    assert give == withdraw
    assert give.fresh is None
    by_name = {route.operation_id: route for route in api.routes.entries}
    assert by_name["give_consent"].path == by_name["withdraw_consent"].path
    assert by_name["withdraw_consent"].body is None


def test_one_question_each_and_in_both_languages() -> None:
    for name, purpose in PURPOSES.items():
        assert name == purpose.name
        assert purpose.editions
        for edition in purpose.editions:
            assert all(text.strip() for text in (*edition.title, *edition.text))
    by_name = {route.operation_id: route for route in api.routes.entries}
    body = by_name["give_consent"].body
    assert body is not None
    assert set(body.model_fields) == {"version", "asked_at"}, "one call agrees to one purpose"


def test_what_is_sent_or_held_on_consent_names_a_purpose_that_is_asked_for() -> None:
    assert {one.purpose for one in TEMPLATES.values() if one.purpose} <= set(PURPOSES)
    on_consent = [holding for holding in HOLDINGS if holding.purpose.ground is Ground.CONSENT]
    assert {holding.purpose.name for holding in on_consent} <= set(PURPOSES)

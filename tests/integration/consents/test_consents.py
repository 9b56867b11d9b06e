"""A consent is one row in one version's words; withdrawn it has its effect at once, and new words ask again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.auth import store as accounts
from chalicelib.consents import purposes, service, store
from chalicelib.consents.purposes import MARKETING, PURPOSES, Edition
from chalicelib.consents.service import Source
from chalicelib.kernel import clock
from chalicelib.kernel.pages import Window
from chalicelib.notifications import store as messages
from chalicelib.notifications.domain import Kind, NotAgreed, Status
from chalicelib.notifications.service import Asked, ask, send
from chalicelib.privacy import service as privacy
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, people
from tests.support.http import call
from tests.support.letters import post_office
from tools.operate import offer

ALL = Window(limit=100)


def reachable(email: str) -> people.Person:
    """Return somebody with a mailbox."""
    found = people.buyer()
    account = accounts.load_account(found.account_id)
    assert account is not None
    with UnitOfWork() as work:
        work.save(accounts.account_row(replace(account, email=email)))
    return found


def given(account_id: str) -> list[tuple[str, int, int, str, str | None]]:
    return [
        (one.purpose, one.number, one.edition, one.given_from.value, one.withdrawn_from and one.withdrawn_from.value)
        for one in service.history(account_id, ALL).items
    ]


def test_each_giving_is_a_row_and_repeats_change_nothing(cloud: str, noon: Any) -> None:
    person = people.buyer()
    path = f"/v1/me/consents/{MARKETING}"
    assert [one["in_force"] for one in call("GET", "/v1/me/consents", token=person.token).json["consents"]] == [
        False,
        False,
    ]
    assert not privacy.may(person.account_id, MARKETING)
    first = call("PUT", path, {"version": 1, "asked_at": "sign_up"}, token=person.token)
    assert (first.status, first.json["in_force"], first.json["given_from"]) == (200, True, "sign_up")
    before = dump.tables()
    assert call("PUT", path, {"version": 1, "asked_at": "checkout"}, token=person.token).json == first.json
    assert dump.tables() == before
    assert privacy.may(person.account_id, MARKETING)
    assert not privacy.may(person.account_id, "personalisation")  # Nothing is bundled.
    gone = call("DELETE", path, token=person.token)
    assert (gone.status, gone.json["in_force"], gone.json["asks_again"]) == (200, False, False)
    assert not privacy.may(person.account_id, MARKETING)
    assert call("DELETE", path, token=person.token).json == gone.json
    call("PUT", path, {"version": 1}, token=person.token)
    assert given(person.account_id) == [
        (MARKETING, 1, 1, "sign_up", "settings"),
        (MARKETING, 2, 1, "settings", None),
    ]
    last = store.last(person.account_id, MARKETING)
    assert last is not None
    assert last.digest == PURPOSES[MARKETING].edition.digest


def test_what_nobody_asks_for_and_what_nobody_was_shown_is_refused_and_leaves_nothing(cloud: str, noon: Any) -> None:
    person = people.buyer()
    before = dump.tables()
    for path, body, status, code in (
        ("/v1/me/consents/everything", {"version": 1}, 404, "not_found"),
        (f"/v1/me/consents/{MARKETING}", {"version": 2}, 409, "consent_words_changed"),
        (f"/v1/me/consents/{MARKETING}", {"version": 1, "all": True}, 422, "invalid_request"),
        (f"/v1/me/consents/{MARKETING}", {"version": 1, "asked_at": "erasure"}, 422, "invalid_request"),
        (f"/v1/me/consents/{MARKETING}", {}, 422, "invalid_request"),
    ):
        answer = call("PUT", path, body, token=person.token)
        assert (answer.status, answer.json["code"]) == (status, code)
    assert call("DELETE", "/v1/me/consents/everything", token=person.token).status == 404
    assert call("DELETE", f"/v1/me/consents/{MARKETING}", token=person.token).status == 200
    assert dump.tables() == before
    assert not privacy.may(person.account_id, "everything")


def test_new_words_ask_again(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    person = people.buyer()
    service.give(person.account_id, MARKETING, version=1, source=Source.SETTINGS)
    changed = Edition(("Offers", "优惠"), ("Now also by post.", "现也包括信件。"))
    newer = replace(PURPOSES[MARKETING], editions=(*PURPOSES[MARKETING].editions, changed))
    monkeypatch.setitem(purposes.PURPOSES, MARKETING, newer)
    assert not service.may(person.account_id, MARKETING)
    [shown, _] = call("GET", "/v1/me/consents", token=person.token, headers={"accept-language": "en"}).json["consents"]
    assert (shown["asks_again"], shown["given_version"], shown["question"]["version"]) == (True, 1, 2)
    assert shown["question"]["text"] == "Now also by post."
    path = f"/v1/me/consents/{MARKETING}"
    assert call("PUT", path, {"version": 1}, token=person.token).json["version"] == 2
    assert call("PUT", path, {"version": 2}, token=person.token).json["in_force"]
    assert [row[:3] for row in given(person.account_id)] == [(MARKETING, 1, 1), (MARKETING, 2, 2)]
    assert given(person.account_id)[0][4] == "settings"  # What was agreed to in older words is over.


def test_two_at_once_are_one(cloud: str, noon: Any) -> None:
    person = people.buyer()
    met: list[bool] = []

    def rival(service_: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation in ("PutItem", "TransactWriteItems") and not met:
            met.append(True)
            service.give(person.account_id, MARKETING, version=1, source=Source.CHECKOUT)
        return proceed()

    with aws.hooked(rival):
        service.give(person.account_id, MARKETING, version=1, source=Source.SETTINGS)
    assert given(person.account_id) == [(MARKETING, 1, 1, "checkout", None)]


def test_asking_costs_one_read_of_one_unit(cloud: str, noon: Any) -> None:
    person = people.buyer()
    service.give(person.account_id, MARKETING, version=1, source=Source.SETTINGS)
    made: list[tuple[str, float]] = []

    def count(_: str, operation: str, params: Any, proceed: Any) -> Any:
        answer = proceed()
        made.append((operation, float((answer.get("ConsumedCapacity") or {}).get("CapacityUnits", 0))))
        return answer

    with aws.hooked(count):
        assert service.may(person.account_id, MARKETING)
        assert not service.may(person.account_id, "nobody asks")
    assert [operation for operation, _ in made] == ["Query"]


def test_an_offer_reaches_who_agreed_and_not_who_withdrew_while_it_waited(cloud: str, noon: Any) -> None:
    with post_office() as office:
        agreed, withdrew, never = (reachable(f"{who}@example.com") for who in ("ada", "bo", "cy"))
        for one in (agreed, withdrew):
            service.give(one.account_id, MARKETING, version=1, source=Source.SETTINGS)
        everybody = [one.account_id for one in (agreed, withdrew, never, people.buyer())]
        told = offer.offer(everybody, name="autumn", title="新茶", text="明前龙井上市")
        assert told == {"written to": 2, "did not agree": 1, "not reached": 1}
        assert offer.offer(everybody, name="autumn", title="新茶", text="明前龙井上市")["told before"] == 2
        waiting = {json.loads(row)["message_id"]["S"] for row in dump.tables()["messages"]}
        assert len(waiting) == 2
        service.withdraw(withdrew.account_id, MARKETING, source=Source.MESSAGE)
        for message_id in waiting:
            send(message_id)
        found = [messages.load(message_id) for message_id in waiting]
        assert sorted(one.status for one in found if one) == [Status.SENT, Status.UNWANTED]
        assert all(one.sealed == "" for one in found if one)
        assert len(office.mailbox.letters()) == 1


def test_a_message_on_consent_names_whose_it_is(cloud: str, noon: Any) -> None:
    person = people.buyer()
    asked = Asked(
        kind=Kind.EMAIL,
        to="ada@example.com",
        template="offer",
        language="zh",
        fact="x",
        useless_at=clock.now(),
        values={"title": "a", "text": "b"},
    )
    with pytest.raises(ValueError, match="on consent"), UnitOfWork() as work:
        ask(work, asked)  # It could never be withdrawn.
    with pytest.raises(NotAgreed), UnitOfWork() as work:
        ask(work, replace(asked, consent=(person.account_id, MARKETING)))
    with pytest.raises(ValueError, match="on consent"), UnitOfWork() as work:
        ask(work, replace(asked, template="password_changed", consent=(person.account_id, MARKETING)))
    assert dump.tables()["messages"] == {}


def test_closing_the_account_withdraws_all_and_keeps_that_it_was_so(cloud: str, noon: Any) -> None:
    person = people.buyer()
    service.give(person.account_id, MARKETING, version=1, source=Source.SIGN_UP)
    service.forget(person.account_id)
    service.forget(person.account_id)
    assert given(person.account_id) == [(MARKETING, 1, 1, "sign_up", "erasure")]
    assert not service.may(person.account_id, MARKETING)


def test_the_questions_are_there_for_whoever_registers(cloud: str, noon: Any) -> None:
    answer = call("GET", "/v1/consents", headers={"accept-language": "zh"})
    assert [one["purpose"] for one in answer.json["purposes"]] == list(PURPOSES)
    assert answer.json["purposes"][0]["text"] == PURPOSES[MARKETING].edition.text[1]
    assert answer.headers["cache-control"].startswith("public")

"""Another contact in the place of the one there: proof, notice, a time to take it back, and who wants it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from chalicelib.auth import service, store
from chalicelib.auth.domain import Account, Link
from chalicelib.kernel import clock
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import authenticator, dump, joining, passkeys, people
from tests.support.http import Answer, call
from tests.support.people import Person

WORD = "correct horse battery"
OLD, NEW, PHONE, OTHER = "ada@example.com", "ada@new.example", "+8613800138000", "+8613900139000"


@pytest.fixture
def ada(cloud: str, noon: clock.Fixed) -> Person:
    return registered(OLD)


def registered(contact: str) -> Person:
    account_id = str(joining.register(contact, WORD).json["account_id"])
    return in_session(account_id)


def in_session(account_id: str) -> Person:
    found = Person(account_id, people.token(account_id))
    people.session(found)
    return found


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def change(token: str, contact: str = NEW) -> Answer:
    body = {"contact": contact, **joining.proof(contact, "verify")}
    return call("POST", "/v1/me/contacts/change", body, token=token)


def changed(person: Person, contact: str = NEW) -> str:
    answer = change(person.token, contact)
    assert answer.status == 200, answer.body
    return str(answer.json["access_token"])


def take_back(contact: str = OLD) -> Answer:
    return call("POST", "/v1/auth/contacts/take-back", {"contact": contact, **joining.proof(contact, "take_back")})


def by_word(identity: str) -> Answer:
    return call("POST", "/v1/auth/sign-in", {"identity": identity, "password": WORD})


def by_code(contact: str, **more: Any) -> Answer:
    return call("POST", "/v1/auth/sign-in/code", {"contact": contact, **joining.proof(contact, "sign_in"), **more})


def account(person: Person) -> Account:
    found = store.load_account(person.account_id, consistent=True)
    assert found is not None
    return found


def wrote(changed_account: Account) -> None:
    with UnitOfWork() as work:
        work.save(store.account_row(changed_account))


def together(*acts: Callable[[], Answer]) -> list[Answer]:
    ready = Barrier(len(acts))

    def go(act: Callable[[], Answer]) -> Answer:
        ready.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(go, acts))


def messages() -> int:
    return len(dump.tables()["messages"])


# --- changing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (PHONE, OTHER)])
def test_another_contact_takes_the_place_of_the_one_there(old: str, new: str, cloud: str, noon: clock.Fixed) -> None:
    person = registered(old)
    elsewhere = by_word(old).json
    before = messages()
    token = changed(person, new)
    assert messages() == before + 2  # The code to the new one, the notice to the old one.
    me = call("GET", "/v1/me", token=token).json
    assert [me.get("email") or me.get("phone"), len({"email", "phone"} & set(me))] == [new, 1]
    assert (by_word(new).status, by_code(new).status) == (200, 200)
    assert code_of(by_word(old)) == (401, "bad_credentials")
    assert code_of(by_code(old)) == (409, "no_account_yet")
    body = {"refresh_token": elsewhere["refresh_token"]}
    assert code_of(call("POST", "/v1/auth/refresh", body)) == (401, "bad_refresh_token")


def test_it_wants_a_fresh_proof_and_the_code_of_the_new_one(ada: Person) -> None:
    stale = people.token(ada.account_id, proved_ago=timedelta(minutes=11))
    assert code_of(change(stale)) == (401, "fresh_proof_needed")
    for purpose in ("sign_in", "prove", "take_back"):
        body = {"contact": NEW, **joining.proof(NEW, purpose)}
        assert code_of(call("POST", "/v1/me/contacts/change", body, token=ada.token)) == (403, "bad_code")
    body = {"contact": NEW, **joining.proof(OLD, "verify")}
    assert code_of(call("POST", "/v1/me/contacts/change", body, token=ada.token)) == (403, "bad_code")
    assert account(ada).email == OLD


def test_a_code_changes_once(ada: Person) -> None:
    body = {"contact": NEW, **joining.proof(NEW, "verify")}
    answers = together(*[lambda: call("POST", "/v1/me/contacts/change", body, token=ada.token)] * 3)
    assert min(answer.status for answer in answers) == 200
    assert [answer.status for answer in answers].count(200) == 1


def test_what_cannot_be_changed_is_refused_and_the_code_counts_on(ada: Person) -> None:
    assert code_of(change(ada.token, OLD)) == (409, "contact_unchanged")
    body = {"contact": PHONE, **joining.proof(PHONE, "verify")}
    assert code_of(call("POST", "/v1/me/contacts/change", body, token=ada.token)) == (409, "contact_unchanged")
    assert call("POST", "/v1/me/contacts/verify", body, token=ada.token).status == 200


def test_a_contact_of_somebody_else_stays_theirs(ada: Person) -> None:
    bob = registered(NEW)
    before = dump.tables("messages", "identities")
    assert code_of(change(ada.token, NEW)) == (409, "identity_taken")
    assert dump.differences(before, dump.tables("messages", "identities")) == []
    assert by_word(NEW).json["account_id"] == bob.account_id


def test_of_two_who_want_one_contact_at_once_one_gets_it(ada: Person) -> None:
    bob = registered("bob@example.com")
    proofs = [(who, {"contact": NEW, **joining.proof(NEW, "verify")}) for who in (ada, bob)]
    answers = together(*(lambda w=w, b=b: call("POST", "/v1/me/contacts/change", b, token=w.token) for w, b in proofs))
    assert sorted(code_of(answer) for answer in answers) == [(200, ""), (409, "identity_taken")]
    assert sorted(one.email == NEW for one in (account(ada), account(bob))) == [False, True]


def test_who_registers_a_contact_while_somebody_changes_to_it(ada: Person) -> None:
    mine = {"contact": NEW, **joining.proof(NEW, "verify")}
    theirs = {"identity": NEW, "password": WORD, **joining.proof(NEW, "register")}
    answers = together(
        lambda: call("POST", "/v1/me/contacts/change", mine, token=ada.token),
        lambda: call("POST", "/v1/auth/register", theirs),
    )
    assert sorted(answer.status // 100 for answer in answers) == [2, 4]
    owner = by_code(NEW).json["account_id"]
    assert (owner == ada.account_id) is (account(ada).email == NEW)


def test_one_that_was_never_verified_is_free_at_once_and_takes_nothing_back(ada: Person) -> None:
    wrote(replace(account(ada), email_verified_at=None))
    before = messages()
    changed(ada)
    assert messages() == before + 1  # The code alone: the one of before may be a stranger's.
    assert code_of(take_back()) == (409, "nothing_to_take_back")
    assert registered(OLD).account_id != ada.account_id


def test_there_is_one_change_of_a_kind_until_it_can_be_taken_back_no_more(ada: Person, noon: clock.Fixed) -> None:
    changed(ada)
    again = in_session(ada.account_id)
    refused = change(again.token, "third@example.com")
    assert code_of(refused) == (409, "contact_just_changed")
    assert refused.json["until"] == "2026-11-25T04:00:00+00:00"
    noon.advance(timedelta(days=3))
    assert change(in_session(ada.account_id).token, "third@example.com").status == 200


# --- whose the old one is meanwhile -----------------------------------------------------------------------------------


def test_the_old_one_is_held_for_three_days_then_free(ada: Person, noon: clock.Fixed) -> None:
    changed(ada)
    bob = registered("bob@example.com")
    held = joining.register(OLD, WORD)
    assert (*code_of(held), held.json["until"]) == (409, "contact_held", "2026-11-25T04:00:00+00:00")
    assert code_of(by_code(OLD, create=True)) == (409, "contact_held")
    assert code_of(change(bob.token, OLD)) == (409, "contact_held")
    noon.advance(timedelta(days=3))
    assert code_of(take_back()) == (409, "nothing_to_take_back")
    owner = registered(OLD)
    assert by_word(OLD).json["account_id"] == owner.account_id
    service.forget(ada.account_id)  # What the first one forgets is not the second one's.
    assert by_word(OLD).json["account_id"] == owner.account_id


def test_erasure_frees_the_one_that_is_held(ada: Person) -> None:
    changed(ada)
    service.forget(ada.account_id)
    assert code_of(take_back()) == (409, "nothing_to_take_back")
    assert registered(OLD).account_id != ada.account_id


# --- taking back ------------------------------------------------------------------------------------------------------


def test_whoever_reads_the_old_one_takes_the_account_back(ada: Person) -> None:
    thief = changed(ada)
    refresh = by_word(NEW).json["refresh_token"]
    before = messages()
    assert take_back().status == 204
    assert messages() == before + 2  # The code, and what the newer one is told.
    assert code_of(by_word(OLD)) == (401, "bad_credentials")  # The password may be known.
    assert code_of(by_word(NEW)) == (401, "bad_credentials")
    assert code_of(call("POST", "/v1/auth/refresh", {"refresh_token": refresh})) == (401, "bad_refresh_token")
    assert by_code(OLD).json["account_id"] == ada.account_id
    assert code_of(change(thief, "third@example.com")) == (401, "unauthenticated")
    assert registered(NEW).account_id != ada.account_id
    assert code_of(take_back()) == (409, "nothing_to_take_back")


def test_what_was_added_with_the_change_goes_with_it(ada: Person, noon: clock.Fixed) -> None:
    kept = passkeys.added(ada.token, name="Mine")
    link = Link("lnk_" + "0" * 24, "qq", "app", "idn_" + "1" * 40, "", clock.now())
    wrote(replace(account(ada), links=(link,)))
    noon.advance(timedelta(days=2))
    thief = in_session(ada.account_id)
    theirs = passkeys.added(thief.token, name="Theirs")
    authenticator.set_up(thief)
    body = {"contact": PHONE, **joining.proof(PHONE, "verify")}
    assert call("POST", "/v1/me/contacts/verify", body, token=thief.token).status == 200
    later = Link("lnk_" + "2" * 24, "qq", "app", "idn_" + "3" * 40, "", clock.now())
    wrote(replace(account(ada), links=(link, later)))
    changed(thief)
    noon.advance(timedelta(days=2))
    assert take_back().status == 204
    left = account(ada)
    assert (left.email, left.phone, left.links, left.second_factor) == (OLD, None, (link,), "")
    assert code_of(passkeys.sign_in(theirs)) == (401, "passkey_refused")
    assert passkeys.sign_in(kept).status == 200
    assert by_code(OLD).status == 200
    assert code_of(by_code(PHONE)) == (409, "no_account_yet")


def test_a_second_factor_from_before_stays_and_is_asked_for(ada: Person, noon: clock.Fixed) -> None:
    """Whoever reads an old mailbox that its owner gave up for that does not get further than its owner's app."""
    authenticator.set_up(ada)
    noon.advance(timedelta(days=2))
    changed(in_session(ada.account_id))
    assert take_back().status == 204
    assert code_of(by_code(OLD)) == (401, "second_factor_needed")


def test_both_contacts_are_taken_back_one_after_the_other(ada: Person, noon: clock.Fixed) -> None:
    body = {"contact": PHONE, **joining.proof(PHONE, "verify")}
    assert call("POST", "/v1/me/contacts/verify", body, token=ada.token).status == 200
    noon.advance(timedelta(days=2))
    changed(in_session(ada.account_id), NEW)
    changed(in_session(ada.account_id), OTHER)
    assert take_back(OLD).status == 204
    assert (account(ada).email, account(ada).phone) == (OLD, None)
    assert take_back(PHONE).status == 204
    assert (account(ada).phone, account(ada).email) == (PHONE, OLD)
    assert by_code(PHONE).json["account_id"] == ada.account_id


def test_nobody_learns_whether_there_is_something_to_take_back(ada: Person) -> None:
    changed(ada)
    for contact in (OLD, NEW, "nobody@example.com"):
        asked = call("POST", "/v1/auth/codes", {"contact": contact, "purpose": "take_back"})
        assert (asked.status, set(asked.json)) == (202, {"code_id", "expires_in", "resend_in"})
        wrong = {"contact": contact, "code_id": asked.json["code_id"], "code": "000000"}
        if joining.code_of(contact, asked.json["code_id"]) != "000000":
            assert code_of(call("POST", "/v1/auth/contacts/take-back", wrong)) == (403, "bad_code")


def test_it_is_taken_back_once_also_of_many_at_once(ada: Person) -> None:
    changed(ada)
    body = {"contact": OLD, **joining.proof(OLD, "take_back")}
    answers = together(*[lambda: call("POST", "/v1/auth/contacts/take-back", body)] * 3)
    assert min(answer.status for answer in answers) == 204
    assert [answer.status for answer in answers].count(204) == 1
    assert account(ada).email == OLD


def test_what_it_costs(ada: Person) -> None:
    """What is read, and one transaction of code, session, account, both contacts and notice."""
    seen: list[tuple[str, int]] = []

    def watch(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        seen.append((operation, len(params.get("TransactItems", ()))))
        return proceed()

    body = {"contact": NEW, **joining.proof(NEW, "verify")}
    back = {"contact": OLD, **joining.proof(OLD, "take_back")}
    with aws.hooked(watch):
        assert call("POST", "/v1/me/contacts/change", body, token=ada.token).status == 200
    assert seen == [*[("GetItem", 0)] * 3, ("TransactWriteItems", 6)]
    seen.clear()
    with aws.hooked(watch):
        assert call("POST", "/v1/auth/contacts/take-back", back).status == 204
    # The code, the contact, its account, the app; the rows of what goes.
    assert seen == [*[("GetItem", 0)] * 4, ("BatchGetItem", 0), ("TransactWriteItems", 5)]

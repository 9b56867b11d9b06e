"""Codes that are sent, used once, and tell nobody who has an account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth import domain, service
from chalicelib.auth.codes import store
from chalicelib.auth.codes.domain import BY_CONTACT, TRIES, BadCode, CodeStatus, Purpose
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Throttled
from chalicelib.runtime import aws, names
from chalicelib.runtime.intents import system_intent
from tests.support import joining, people
from tests.support.http import Answer, call
from tests.support.letters import code_in, post_office
from tests.support.pump import Pump
from tools.fakes.messages.carriers import Carriers

ADA, PHONE, PASSWORD = "ada@example.com", "+8613800138000", "correct horse battery"
CONTACTS = [ADA, PHONE]


@pytest.fixture(autouse=True)
def moment(cloud: str, noon: clock.Fixed) -> clock.Fixed:
    return noon


@pytest.fixture
def office() -> Iterator[Carriers]:
    with post_office() as found:
        yield found


def sign_in(contact: str, password: str = PASSWORD) -> Answer:
    return call("POST", "/v1/auth/sign-in", {"identity": contact, "password": password})


def by_code(contact: str, shown: dict[str, str] | None = None, *, create: bool = False) -> Answer:
    shown = shown or joining.proof(contact, "sign_in")
    return call("POST", "/v1/auth/sign-in/code", {"contact": contact, "create": create, **shown})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def rows(table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.call("dynamodb", "Scan", {"TableName": names.table_name(table)})["Items"]
    return found


@pytest.mark.parametrize("contact", CONTACTS)
def test_registering_takes_the_code_that_arrives(office: Carriers, contact: str) -> None:
    body = {"identity": contact, "password": PASSWORD}
    assert call("POST", "/v1/auth/register", body).json["code"] == "code_needed"
    code_id = joining.ask(contact, "register")
    Pump(duplicate=3).drain()
    (letter,) = office.mailbox.letters(contact)
    shown = {"code_id": code_id, "code": code_in(letter.text)}
    refused = call("POST", "/v1/auth/register", {**body, "code_id": code_id, "code": wrong(shown["code"])})
    assert (refused.status, refused.json["code"]) == (403, "bad_code")
    made = call("POST", "/v1/auth/register", {**body, **shown}, key="the-same-key")
    assert made.status == 201
    assert made.json["email_verified_at" if "@" in contact else "phone_verified_at"]
    again = call("POST", "/v1/auth/register", {**body, **shown}, key="the-same-key")
    assert (again.status, again.json["account_id"]) == (201, made.json["account_id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert sign_in(contact).status == 200


@pytest.mark.parametrize("contact", CONTACTS)
@pytest.mark.parametrize("purpose", ["register", "sign_in", "reset", "verify", "prove"])
def test_an_account_shows_in_no_answer_and_in_no_call(contact: str, purpose: str) -> None:
    """Status, body, headers, and every call to AWS with its size: equal for who is there and who is not."""
    service.register(contact, PASSWORD, intent=system_intent(contact))
    joining.ask("warm@example.com", "sign_in")  # Secrets are read by the first.
    other = "eve@example.com" if "@" in contact else "+8613800138001"
    told: list[Any] = []
    for who in (contact, other):
        calls: list[tuple[str, str]] = []

        def watch(asked: str, operation: str, params: dict[str, Any], proceed: Any, calls: Any = calls) -> Any:
            calls.append((asked, operation))
            return proceed()

        with aws.hooked(watch):
            sent = call("POST", "/v1/auth/codes", {"contact": who, "purpose": purpose}, key="same-key-1")
            shown = {"code_id": sent.json["code_id"], "code": "000000"}
            tries = [
                call("POST", "/v1/auth/register", {"identity": who, "password": PASSWORD, **shown}, key="same-key-2"),
                call("POST", "/v1/auth/sign-in/code", {"contact": who, **shown}, key="same-key-3"),
                call("POST", "/v1/auth/password/reset", {"contact": who, "password": "another horse battery", **shown}),
            ]
        answers = [{**one.json, "request_id": ""} for one in tries]
        told.append((sent.status, set(sent.json), set(sent.headers), [one.status for one in tries], answers, calls))
    assert told[0] == told[1]
    assert told[0][0] == 202


def test_the_owner_is_told_and_a_strangers_code_is_none(office: Carriers) -> None:
    service.register(ADA, PASSWORD, intent=system_intent(ADA))
    joining.ask(ADA, "register")
    joining.ask("eve@example.com", "reset")
    Pump(duplicate=10).drain()
    (to_ada,) = office.mailbox.letters(ADA)
    (to_eve,) = office.mailbox.letters("eve@example.com")
    assert "It has an account already" in to_ada.text
    assert "has no account with us" in to_eve.text
    assert sign_in(ADA).status == 200


def test_a_repeated_question_sends_one_message(office: Carriers) -> None:
    first = call("POST", "/v1/auth/codes", {"contact": ADA, "purpose": "sign_in"}, key="the-same-key")
    again = call("POST", "/v1/auth/codes", {"contact": ADA, "purpose": "sign_in"}, key="the-same-key")
    Pump(duplicate=10).drain()
    assert first.json == again.json
    assert len(office.mailbox.letters()) == 1


def test_a_code_is_good_once_for_its_purpose_its_contact_and_ten_minutes(moment: clock.Fixed) -> None:
    shown = joining.proof(ADA, "sign_in")
    reset = {"contact": ADA, "password": "another horse battery", **shown}
    assert call("POST", "/v1/auth/password/reset", reset).json["code"] == "bad_code"
    assert by_code("eve@example.com", shown, create=True).json["code"] == "bad_code"
    assert by_code(ADA, shown).json["code"] == "no_account_yet"
    assert by_code(ADA, shown, create=True).status == 200
    assert by_code(ADA, shown, create=True).json["code"] == "bad_code"
    late = joining.proof(ADA, "sign_in")
    moment.advance(timedelta(minutes=10))
    assert by_code(ADA, late).json["code"] == "bad_code"


def test_five_wrong_guesses_spend_it_and_leave_the_owners_own_alone() -> None:
    mine, theirs = joining.proof(ADA, "sign_in"), joining.proof(ADA, "sign_in")
    for _ in range(TRIES):
        guess = {**theirs, "code": wrong(theirs["code"])}
        assert by_code(ADA, guess, create=True).json["code"] == "bad_code"
    assert by_code(ADA, theirs, create=True).json["code"] == "bad_code"
    spent = store.load(theirs["code_id"])
    assert spent is not None
    assert (spent.status, spent.tries) == (CodeStatus.SPENT, TRIES)
    assert by_code(ADA, mine, create=True).status == 200


def test_guesses_at_the_same_moment_are_no_more_than_one_after_the_other() -> None:
    shown = joining.proof(ADA, "sign_in")
    contact = domain.identity(ADA)
    looked: list[str] = []

    def guess(number: int) -> str:
        try:
            service.codes.check(Purpose.SIGN_IN, contact, code_id=shown["code_id"], code=f"{number:06d}")
        except BadCode:
            looked.append("no")
            return "no"
        except Exception as error:
            return type(error).__name__
        return "right"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, [n for n in range(24) if f"{n:06d}" != shown["code"]]))
    kept = store.load(shown["code_id"])
    assert kept is not None
    assert kept.tries <= TRIES
    assert kept.version <= TRIES + 1


def test_two_who_use_it_at_the_same_moment_are_one(office: Carriers) -> None:
    shown = joining.proof(ADA, "register")
    body = {"identity": ADA, "password": PASSWORD, **shown}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: call("POST", "/v1/auth/register", body, key=f"key-number-{n}"), range(4)))
    assert sorted(answer.status for answer in answers) == [201, 403, 403, 403]
    assert len([row for row in rows("accounts") if row["id"]["S"] == "account"]) == 1


def test_no_row_holds_a_code_or_a_contact() -> None:
    for contact in CONTACTS:
        shown = joining.proof(contact, "sign_in")
        kept = json.dumps([*rows("identities"), *rows("messages")])
        assert shown["code"] not in kept
        assert contact not in kept
        assert contact.lstrip("+86") not in kept


def test_a_new_password_by_a_code_ends_every_session(office: Carriers) -> None:
    service.register(ADA, PASSWORD, intent=system_intent(ADA))
    before = sign_in(ADA).json
    shown = joining.proof(ADA, "reset")
    weak = call("POST", "/v1/auth/password/reset", {"contact": ADA, "password": "password123", **shown})
    assert weak.json["code"] == "weak_password"
    body = {"contact": ADA, "password": "another horse battery", **shown}
    assert call("POST", "/v1/auth/password/reset", body).status == 204
    assert call("POST", "/v1/auth/password/reset", body).json["code"] == "bad_code"
    assert call("POST", "/v1/auth/refresh", {"refresh_token": before["refresh_token"]}).status == 401
    assert sign_in(ADA).status == 401
    assert sign_in(ADA, "another horse battery").status == 200
    Pump(duplicate=10).drain()
    assert office.mailbox.letters(ADA)[0].subject == "Your password was changed"


def test_changing_the_password_wants_a_fresh_proof_and_keeps_this_session(moment: clock.Fixed) -> None:
    service.register(ADA, PASSWORD, intent=system_intent(ADA))
    here, there = sign_in(ADA).json, sign_in(ADA).json
    moment.advance(timedelta(minutes=10, seconds=1))
    here = call("POST", "/v1/auth/refresh", {"refresh_token": here["refresh_token"]}).json
    body = {"password": "another horse battery"}
    asked = call("PUT", "/v1/me/password", body, token=here["access_token"])
    assert (asked.status, asked.json["code"], asked.json["methods"]) == (
        401, "fresh_proof_needed", ["password", "code"],
    )  # fmt: skip
    shown = {"contact": ADA, **joining.proof(ADA, "prove")}
    fresh = call("POST", "/v1/auth/prove/code", shown, token=here["access_token"]).json["access_token"]
    weak = call("PUT", "/v1/me/password", {"password": "ada@example.com1"}, token=fresh)
    assert weak.json["code"] == "weak_password"
    changed = call("PUT", "/v1/me/password", body, token=fresh)
    assert changed.status == 200
    assert call("POST", "/v1/auth/refresh", {"refresh_token": there["refresh_token"]}).status == 401
    assert call("POST", "/v1/auth/refresh", {"refresh_token": changed.json["refresh_token"]}).status == 200
    assert sign_in(ADA).status == 401
    assert sign_in(ADA, "another horse battery").status == 200


def test_a_contact_is_verified_once_and_belongs_to_one() -> None:
    buyer, other = people.buyer(), people.buyer()
    me = call("GET", "/v1/me", token=buyer.token).json
    assert "phone_verified_at" not in me
    shown = {"contact": PHONE, **joining.proof(PHONE, "verify")}
    mine = call("POST", "/v1/me/contacts/verify", shown, token=buyer.token)
    assert (mine.status, mine.json["phone"]) == (200, PHONE)
    assert mine.json["phone_verified_at"]
    shown = {"contact": PHONE, **joining.proof(PHONE, "verify")}
    assert call("POST", "/v1/me/contacts/verify", shown, token=other.token).json["code"] == "identity_taken"
    second = {"contact": "+8613800138001", **joining.proof("+8613800138001", "verify")}
    assert call("POST", "/v1/me/contacts/verify", second, token=buyer.token).json["code"] == "contact_set"
    assert by_code(PHONE).json["account_id"] == buyer.account_id


def test_a_strangers_password_does_not_wait_for_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who registered a contact that is not theirs is out when its owner comes."""
    monkeypatch.setenv("BIANDAN_REGISTRATION", "open")
    assert call("POST", "/v1/auth/register", {"identity": ADA, "password": "the stranger's own words"}).status == 201
    theirs = sign_in(ADA, "the stranger's own words").json
    assert by_code(ADA).json["account_id"] == theirs["account_id"]
    assert sign_in(ADA, "the stranger's own words").status == 401
    assert call("POST", "/v1/auth/refresh", {"refresh_token": theirs["refresh_token"]}).status == 401


def test_open_registration_is_never_prods(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.auth.codes import proving

    monkeypatch.setenv("BIANDAN_REGISTRATION", "open")
    monkeypatch.setattr(proving, "config", type("Prod", (), {"stage": "prod"}))
    refused = call("POST", "/v1/auth/register", {"identity": ADA, "password": PASSWORD})
    assert refused.json["code"] == "code_needed"


def test_a_stranger_who_asks_for_codes_does_not_shut_the_owner_out() -> None:
    service.register(ADA, PASSWORD, intent=system_intent(ADA))
    device = sign_in(ADA).json["device_token"]

    def ask(number: int, source_ip: str, token: str | None = None) -> bool:
        asked = service.codes.Asked(Purpose.SIGN_IN, domain.identity(ADA), source_ip, "zh", token)
        try:
            service.codes.send(asked, intent=system_intent(f"{source_ip}#{number}"))
        except Throttled:
            return False
        return True

    taken = [ask(number, f"203.0.113.{number // 3}") for number in range(30)]
    assert taken.count(True) == BY_CONTACT.attempts
    assert not ask(1, "192.0.2.1")
    assert ask(1, "192.0.2.1", device)
    assert [ask(number, "192.0.2.2") for number in range(1)] == [False]


@pytest.mark.parametrize(
    "password",
    [
        "1234567890", "password123", "qwertyuiop", "iloveyou12", "woaini1314", "P@ssw0rd123", "Admin12345",
        "abcd1234567", "5201314520", "Password2024!", "Zhang123456", "sunshine2023", "letmein1234", "q1w2e3r4t5",
        "ada@example.com1", "Ada@Example.com", "adaadaada1",
    ],
)  # fmt: skip
def test_a_password_that_a_guesser_tries_first_is_refused(password: str) -> None:
    refused = call("POST", "/v1/auth/register", {"identity": ADA, "password": password, "nickname": "ada"})
    assert refused.json["code"] in ("weak_password", "code_needed")
    with pytest.raises(domain.WeakPassword):
        service.register(ADA, password, intent=system_intent(password), nickname="ada")

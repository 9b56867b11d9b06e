"""Passkeys: adding, signing in, finishing a sign-in and proving with one, removing; and all that is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chalicelib.auth import relying_party, service, store
from chalicelib.auth.passkeys import domain
from chalicelib.auth.passkeys import store as passkey_store
from chalicelib.auth.required_factors import SETTING
from chalicelib.kernel import base64url, clock
from chalicelib.runtime import aws
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import authenticator, dump, joining, passkeys, people
from tests.support.http import Answer, call
from tests.support.passkeys import ATTESTED, BACKED_UP, ELIGIBLE, PRESENT, VERIFIED, Authenticator, client_data
from tests.support.people import Person

WORD = "correct horse battery"
LATER = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def _world(cloud: str, noon: clock.Fixed) -> None:
    """An empty shop at noon."""


def person() -> Person:
    """Somebody who is signed in, and has just proved it."""
    found = people.buyer()
    people.session(found)
    return found


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def together(*acts: Callable[[], Answer]) -> list[Answer]:
    """Do all of it at the same moment."""
    ready = Barrier(len(acts))

    def go(act: Callable[[], Answer]) -> Answer:
        ready.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(go, acts))


def listed(token: str) -> list[dict[str, Any]]:
    return list(call("GET", "/v1/me/passkeys", token=token).json["items"])


# --- adding and signing in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
def test_a_passkey_is_added_and_signs_in(kind: str) -> None:
    ada = person()
    mine = passkeys.added(ada.token, kind=kind, name="Ada's telephone")
    got = passkeys.sign_in(mine)
    assert got.status == 200, got.body
    assert got.json["account_id"] == ada.account_id
    assert service.authenticate(got.json["access_token"]).amr == ("pop", "user", "mfa")
    assert got.json["device_token"]
    [seen] = listed(ada.token)
    assert (seen["name"], seen["is_backed_up"], seen["may_be_backed_up"]) == ("Ada's telephone", False, False)
    assert seen["used_at"] == "2026-11-22T04:00:00.000Z"


def test_what_a_browser_is_to_make() -> None:
    ada = person()
    mine = passkeys.added(ada.token)
    begun = call("POST", "/v1/me/passkeys/begin", token=ada.token).json
    wanted = begun["public_key"]
    assert wanted["rp"] == {"id": "localhost", "name": "Biandan"}
    assert wanted["attestation"] == "none"
    assert wanted["authenticatorSelection"] == {
        "residentKey": "required", "requireResidentKey": True, "userVerification": "required",
    }  # fmt: skip
    assert {one["alg"] for one in wanted["pubKeyCredParams"]} == {-7, -8, -257}
    assert [one["id"] for one in wanted["excludeCredentials"]] == [passkeys.text(mine.credential)]
    assert ada.account_id not in wanted["user"]["id"]
    assert wanted["challenge"] in begun["challenge"]


def test_a_sign_in_is_begun_the_same_for_everybody() -> None:
    """Nobody says who they are, so nobody learns who is there."""
    passkeys.added(person().token)
    begun = passkeys.begin()
    assert begun["public_key"]["allowCredentials"] == []
    assert set(begun["public_key"]) == {"challenge", "rpId", "allowCredentials", "userVerification", "timeout"}
    strange, mine = Authenticator(user=passkeys.text(b"u" * 32)), passkeys.added(person().token)
    told = [passkeys.sign_in(strange), passkeys.sign_in(mine, signature=b"\x30\x00")]
    kept = [{**one.json, "request_id": ""} for one in told]
    assert kept[0] == kept[1]
    assert kept[0]["code"] == "passkey_refused"


def test_what_is_written_is_sealed_or_public() -> None:
    ada = person()
    passkeys.added(ada.token, name="The telephone of Ada")
    assert "telephone of Ada" not in json.dumps(dump.tables())


def test_its_person_is_told() -> None:
    account_id = str(joining.register("ada@example.com", WORD).json["account_id"])
    before = len(dump.tables()["messages"])
    ada = Person(account_id, people.token(account_id))
    people.session(ada)
    passkeys.added(ada.token)
    assert len(dump.tables()["messages"]) == before + 1


# --- what is made and refused ---------------------------------------------------------------------------------------

CURVE = ec.generate_private_key(ec.SECP384R1())
NO_KEY: dict[int, Any] = {1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: b"\x02" * 32}
SHORT = rsa.generate_private_key(65537, 1024).public_key().public_numbers()


def _rsa(n: int, e: int) -> dict[int, Any]:
    return {1: 3, 3: -257, -1: n.to_bytes((n.bit_length() + 7) // 8), -2: e.to_bytes(3)}


WRONG_WHEN_MADE: dict[str, dict[str, Any]] = {
    "another challenge": {"challenge": passkeys.text(b"c" * 32)},
    "no challenge": {"challenge": ""},
    "a challenge that is no text": {"challenge": 7},
    "another origin": {"origin": "https://evil.example"},
    "an origin that begins alike": {"origin": "http://localhost.evil.example"},
    "an origin with a path": {"origin": "http://localhost:5173/"},
    "https of the same name": {"origin": "https://localhost"},
    "no origin": {"origin": ""},
    "an origin that is no text": {"origin": ["http://localhost:5173"]},
    "a page in another's frame": {"client": None},
    "another domain": {"domain": "example.com"},
    "nobody was there": {"flags": VERIFIED | ATTESTED},
    "its person was not known again": {"flags": PRESENT | ATTESTED},
    "backed up and not eligible": {"flags": PRESENT | VERIFIED | BACKED_UP | ATTESTED},
    "nothing attested": {"flags": PRESENT | VERIFIED},
    "bytes behind its data": {"tail": b"\x00"},
    "another id": {"id": b"another one of theirs"},
    "attested by its maker": {"object": {"fmt": "packed", "attStmt": {"alg": -7, "sig": b"\x30\x00"}}},
    "a statement where there is none": {"object": {"attStmt": {"sig": b"\x30\x00"}}},
    "a format nobody knows": {"object": {"fmt": "none2"}},
    "no format": {"object": {"fmt": 3}},
    "an algorithm that nobody asked for": {"cose": {**NO_KEY, 3: -35}},
    "a point on no curve": {"cose": NO_KEY},
    "a key of another kind than its algorithm": {"cose": {**NO_KEY, 3: -257}},
    "another curve": {"cose": {1: 2, 3: -7, -1: 2, -2: b"\x01" * 48, -3: b"\x02" * 48}},
    "a key without its kind": {"cose": {3: -7}},
    "a short key of RSA": {"cose": _rsa(SHORT.n, 65537)},
    "an exponent of one": {"cose": _rsa((1 << 2048) + 1, 1)},
    "a key that is no map": {"key": cbor2.dumps([1, 2])},
    "no key": {"key": b""},
    "no CBOR": {"attestation": b"\xff\xff"},
    "CBOR without end": {"attestation": b"\x81" * 3000},
    "a length that nobody has": {"attestation": b"\x5b" + b"\xff" * 8},
    "no JSON": {"client": b"{"},
    "JSON that is a list": {"client": b"[]"},
    "JSON without end": {"client": b"[" * 2000},
    "another ceremony": {"client": b"get"},
}


@pytest.mark.parametrize("why", WRONG_WHEN_MADE)
def test_what_was_not_asked_for_is_not_added(why: str) -> None:
    ada, mine = person(), Authenticator()
    begun = call("POST", "/v1/me/passkeys/begin", token=ada.token).json
    other = dict(WRONG_WHEN_MADE[why])
    asked = begun["public_key"]["challenge"]
    if why == "a page in another's frame":
        other["client"] = client_data("create", asked, passkeys.ORIGIN, crossOrigin=True)
    if why == "another ceremony":
        other["client"] = client_data("get", asked, passkeys.ORIGIN)
    made = mine.make(begun["public_key"], **other)
    before = dump.tables("identities")
    body = {"challenge": begun["challenge"], "credential": made, "name": "Laptop"}
    refused = call("POST", "/v1/me/passkeys", body, token=ada.token)
    assert code_of(refused) == (422, "passkey_unusable"), refused.body
    assert dump.differences(before, dump.tables("identities")) == []
    assert listed(ada.token) == []


def test_an_attestation_that_is_true_is_refused_too() -> None:
    """None was asked for: whoever sends one is no browser that was told so."""
    ada, mine = person(), Authenticator()
    begun = call("POST", "/v1/me/passkeys/begin", token=ada.token).json
    made = mine.make(begun["public_key"])
    whole = cbor2.loads(base64url.decode(made["attestation"]))
    signed = mine.sign(whole["authData"] + hashlib.sha256(base64url.decode(made["client_data"])).digest())
    made["attestation"] = passkeys.text(cbor2.dumps({**whole, "fmt": "packed", "attStmt": {"alg": -7, "sig": signed}}))
    body = {"challenge": begun["challenge"], "credential": made, "name": "Laptop"}
    assert code_of(call("POST", "/v1/me/passkeys", body, token=ada.token)) == (422, "passkey_unusable")


def test_a_beginning_counts_once_for_its_person_session_and_purpose(noon: clock.Fixed) -> None:
    ada, eve = person(), person()
    begun = call("POST", "/v1/me/passkeys/begin", token=ada.token).json
    body = {"challenge": begun["challenge"], "credential": Authenticator().make(begun["public_key"]), "name": "A"}
    elsewhere = Person(ada.account_id, people.token(ada.account_id))
    people.session(elsewhere)
    for token in (eve.token, elsewhere.token):
        assert code_of(call("POST", "/v1/me/passkeys", body, token=token)) == (401, "challenge_over")
    assert call("POST", "/v1/me/passkeys", body, token=ada.token).status == 201
    assert code_of(call("POST", "/v1/me/passkeys", body, token=ada.token)) == (401, "challenge_over")
    for foreign in (passkeys.begin(), call("POST", "/v1/auth/prove/passkey/begin", token=ada.token).json):
        options = {**begun["public_key"], "challenge": foreign["public_key"]["challenge"]}
        body = {"challenge": foreign["challenge"], "credential": Authenticator().make(options), "name": "A"}
        assert code_of(call("POST", "/v1/me/passkeys", body, token=ada.token)) == (401, "challenge_over")
    begun = call("POST", "/v1/me/passkeys/begin", token=ada.token).json
    body = {"challenge": begun["challenge"], "credential": Authenticator().make(begun["public_key"]), "name": "A"}
    noon.advance(timedelta(minutes=5))
    assert code_of(call("POST", "/v1/me/passkeys", body, token=ada.token)) == (401, "challenge_over")


def test_adding_and_removing_want_a_fresh_proof(noon: clock.Fixed) -> None:
    ada = person()
    noon.advance(timedelta(minutes=11))
    for method, path in (
        ("POST", "/v1/me/passkeys/begin"), ("POST", "/v1/me/passkeys"), ("DELETE", "/v1/me/passkeys/pky_" + "0" * 24),
    ):  # fmt: skip
        token = people.token(ada.account_id, proved_ago=timedelta(minutes=11))
        assert code_of(call(method, path, token=token)) == (401, "fresh_proof_needed")


def test_a_passkey_of_one_account_is_added_to_no_other() -> None:
    ada, eve = person(), person()
    mine = passkeys.added(ada.token)
    for token in (ada.token, eve.token):
        assert code_of(passkeys.add(token, mine)) == (409, "passkey_known")
    assert listed(eve.token) == []
    assert passkeys.sign_in(replace(mine, user=service.passkeys.user_of(ada.account_id))).status == 200


def test_of_two_who_add_one_passkey_at_once_one_has_it() -> None:
    ada, eve = person(), person()
    mine = Authenticator()
    asked = [(who, call("POST", "/v1/me/passkeys/begin", token=who.token).json) for who in (ada, eve)]
    bodies = [
        (who, {"challenge": begun["challenge"], "credential": mine.make(begun["public_key"]), "name": "A"})
        for who, begun in asked
    ]
    answers = together(*(lambda w=w, b=b: call("POST", "/v1/me/passkeys", b, token=w.token) for w, b in bodies))
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert sorted(len(listed(who.token)) for who in (ada, eve)) == [0, 1]


def test_an_account_has_ten_at_most_also_of_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.auth.passkeys import service as subject

    monkeypatch.setattr(subject, "MOST_PASSKEYS", 2)
    ada = person()
    passkeys.added(ada.token)
    asked = [call("POST", "/v1/me/passkeys/begin", token=ada.token).json for _ in range(3)]
    bodies = [
        {"challenge": begun["challenge"], "credential": Authenticator().make(begun["public_key"]), "name": "A"}
        for begun in asked
    ]
    answers = together(*(lambda b=b: call("POST", "/v1/me/passkeys", b, token=ada.token) for b in bodies))
    assert sorted(answer.status for answer in answers) == [201, 409, 409]
    assert code_of(call("POST", "/v1/me/passkeys/begin", token=ada.token)) == (409, "too_many_passkeys")
    assert domain.MOST_PASSKEYS == 10


# --- what is signed and refused -------------------------------------------------------------------------------------

WRONG_WHEN_SIGNED: dict[str, dict[str, Any]] = {
    "another challenge": {"challenge": passkeys.text(b"c" * 32)},
    "another origin": {"origin": "https://evil.example"},
    "an origin that ends alike": {"origin": "http://evil-localhost:5173"},
    "another domain": {"domain": "example.com"},
    "nobody was there": {"flags": VERIFIED},
    "its person was not known again": {"flags": PRESENT},
    "eligible unlike when it was made": {"flags": PRESENT | VERIFIED | ELIGIBLE},
    "backed up and not eligible": {"flags": PRESENT | VERIFIED | BACKED_UP},
    "another's signature": {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"},
    "no signature": {"signature": b"\x00\x00"},
    "bytes behind its data": {"tail": b"\x00"},
    "another account": {"user": passkeys.text(b"u" * 32)},
    "no account": {"user": None},
    "an id that nobody has": {"id": b"nobody's"},
    "no JSON": {"client": b"{]"},
    "another ceremony": {"kind": "create"},
}


@pytest.mark.parametrize("why", WRONG_WHEN_SIGNED)
def test_what_was_not_asked_for_signs_nobody_in(why: str) -> None:
    ada = person()
    mine = passkeys.added(ada.token)
    before = dump.tables("identities")
    refused = passkeys.sign_in(mine, **WRONG_WHEN_SIGNED[why])
    assert code_of(refused) == (401, "passkey_refused"), refused.body
    assert dump.differences(before, dump.tables("identities")) == []
    assert listed(ada.token)[0].get("used_at") is None
    assert passkeys.sign_in(mine).status == 200


def test_what_was_signed_counts_once_and_for_minutes(noon: clock.Fixed) -> None:
    mine = passkeys.added(person().token)
    begun = passkeys.begin()
    body = {"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"])}
    assert call("POST", "/v1/auth/sign-in/passkey", body).status == 200
    assert code_of(call("POST", "/v1/auth/sign-in/passkey", body)) == (401, "challenge_over")
    fresh = passkeys.begin()["challenge"]
    assert code_of(call("POST", "/v1/auth/sign-in/passkey", {**body, "challenge": fresh})) == (401, "passkey_refused")
    begun = passkeys.begin()
    body = {"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"])}
    noon.advance(timedelta(minutes=5))
    assert code_of(call("POST", "/v1/auth/sign-in/passkey", body)) == (401, "challenge_over")


def test_one_answer_at_the_same_moment_starts_one_session() -> None:
    mine = passkeys.added(person().token)
    begun = passkeys.begin()
    body = {"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"])}
    answers = together(*[lambda: call("POST", "/v1/auth/sign-in/passkey", body)] * 4)
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


def test_two_tabs_sign_in_with_one_passkey_that_does_not_count() -> None:
    mine = passkeys.added(person().token, counts=False)
    answers = together(*[lambda: passkeys.sign_in(mine)] * 3)
    assert [answer.status for answer in answers] == [200] * 3


def test_a_counter_that_goes_back_is_refused_and_shown() -> None:
    ada = person()
    mine = passkeys.added(ada.token)
    assert passkeys.sign_in(mine, signs=7).status == 200
    for signs in (7, 6, 0):
        assert code_of(passkeys.sign_in(mine, signs=signs)) == (401, "passkey_refused")
    [seen] = listed(ada.token)
    assert seen["copied_at"] == "2026-11-22T04:00:00.000Z"
    assert passkeys.sign_in(mine, signs=8).status == 200


def test_backing_up_is_noted() -> None:
    ada = person()
    mine = passkeys.added(ada.token, flags=PRESENT | VERIFIED | ELIGIBLE)
    assert (listed(ada.token)[0]["may_be_backed_up"], listed(ada.token)[0]["is_backed_up"]) == (True, False)
    mine.flags |= BACKED_UP
    assert passkeys.sign_in(mine).status == 200
    assert listed(ada.token)[0]["is_backed_up"] is True


def test_very_many_refusals_of_one_network_are_looked_at_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = passkeys.added(person().token)
    device = passkeys.sign_in(mine).json["device_token"]
    monkeypatch.setattr(domain, "REFUSED", replace(domain.REFUSED, attempts=3))
    strange = Authenticator(user=passkeys.text(b"u" * 32))
    assert [passkeys.sign_in(strange).status for _ in range(5)] == [401, 401, 401, 429, 429]
    begun = passkeys.begin()
    body = {"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"]), "device_token": device}
    assert call("POST", "/v1/auth/sign-in/passkey", body).status == 200


def test_a_row_that_its_account_does_not_name_opens_nothing() -> None:
    ada = person()
    mine = passkeys.added(ada.token)
    account = store.load_account(ada.account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, passkeys=())))
    assert code_of(passkeys.sign_in(mine)) == (401, "passkey_refused")


# --- names and removing ---------------------------------------------------------------------------------------------


def test_a_passkey_is_named_and_removed_by_its_owner_alone() -> None:
    ada, eve = person(), person()
    people.with_password(ada, WORD)
    mine = passkeys.added(ada.token)
    path = f"/v1/me/passkeys/{listed(ada.token)[0]['passkey_id']}"
    assert call("PATCH", path, {"name": "Key"}, token=ada.token).json["name"] == "Key"
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        assert code_of(call(method, path, body, token=eve.token)) == (404, "not_found")
    assert listed(ada.token)[0]["name"] == "Key"
    _with_a_way(ada)
    assert call("DELETE", path, token=ada.token).status == 204
    assert code_of(call("DELETE", path, token=ada.token)) == (404, "not_found")
    assert code_of(passkeys.sign_in(mine)) == (401, "passkey_refused")
    assert passkeys.add(ada.token, mine).status == 201


def _with_a_way(who: Person) -> None:
    """Let an e-mail address and a password open the account, too."""
    account = store.load_account(who.account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, email=f"{uuid4().hex[:10]}@example.com", password_hash="x")))


def test_the_last_way_to_sign_in_stays_also_of_two_removed_at_once() -> None:
    ada = person()
    account = store.load_account(ada.account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, email=None, phone=None, password_hash="", links=())))
    for name in ("A", "B"):
        passkeys.added(ada.token, name=name)
    paths = [f"/v1/me/passkeys/{one['passkey_id']}" for one in listed(ada.token)]
    answers = together(*(lambda p=p: call("DELETE", p, token=ada.token) for p in paths))
    assert sorted(code_of(answer) for answer in answers) == [(204, ""), (409, "last_way_to_sign_in")]
    assert len(listed(ada.token)) == 1


def test_a_removal_and_a_sign_in_at_once_leave_nothing_half() -> None:
    ada = person()
    _with_a_way(ada)
    mine = passkeys.added(ada.token)
    path = f"/v1/me/passkeys/{listed(ada.token)[0]['passkey_id']}"
    together(lambda: call("DELETE", path, token=ada.token), lambda: passkeys.sign_in(mine))
    assert listed(ada.token) == []
    assert passkey_store.load(path.rpartition("/")[2]) is None


def test_who_proves_a_contact_ends_the_passkeys_of_whoever_had_registered_it() -> None:
    account_id = str(joining.register("ada@example.com", WORD).json["account_id"])
    account = store.load_account(account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:  # As a stage with open registration leaves it: nobody proved the contact.
        work.save(store.account_row(replace(account, email_verified_at=None)))
    stranger = Person(account_id, people.token(account_id))
    people.session(stranger)
    theirs = passkeys.added(stranger.token)
    body = {"contact": "ada@example.com", **joining.proof("ada@example.com", "sign_in")}
    assert call("POST", "/v1/auth/sign-in/code", body).status == 200
    assert code_of(passkeys.sign_in(theirs)) == (401, "passkey_refused")
    assert passkey_store.load(service.passkeys.id_of(passkeys.text(theirs.credential))) is None


def test_erasure_forgets_them() -> None:
    ada = person()
    mine = passkeys.added(ada.token)
    service.forget(ada.account_id)
    assert code_of(passkeys.sign_in(mine)) == (401, "passkey_refused")
    assert passkeys.text(mine.credential) not in json.dumps(dump.tables())


# --- proving once more, and the second step -------------------------------------------------------------------------


def test_a_passkey_proves_once_more_who_one_is() -> None:
    ada, eve = person(), person()
    mine, theirs = passkeys.added(ada.token), passkeys.added(eve.token)
    stale = people.token(ada.account_id, proved_ago=timedelta(hours=1))
    people.session(Person(ada.account_id, stale))
    refused = call("POST", "/v1/me/passkeys/begin", token=stale)
    assert "passkey" in refused.json["methods"]
    proof = passkeys.prove(stale, mine)
    assert proof.status == 200, proof.body
    assert call("POST", "/v1/me/passkeys/begin", token=proof.json["access_token"]).status == 200
    assert code_of(passkeys.prove(stale, theirs)) == (403, "wrong_proof")
    assert code_of(passkeys.prove(stale, mine, origin="https://evil.example")) == (403, "wrong_proof")
    assert passkeys.prove(stale, mine, flags=PRESENT).status == 200  # That it is there is a proof of its own.
    begun = call("POST", "/v1/auth/prove/passkey/begin", token=eve.token).json
    body = {"challenge": begun["challenge"], "credential": mine.answer(begun["public_key"])}
    assert code_of(call("POST", "/v1/auth/prove/passkey", body, token=ada.token)) == (401, "challenge_over")


def test_a_passkey_is_a_second_factor_with_or_without_its_person_known() -> None:
    account_id = str(joining.register("ada@example.com", WORD).json["account_id"])
    ada = Person(account_id, people.token(account_id))
    people.session(ada)
    mine, theirs = passkeys.added(ada.token), passkeys.added(person().token)
    authenticator.set_up(ada, confirmed=True)
    words = {"identity": "ada@example.com", "password": WORD}

    def second(by: Authenticator, **other: Any) -> Answer:
        first = call("POST", "/v1/auth/sign-in", words).json
        assert first["methods"] == ["totp", "recovery_code", "passkey"]
        body = {"challenge": first["challenge"], "credential": by.answer(first["public_key"], **other)}
        return call("POST", "/v1/auth/sign-in/second-step", body)

    got = second(mine, flags=PRESENT)
    assert got.status == 200, got.body
    assert service.authenticate(got.json["access_token"]).amr == ("pwd", "pop", "mfa")
    assert service.authenticate(second(mine).json["access_token"]).amr == ("pwd", "pop", "user", "mfa")
    assert code_of(second(theirs)) == (403, "wrong_proof")
    assert code_of(second(mine, challenge=passkeys.text(b"c" * 32))) == (403, "wrong_proof")
    whole = passkeys.sign_in(mine)
    assert whole.status == 200  # Two factors by itself.


def test_a_code_that_stops_at_the_second_factor_is_used_up() -> None:
    account_id = str(joining.register("ada@example.com", WORD).json["account_id"])
    authenticator.set_up(Person(account_id, people.token(account_id)), confirmed=True)
    body = {"contact": "ada@example.com", **joining.proof("ada@example.com", "sign_in")}
    first = call("POST", "/v1/auth/sign-in/code", body)
    assert code_of(first) == (401, "second_factor_needed")
    assert code_of(call("POST", "/v1/auth/sign-in/code", body)) == (403, "bad_code")


def test_an_operator_who_must_have_a_second_factor_has_one_in_a_passkey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "operator")
    operator = people.operator()
    people.session(operator)
    path = "/v1/operator/role-requests"
    assert code_of(call("GET", path, token=operator.token)) == (403, "second_factor_required")
    mine = passkeys.added(operator.token)
    assert code_of(call("GET", path, token=operator.token)) == (403, "second_factor_required")
    assert call("GET", path, token=passkeys.sign_in(mine).json["access_token"]).status == 200


# --- what it costs --------------------------------------------------------------------------------------------------


def test_what_a_sign_in_costs() -> None:
    mine = passkeys.added(person().token)
    seen: list[str] = []

    def watch(service_: str, operation: str, params: object, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        assert passkeys.sign_in(mine).status == 200
    # The beginning; what is counted of the network; the step, counted; passkey and account; all of it as one.
    assert seen == ["PutItem", *["GetItem"] * 2, "PutItem", *["GetItem"] * 2, "TransactWriteItems"]


# --- where it is offered --------------------------------------------------------------------------------------------


def test_a_stage_that_says_no_domain_offers_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = person()
    monkeypatch.setattr(type(config()), "is_local", property(lambda _: False), raising=False)
    for path in ("/v1/me/passkeys/begin", "/v1/auth/prove/passkey/begin", "/v1/auth/sign-in/passkey/begin"):
        assert code_of(call("POST", path, token=ada.token)) == (404, "passkeys_not_offered")


def test_a_stage_takes_its_own_origins_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(relying_party.DOMAIN, "shop.example.org")
    monkeypatch.setenv(relying_party.ORIGINS, "https://shop.example.org,https://m.shop.example.org")
    ada = person()
    mine = Authenticator()
    assert passkeys.add(ada.token, mine, origin="https://shop.example.org").status == 201
    assert passkeys.sign_in(mine, origin="https://m.shop.example.org").status == 200
    for origin in ("https://other.shop.example.org", "http://localhost:5173", "https://shop.example.org:8443"):
        assert code_of(passkeys.sign_in(mine, origin=origin)) == (401, "passkey_refused")


@pytest.mark.parametrize(
    ("origin", "fits"),
    [
        ("https://shop.example.org", True),
        ("https://m.shop.example.org", True),
        ("https://shop.example.org:8443", True),
        ("https://shop.example.org:443", False),
        ("https://shop.example.org/", False),
        ("https://SHOP.example.org", False),
        ("http://shop.example.org", False),
        ("https://evilshop.example.org", False),
        ("https://shop.example.org.evil.example", False),
        ("https://example.org", False),
        ("https://[", False),
    ],
)
def test_an_origin_belongs_to_its_domain(origin: str, fits: bool) -> None:
    assert relying_party.belongs(origin, "shop.example.org") is fits

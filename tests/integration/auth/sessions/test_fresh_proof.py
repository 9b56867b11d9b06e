"""Fresh proof: what a thief of a session would do first asks once more who it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.auth import service, tokens
from chalicelib.auth.sessions import store
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.runtime import aws
from chalicelib.runtime.http import problems
from chalicelib.runtime.http.access import Caller
from tests.support import dump, joining, people
from tests.support.http import Answer, call

WORD = "correct horse battery"
ADA = {"identity": "ada@example.com", "password": WORD}


@pytest.fixture
def token(cloud: str, noon: clock.Fixed) -> str:
    assert joining.register(**ADA).status == 201
    return str(call("POST", "/v1/auth/sign-in", ADA).json["access_token"])


def prove(token: str, password: str = WORD) -> Answer:
    return call("POST", "/v1/auth/prove/password", {"password": password}, token=token)


def test_a_sign_in_is_a_fresh_proof_for_five_minutes(token: str, noon: clock.Fixed) -> None:
    caller = service.authenticate(token)
    assert (caller.auth_time, caller.amr) == (clock.epoch_s(clock.now()), ("pwd",))
    noon.advance(timedelta(seconds=300))
    service.require_fresh(caller)
    noon.advance(timedelta(seconds=1))
    with pytest.raises(service.FreshProofNeeded):
        service.require_fresh(caller)
    service.require_fresh(caller, within_s=600)


def test_the_refusal_names_the_ways_and_is_the_challenge_of_rfc_9470(token: str, noon: clock.Fixed) -> None:
    noon.advance(timedelta(minutes=6))
    with pytest.raises(service.FreshProofNeeded) as refused:
        service.require_fresh(service.authenticate(token), within_s=120)
    status, body, headers = problems.problem(refused.value)
    assert (status, refused.value.members()) == (401, {"methods": ["password", "code"], "within_s": 120})
    assert headers["WWW-Authenticate"] == (
        'Bearer realm="biandan", error="insufficient_user_authentication", max_age="120"'
    )
    assert '"code":"fresh_proof_needed"' in body


def test_a_password_proves_it_anew_and_a_refresh_does_not(token: str, noon: clock.Fixed) -> None:
    signed_in = call("POST", "/v1/auth/sign-in", ADA).json
    noon.advance(timedelta(minutes=6))
    refreshed = call("POST", "/v1/auth/refresh", {"refresh_token": signed_in["refresh_token"]}).json
    with pytest.raises(service.FreshProofNeeded):
        service.require_fresh(service.authenticate(refreshed["access_token"]))

    proof = prove(refreshed["access_token"])
    assert (proof.status, proof.json["expires_in"], proof.json["token_type"]) == (200, 600, "Bearer")
    caller = service.authenticate(proof.json["access_token"])
    assert (caller.auth_time, caller.session_id) == (clock.epoch_s(clock.now()), signed_in["session_id"])
    service.require_fresh(caller)
    # The session remembers it: the next refresh says the same, and the refresh token is the one from before.
    noon.advance(timedelta(minutes=1))
    later = call("POST", "/v1/auth/refresh", {"refresh_token": refreshed["refresh_token"]}).json
    assert service.authenticate(later["access_token"]).auth_time == caller.auth_time


def test_a_wrong_password_proves_nothing_and_is_counted(token: str) -> None:
    before = dump.tables("identities")
    statuses = [prove(token, "wrong wrong wrong").status for _ in range(11)]
    assert statuses == [403] * 10 + [429]
    assert prove(token).status == 429
    assert dump.differences(before, dump.tables("identities")) == []
    # Another session of the account is not in the way of its owner.
    other = call("POST", "/v1/auth/sign-in", ADA).json["access_token"]
    assert prove(other).status == 200


def test_a_right_proof_gives_its_attempt_back(token: str) -> None:
    assert [prove(token).status for _ in range(12)] == [200] * 12


def test_nobody_proves_in_a_session_that_is_over(token: str) -> None:
    other = call("POST", "/v1/auth/sign-in", ADA).json["access_token"]
    assert call("POST", "/v1/auth/sign-out", token=token).status == 204
    assert (prove(token).status, prove(token).json["code"]) == (401, "unauthenticated")
    assert prove(other).status == 200
    assert call("POST", "/v1/auth/sign-out-everywhere", token=other).status == 204
    assert prove(other).status == 401


def test_an_account_without_a_password_is_not_told_apart(cloud: str) -> None:
    nobody = people.buyer()
    people.session(nobody)
    refused = prove(nobody.token)
    assert (refused.status, refused.json["code"]) == (403, "wrong_proof")
    with pytest.raises(service.FreshProofNeeded) as bare:
        service.require_fresh(service.authenticate(people.token(nobody.account_id, proved_ago=timedelta(hours=1))))
    assert bare.value.members()["methods"] == []
    gone = Caller(account_id="acc_" + "0" * 26, roles=frozenset({"buyer"}))
    with pytest.raises(Unauthenticated):
        service.require_fresh(gone)


def test_a_token_that_says_nothing_of_a_proof_is_no_fresh_one(token: str) -> None:
    caller = service.authenticate(token)
    old = Caller(account_id=caller.account_id, roles=caller.roles, session_id=caller.session_id, epoch=caller.epoch)
    read = service.authenticate(tokens.access_token(old))
    assert (read, read.auth_time, read.amr) == (old, 0, ())
    with pytest.raises(service.FreshProofNeeded):
        service.require_fresh(read)


def test_a_session_kept_before_proofs_were_is_of_its_beginning(token: str) -> None:
    caller = service.authenticate(token)
    row = store.session_row(store.load_session(caller.account_id, caller.session_id))  # type: ignore[arg-type]
    item = {name: value for name, value in row.serialize().items() if name not in ("proved_ms", "methods")}
    aws.call("dynamodb", "PutItem", {"TableName": row.Meta.table_name, "Item": item})
    kept = store.load_session(caller.account_id, caller.session_id)
    assert kept is not None
    assert (kept.proved_at, kept.methods) == (kept.created_at, ("pwd",))


def test_what_a_proof_costs(token: str) -> None:
    seen: list[str] = []
    prove(token)

    def watch(service_: str, operation: str, params: object, proceed: object) -> object:
        seen.append(operation)
        return proceed()  # type: ignore[operator]

    with aws.hooked(watch):  # type: ignore[arg-type]
        service.require_fresh(service.authenticate(token))
        assert seen == []
        prove(token)
    # The password; two limits charged; both given back; the session with its account, and the session.
    assert seen == ["GetItem", *["UpdateItem"] * 4, "BatchGetItem", "PutItem"]

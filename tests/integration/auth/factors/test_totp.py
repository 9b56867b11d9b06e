"""A second factor: an authenticator app, the second step of a sign-in, recovery codes, and who must have one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.auth import domain, service
from chalicelib.auth.factors import store
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Role
from chalicelib.runtime import aws
from chalicelib.runtime.config import config
from tests.support import authenticator, dump, joining, people
from tests.support.http import Answer, call

WORD = "correct horse battery"
ADA = {"identity": "ada@example.com", "password": WORD}
LATER = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def ada(cloud: str, noon: clock.Fixed) -> str:
    return str(joining.register(**ADA).json["account_id"])


def sign_in(**more: str) -> Answer:
    return call("POST", "/v1/auth/sign-in", {**ADA, **more})


def second(challenge: str, **proof: str) -> Answer:
    return call("POST", "/v1/auth/sign-in/second-step", {"challenge": challenge, **proof})


def set_up() -> tuple[str, str, list[str]]:
    """Set up an app through the API; returns its secret, an access token and the recovery codes."""
    token = sign_in().json["access_token"]
    made = call("POST", "/v1/me/factors/totp", token=token)
    assert made.status == 201, made.body
    done = call("POST", "/v1/me/factors/totp/confirm", {"code": authenticator.code(made.json["secret"])}, token=token)
    assert done.status == 200, done.body
    return made.json["secret"], done.json["access_token"], done.json["recovery_codes"]


def challenge() -> str:
    answer = sign_in()
    assert (answer.status, answer.json["code"]) == (401, "second_factor_needed"), answer.body
    return str(answer.json["challenge"])


def operations(act: Callable[[], object]) -> list[str]:
    seen: list[str] = []

    def watch(service_: str, operation: str, params: object, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        act()
    return seen


# --- setting up -------------------------------------------------------------------------------------------------------


def test_the_app_in_software_is_one() -> None:
    """RFC 6238, appendix B, of its eight digits the last six."""
    for at, shown in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037"), (20000000000, "353130")):
        later = timedelta(seconds=at) - timedelta(seconds=int(clock.now().timestamp()))
        assert authenticator.code(authenticator.SECRET, later=later) == shown


def test_an_app_is_set_up_and_asked_for_from_then_on(noon: clock.Fixed) -> None:
    token = sign_in().json["access_token"]
    assert call("GET", "/v1/me/factors", token=token).json == {"recovery_codes_left": 0}
    made = call("POST", "/v1/me/factors/totp", token=token)
    parts = urlsplit(made.json["uri"])
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Biandan:ada%40example.com")
    assert parse_qs(parts.query)["secret"] == [made.json["secret"]]
    assert made.headers["cache-control"] == "no-store"
    assert sign_in().status == 200  # It does not count before it has shown a code.

    code = authenticator.code(made.json["secret"])
    done = call("POST", "/v1/me/factors/totp/confirm", {"code": code}, token=token)
    assert len(set(done.json["recovery_codes"])) == 10
    assert service.authenticate(done.json["access_token"]).amr == ("pwd", "totp", "mfa")
    assert call("GET", "/v1/me/factors", token=token).json == {
        "totp_since": "2026-11-22T04:00:00.000Z", "recovery_codes_left": 10,
    }  # fmt: skip

    first = sign_in()
    assert (first.status, first.json["methods"], first.json["expires_in"]) == (401, ["totp", "recovery_code"], 300)
    noon.advance(LATER)
    got = second(first.json["challenge"], code=authenticator.code(made.json["secret"]))
    assert got.status == 200, got.body
    assert service.authenticate(got.json["access_token"]).amr == ("pwd", "totp", "mfa")
    assert got.json["device_token"]


def test_nothing_is_begun_for_the_first_factor_alone() -> None:
    set_up()
    before = dump.tables("identities")
    challenge()
    assert dump.differences(before, dump.tables("identities")) == []  # No session, no device.


def test_setting_up_wants_a_fresh_proof(noon: clock.Fixed) -> None:
    secret, token, _ = set_up()
    noon.advance(timedelta(minutes=6))
    routes = [
        ("POST", "/v1/me/factors/totp"), ("DELETE", "/v1/me/factors/totp"), ("POST", "/v1/me/factors/recovery-codes"),
    ]  # fmt: skip
    for method, path in routes:
        refused = call(method, path, token=token)
        assert (refused.status, refused.json["code"], refused.json["methods"]) == (401, "fresh_proof_needed", ["totp"])
    word = call("POST", "/v1/auth/prove/password", {"password": WORD}, token=token)
    assert (word.status, word.json["code"]) == (401, "fresh_proof_needed")  # A password is no longer enough.
    proof = call("POST", "/v1/auth/prove/totp", {"code": authenticator.code(secret)}, token=token)
    assert proof.status == 200, proof.body
    again = call("POST", "/v1/me/factors/totp", token=proof.json["access_token"])
    assert (again.status, again.json["code"]) == (409, "totp_enrolled")
    assert call("DELETE", "/v1/me/factors/totp", token=proof.json["access_token"]).status == 204
    assert sign_in().status == 200
    gone = call("DELETE", "/v1/me/factors/totp", token=proof.json["access_token"])
    assert (gone.status, gone.json["code"]) == (409, "totp_missing")


def test_a_secret_waits_a_quarter_of_an_hour(noon: clock.Fixed, ada: str) -> None:
    token = sign_in().json["access_token"]
    secret = call("POST", "/v1/me/factors/totp", token=token).json["secret"]
    other = call("POST", "/v1/me/factors/totp", token=token).json["secret"]
    stale = call("POST", "/v1/me/factors/totp/confirm", {"code": authenticator.code(secret)}, token=token)
    assert (stale.status, stale.json["code"]) == (403, "wrong_proof")
    noon.advance(timedelta(minutes=15))
    late = call("POST", "/v1/me/factors/totp/confirm", {"code": authenticator.code(other)}, token=people.token(ada))
    assert (late.status, late.json["code"]) == (409, "totp_missing")


def test_the_secret_and_the_recovery_codes_are_kept_unreadable() -> None:
    secret, _, codes = set_up()
    kept = json.dumps(dump.tables())
    assert secret not in kept
    assert [code for code in codes if code in kept or code.replace("-", "") in kept] == []


# --- the second step --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("drift", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_phone_may_be_a_step_behind_or_ahead(drift: int, fits: bool, noon: clock.Fixed) -> None:
    secret, _, _ = set_up()
    noon.advance(timedelta(minutes=5))
    code = authenticator.code(secret, later=timedelta(seconds=drift))
    assert second(challenge(), code=code).status == (200 if fits else 403)


def test_a_code_counts_once_and_none_from_before_it(noon: clock.Fixed) -> None:
    secret, _, _ = set_up()
    # The code that confirmed it is used up.
    assert second(challenge(), code=authenticator.code(secret)).json["code"] == "wrong_proof"
    ahead, now = authenticator.code(secret, later=LATER * 2), authenticator.code(secret, later=LATER)
    noon.advance(LATER)
    assert second(challenge(), code=ahead).status == 200
    assert second(challenge(), code=ahead).status == 403
    assert second(challenge(), code=now).status == 403


def test_one_code_at_the_same_moment_lets_one_in(noon: clock.Fixed) -> None:
    secret, _, _ = set_up()
    noon.advance(LATER)
    code, waiting = authenticator.code(secret), [challenge() for _ in range(4)]
    ready = Barrier(4)

    def go(one: str) -> int:
        ready.wait()
        return second(one, code=code).status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(go, waiting))
    assert sorted(statuses) == [200, 403, 403, 403]


def test_a_challenge_counts_once_five_times_and_five_minutes(noon: clock.Fixed) -> None:
    secret, _, codes = set_up()
    noon.advance(LATER)
    used = challenge()
    assert second(used, code=authenticator.code(secret)).status == 200
    assert second(used, recovery_code=codes[0]).json["code"] == "challenge_over"
    tired = challenge()
    assert [second(tired, code="000000").status for _ in range(6)] == [403] * 5 + [401]
    assert second(tired, recovery_code=codes[0]).json["code"] == "challenge_over"
    old = challenge()
    noon.advance(timedelta(minutes=5))
    assert second(old, recovery_code=codes[0]).json["code"] == "challenge_over"
    for invented in ("bdc1." + "A" * 43, "x" * 48, "é" * 48):
        assert second(invented, recovery_code=codes[0]).json["code"] == "challenge_over"
    assert call("GET", "/v1/me/factors", token=people.token(_account_id())).json["recovery_codes_left"] == 10


def _account_id() -> str:
    return service.account_with(ADA["identity"]).account_id


def test_signing_out_everywhere_ends_a_challenge() -> None:
    _, token, codes = set_up()
    waiting = challenge()
    call("POST", "/v1/auth/sign-out-everywhere", token=token)
    assert second(waiting, recovery_code=codes[0]).json["code"] == "challenge_over"


def test_guessing_codes_ends_for_strangers_and_not_for_a_known_device(monkeypatch: pytest.MonkeyPatch) -> None:
    device = sign_in().json["device_token"]
    _, _, codes = set_up()
    for _ in range(2):
        waiting = challenge()
        assert [second(waiting, code="000000").status for _ in range(5)] == [403] * 5
    assert second(challenge(), recovery_code=codes[0]).status == 429
    assert second(challenge(), recovery_code=codes[0], device_token=device).status == 200


def test_a_day_has_a_hundred_guesses(monkeypatch: pytest.MonkeyPatch, noon: clock.Fixed) -> None:
    monkeypatch.setattr(domain, "SECOND_STEP_A_DAY", domain.Limit("second-step.day", attempts=3, window_s=86_400))
    set_up()
    assert [second(challenge(), code="000000").status for _ in range(3)] == [403] * 3
    noon.advance(timedelta(minutes=11))
    assert second(challenge(), code="000000").status == 429


@pytest.mark.parametrize(
    "proof",
    [
        {}, {"code": "12345"}, {"code": "1234567"}, {"code": "１２３４５６"}, {"code": "12345a"},
        {"recovery_code": "AAAAAAAA-AAAAAAA1"}, {"code": "123456", "recovery_code": "AAAAAAAA-AAAAAAAA"},
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused_unread(proof: dict[str, str]) -> None:
    set_up()
    waiting = challenge()
    assert operations(lambda: second(waiting, **proof)) == []
    assert second(waiting, **proof).status == 422


def test_no_way_in_and_no_proof_goes_round_the_second_factor() -> None:
    """A code by e-mail is one factor as a password is, whichever of the two comes first."""
    _, token, codes = set_up()
    who = ADA["identity"]
    body = {"contact": who, **joining.proof(who, "sign_in")}
    first = call("POST", "/v1/auth/sign-in/code", body)
    assert (first.status, first.json["code"]) == (401, "second_factor_needed")
    got = second(first.json["challenge"], recovery_code=codes[0])
    assert got.status == 200, got.body
    assert "mfa" in service.authenticate(got.json["access_token"]).amr
    proof = call("POST", "/v1/auth/prove/code", {"contact": who, **joining.proof(who, "prove")}, token=token)
    assert (proof.status, proof.json["code"], proof.json["methods"]) == (401, "fresh_proof_needed", ["totp"])


# --- recovery codes ---------------------------------------------------------------------------------------------------


def test_a_recovery_code_counts_once_however_it_is_typed() -> None:
    _, token, codes = set_up()
    got = second(challenge(), recovery_code=codes[0].lower().replace("-", " "))
    assert got.status == 200, got.body
    assert service.authenticate(got.json["access_token"]).amr == ("pwd", "recovery", "mfa")
    assert second(challenge(), recovery_code=codes[0]).status == 403
    assert call("GET", "/v1/me/factors", token=token).json["recovery_codes_left"] == 9
    renewed = call("POST", "/v1/me/factors/recovery-codes", token=token).json["recovery_codes"]
    assert second(challenge(), recovery_code=codes[1]).status == 403
    assert second(challenge(), recovery_code=renewed[1]).status == 200


def test_who_has_no_app_has_no_recovery_codes() -> None:
    token = sign_in().json["access_token"]
    refused = call("POST", "/v1/me/factors/recovery-codes", token=token)
    assert (refused.status, refused.json["code"]) == (409, "totp_missing")
    assert call("POST", "/v1/auth/prove/totp", {"code": "123456"}, token=token).json["code"] == "wrong_proof"


# --- who must have one ------------------------------------------------------------------------------------------------


def test_prod_wants_one_of_operators_who_can_set_it_up(monkeypatch: pytest.MonkeyPatch, noon: clock.Fixed) -> None:
    monkeypatch.setattr(type(config()), "stage", property(lambda _: "prod"), raising=False)
    service.grant(_account_id(), Role.OPERATOR)
    token = sign_in().json["access_token"]
    path = "/v1/operator/role-requests"
    refused = call("GET", path, token=token)
    assert (refused.status, refused.json["code"]) == (403, "second_factor_required")
    made = call("POST", "/v1/me/factors/totp", token=token).json["secret"]
    done = call("POST", "/v1/me/factors/totp/confirm", {"code": authenticator.code(made)}, token=token)
    assert call("GET", path, token=token).status == 403  # The token from before says nothing of it.
    assert call("GET", path, token=done.json["access_token"]).status == 200
    assert call("DELETE", "/v1/me/factors/totp", token=done.json["access_token"]).status == 204
    assert call("GET", path, token=done.json["access_token"]).status == 403


@pytest.mark.parametrize(
    ("setting", "operator", "staff"),
    [("nobody", 200, 200), ("operator", 403, 200), ("merchant_staff", 200, 403), ("operator,merchant_staff", 403, 403)],
)
def test_a_setting_says_of_whom(setting: str, operator: int, staff: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_SECOND_FACTOR", setting)
    clerk = people.staff(people.merchant().merchant_id)
    assert call("GET", "/v1/operator/role-requests", token=people.operator().token).status == operator
    assert call("GET", "/v1/merchant/products", token=clerk.token).status == staff
    assert call("GET", "/v1/me", token=clerk.token).status == 200
    assert call("GET", "/v1/me", token=people.buyer().token).status == 200


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_what_the_second_step_costs(noon: clock.Fixed) -> None:
    secret, token, _ = set_up()
    noon.advance(LATER)
    waiting = challenge()
    first = operations(sign_in)
    # As without a second factor, but the challenge in the place of the session.
    assert first == [*["GetItem"] * 3, *["UpdateItem"] * 2, "PutItem", *["UpdateItem"] * 2]
    code = authenticator.code(secret)
    # The challenge, counted; the account; two limits; the app; both given back; session, app and challenge as one.
    assert operations(lambda: second(waiting, code=code)) == [
        "GetItem", "PutItem", "GetItem", *["UpdateItem"] * 2, "GetItem", *["UpdateItem"] * 2, "TransactWriteItems",
    ]  # fmt: skip
    assert operations(lambda: call("GET", "/v1/me/factors", token=token)) == ["GetItem"]


def test_pyotp_is_loaded_by_the_first_code() -> None:
    code = "import sys, chalicelib.auth.service; print('pyotp' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_what_is_sealed_for_one_account_opens_for_no_other(ada: str) -> None:
    set_up()
    other = people.buyer()
    mine = store.load(ada)
    assert mine is not None
    from dataclasses import replace

    from chalicelib.auth.factors import codes

    stolen = replace(mine, account_id=other.account_id, last_step=0)
    assert codes.step_of(stolen, "123456", now=clock.now()) is None
    assert ids.is_id("acc", other.account_id)

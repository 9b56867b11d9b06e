from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.auth import domain, passwords, service, store, tokens
from chalicelib.auth.sessions import domain as sessions_domain
from chalicelib.kernel import clock, ids
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Misconfigured, NotFound, Unauthenticated
from chalicelib.kernel.events import Envelope
from chalicelib.kernel.roles import Desk, Role
from chalicelib.runtime import aws, names, secrets
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import system_intent
from tests.support import facts_told, people
from tests.support.http import Answer, call
from tests.support.pump import Pump

ADA = {"identity": "Ada@Example.com", "password": "correct horse battery"}
HOME = {
    "recipient": "王小明", "phone": "138 0013 8000", "province": "广东", "city": "深圳市", "district": "南山区",
    "street": "科技园 1 号", "postcode": "518057",
}  # fmt: skip


def items(table: str) -> list[dict[str, Any]]:
    """Every raw row of a table: only tests scan."""
    found: list[dict[str, Any]] = aws.call("dynamodb", "Scan", {"TableName": names.table_name(table)})["Items"]
    return found


@pytest.fixture(autouse=True)
def registering_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are another file's (``test_codes.py``): here accounts are made at once."""
    monkeypatch.setenv("BIANDAN_REGISTRATION", "open")


@pytest.fixture(autouse=True)
def told() -> Iterator[list[Envelope]]:
    """What this test's calls told: nobody waits for an account's or a session's events yet."""
    with facts_told.listening() as found:
        yield found


def types_of(told: list[Envelope], prefix: str) -> list[str]:
    return [envelope.type for envelope in told if envelope.type.startswith(prefix)]


def during(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, rival: Callable[[], object]) -> None:
    """Let a rival run once, between the read and the write, when ``module.name`` decides."""
    original = getattr(module, name)
    waiting = [rival]

    def decide(*arguments: Any, **options: Any) -> Any:
        if waiting:
            waiting.pop()()
        return original(*arguments, **options)

    monkeypatch.setattr(module, name, decide)


def register(**changes: str) -> Answer:
    return call("POST", "/v1/auth/register", {**ADA, **changes})


def sign_in(**changes: str) -> Answer:
    return call("POST", "/v1/auth/sign-in", {**ADA, **changes})


def refresh(token: str) -> Answer:
    return call("POST", "/v1/auth/refresh", {"refresh_token": token})


def without_request(answer: Answer) -> tuple[int, Any]:
    return answer.status, {key: value for key, value in answer.json.items() if key != "request_id"}


# --- registering ------------------------------------------------------------------------------------------------


def test_a_person_registers_signs_in_and_sees_herself(cloud: str, noon: clock.Fixed, told: list[Envelope]) -> None:
    created = call("POST", "/v1/auth/register", {**ADA, "nickname": "Ada", "language": "en"})
    assert (created.status, created.headers.get("idempotency-replayed")) == (201, None)
    assert created.json == {
        "account_id": created.json["account_id"],
        "email": "ada@example.com",
        "nickname": "Ada",
        "posts": [],
        "desks": [],
        "language": "en",
        "roles": ["buyer"],
        "created_at": "2026-11-22T04:00:00.000Z",
    }
    session = sign_in(identity="ada@EXAMPLE.com")
    assert session.status == 200
    assert (session.json["token_type"], session.json["expires_in"]) == ("Bearer", 600)
    assert session.json["refresh_expires_in"] == 30 * 86400
    assert session.headers["cache-control"] == "no-store"
    me = call("GET", "/v1/me", token=session.json["access_token"])
    assert me.json == created.json
    assert types_of(told, "account.") == ["account.registered"]


def test_a_phone_number_is_an_identity(cloud: str) -> None:
    created = register(identity="138 0013 8000")
    assert (created.json["phone"], "email" in created.json) == ("+8613800138000", False)
    assert sign_in(identity="+86 13800138000").status == 200


def test_a_repeated_registration_gives_the_same_account_once(cloud: str) -> None:
    first = call("POST", "/v1/auth/register", ADA, key="the-same-key")
    again = call("POST", "/v1/auth/register", ADA, key="the-same-key")
    assert again.json == first.json
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    for changes in ({"password": "another long one"}, {"nickname": "Eve"}):
        other = call("POST", "/v1/auth/register", {**ADA, **changes}, key="the-same-key")
        assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(items("accounts")) == 1
    assert items("accounts")[0]["version"] == {"N": "1"}


def test_two_people_who_send_the_same_key_do_not_meet(cloud: str) -> None:
    ada = call("POST", "/v1/auth/register", ADA, key="the-same-key")
    bob = call("POST", "/v1/auth/register", {**ADA, "identity": "bob@example.com"}, key="the-same-key")
    assert (ada.status, bob.status) == (201, 201)
    assert ada.json["account_id"] != bob.json["account_id"]


def test_an_identity_is_registered_once_and_nobody_learns_that_it_was(cloud: str) -> None:
    assert register().status == 201
    before = items("accounts")
    taken = register(identity="ADA@example.com ", password="quite another one")
    fresh = register(identity="eve@example.com", password="quite another one")
    assert (taken.status, taken.json.keys()) == (fresh.status, fresh.json.keys())
    assert [row for row in items("accounts") if row in before] == before
    assert sign_in().status == 200
    assert sign_in(password="quite another one").status == 401


def test_registrations_at_the_same_moment_make_one_account(cloud: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: register(), range(6)))
    assert [answer.status for answer in answers] == [201] * 6
    assert len(items("accounts")) == 1
    with ThreadPoolExecutor(3) as pool:
        bob = {**ADA, "identity": "bob@example.com"}
        answers = list(pool.map(lambda _: call("POST", "/v1/auth/register", bob, key="bobs-own-key"), range(3)))
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert len({answer.json["account_id"] for answer in answers}) == 1
    assert len(items("accounts")) == 2


def test_a_rival_between_hash_and_write_wins(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    during(monkeypatch, passwords, "hashed", lambda: register(password="the rival was faster"))
    assert register().status == 201
    assert sign_in(password="the rival was faster").status == 200
    assert sign_in().status == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**ADA, "identity": "nobody"}, 422, "bad_identity"),
        ({**ADA, "password": "qwertyuiop"}, 422, "weak_password"),
        ({**ADA, "password": "tiny-one"}, 422, "invalid_request"),
        ({**ADA, "password": "x" * 129}, 422, "invalid_request"),
        ({**ADA, "roles": ["operator"]}, 422, "invalid_request"),
        ({**ADA, "nickname": "a\nb"}, 422, "invalid_request"),
        ({"identity": 5, "password": None}, 422, "invalid_request"),
        ({**ADA, "nickname": "x" * 5000}, 413, "too_large"),
    ],
)
def test_bad_registrations_leave_no_trace(cloud: str, body: dict[str, Any], status: int, code: str) -> None:
    refused = call("POST", "/v1/auth/register", body)
    assert (refused.status, refused.json["code"]) == (status, code)
    assert str(body.get("password")) not in refused.body
    assert (items("accounts"), items("identities")) == ([], [])


def test_blanks_at_the_ends_of_a_password_belong_to_it(cloud: str) -> None:
    assert register(password="  two blanks  ").status == 201
    assert sign_in(password="two blanks").status == 401
    assert sign_in(password="  two blanks  ").status == 200


# --- signing in -------------------------------------------------------------------------------------------------


def test_unknown_and_wrong_are_the_same_answer_for_the_same_work(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    done: list[str] = []
    original = passwords.matches

    def matches(encoded: str, password: str) -> bool:
        done.append(encoded.rsplit("$", 2)[0])
        return original(encoded, password)

    def watch(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        done.append(f"{operation} {params.get('TableName', '')}")
        return proceed()

    monkeypatch.setattr(passwords, "matches", matches)
    work = []
    with aws.hooked(watch):
        for changes in ({"password": "wrong horse battery"}, {"identity": "nobody@example.com"}):
            done.clear()
            work.append((without_request(sign_in(**changes)), list(done)))
    assert work[0] == work[1]
    assert work[0][0] == (
        401,
        {
            "type": "https://biandan.example/problems/bad-credentials",
            "title": "Unauthorized",
            "status": 401,
            "code": "bad_credentials",
            "detail": "The identity or the password is wrong.",
        },
    )
    assert work[0][1].count("$argon2id$v=19$m=19456,t=2,p=1") == 1
    assert items("sessions") == []


def test_attempts_are_counted_per_identity_and_the_window_passes(cloud: str, noon: clock.Fixed) -> None:
    register()
    assert [sign_in(password="wrong horse battery").status for _ in range(10)] == [401] * 10
    noon.advance(timedelta(seconds=30))
    throttled = sign_in()  # Even the right password.
    assert (throttled.status, throttled.json["code"]) == (429, "challenge_needed")
    assert (throttled.json["wait_s"], throttled.headers["retry-after"]) == (570, "570")
    assert call("POST", "/v1/auth/register", {**ADA, "identity": "bob@example.com"}).status == 201
    assert sign_in(identity="bob@example.com").status == 200
    noon.advance(timedelta(seconds=570))
    assert sign_in().status == 200


def test_parallel_attempts_are_counted_exactly(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "matches", lambda encoded, password: False)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: sign_in().status, range(30)))
    assert (statuses.count(401), statuses.count(429)) == (10, 20)


def test_registrations_are_throttled_by_source(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "REGISTER_BY_SOURCE", domain.Limit("r", attempts=2, window_s=600))
    statuses = [register(identity=f"p{number}@example.com").status for number in range(3)]
    assert statuses == [201, 201, 429]
    assert len(items("accounts")) == 2


def test_a_hash_of_older_parameters_is_renewed_at_sign_in(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import PasswordHasher

    with monkeypatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        account_id = register().json["account_id"]
    assert sign_in().status == 200
    renewed = store.load_account(account_id)
    assert renewed is not None
    assert renewed.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert sign_in().status == 200


# --- sessions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def session(cloud: str, noon: clock.Fixed) -> dict[str, Any]:
    assert register().status == 201
    answer: dict[str, Any] = sign_in().json
    return answer


def test_a_refresh_token_is_used_once(session: dict[str, Any], noon: clock.Fixed, told: list[Envelope]) -> None:
    noon.advance(timedelta(minutes=20))
    assert call("GET", "/v1/me", token=session["access_token"]).status == 401
    second = refresh(session["refresh_token"])
    assert second.status == 200
    assert second.json["session_id"] == session["session_id"]
    assert second.json["refresh_token"] != session["refresh_token"]
    assert call("GET", "/v1/me", token=second.json["access_token"]).status == 200
    noon.advance(timedelta(seconds=10))

    stolen = refresh(session["refresh_token"])
    assert (stolen.status, stolen.json["code"]) == (401, "bad_refresh_token")
    assert without_request(refresh(second.json["refresh_token"])) == without_request(stolen)
    assert types_of(told, "session.") == ["session.reused"]
    assert items("sessions")[0]["status"] == {"S": "compromised"}
    before = items("sessions")
    refresh(session["refresh_token"])
    assert items("sessions") == before  # Told once.
    assert sign_in().status == 200


def test_a_lost_answer_may_be_asked_for_again_for_ten_seconds(
    session: dict[str, Any], noon: clock.Fixed, told: list[Envelope]
) -> None:
    lost = refresh(session["refresh_token"]).json
    noon.advance(timedelta(seconds=9))
    kept = refresh(session["refresh_token"])
    assert (kept.status, kept.json["refresh_token"]) == (200, lost["refresh_token"])
    third = refresh(kept.json["refresh_token"])
    assert third.status == 200
    noon.advance(timedelta(seconds=10))
    # The answer that got lost did not get lost but to a thief: whoever uses it later ends the session.
    assert refresh(lost["refresh_token"]).status == 401
    assert refresh(third.json["refresh_token"]).status == 401
    assert types_of(told, "session.") == ["session.reused"]


def test_no_grace_once_the_successor_was_used(session: dict[str, Any], told: list[Envelope]) -> None:
    second = refresh(session["refresh_token"]).json
    assert refresh(second["refresh_token"]).status == 200
    assert refresh(session["refresh_token"]).status == 401
    assert types_of(told, "session.") == ["session.reused"]


def test_two_refreshes_at_the_same_moment_leave_one_living_token(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals: list[Answer] = []
    during(monkeypatch, sessions_domain, "rotate", lambda: rivals.append(refresh(session["refresh_token"])))
    mine = refresh(session["refresh_token"])
    assert (mine.status, rivals[0].status) == (200, 200)
    assert items("sessions")[0]["current"] == {"S": hashlib.sha256(mine.json["refresh_token"].encode()).hexdigest()}
    assert rivals[0].json["refresh_token"] == mine.json["refresh_token"]  # Both tabs live.
    assert refresh(mine.json["refresh_token"]).status == 200


def test_many_refreshes_of_a_stolen_token_end_the_session_once(
    session: dict[str, Any], noon: clock.Fixed, told: list[Envelope]
) -> None:
    refresh(session["refresh_token"])
    noon.advance(timedelta(seconds=11))
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: refresh(session["refresh_token"]).status, range(6)))
    assert statuses == [401] * 6
    assert items("sessions")[0]["version"] == {"N": "3"}  # Started, rotated, ended.
    pump = Pump()
    pump.drain()
    assert types_of(told, "session.") == ["session.reused"]


def test_invented_tokens_cost_nothing_and_end_nothing(session: dict[str, Any]) -> None:
    prefix, account_id, session_id, secret, tag = session["refresh_token"].split(".")
    invented = [
        ".".join((prefix, account_id, session_id, "A" * 43, tag)),
        ".".join((prefix, account_id, session_id, secret, "A" * 22)),
        f"{prefix}.{account_id}.{session_id}.{secret}",
        ".".join((prefix, "acc_" + "0" * 26, session_id, secret, tag)),
        "x" * 100,
        "é" * 30,
        "." * 30,
    ]
    secrets.secret("auth")
    seen: list[str] = []

    def watch(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        assert [refresh(token).status for token in invented] == [401] * len(invented)
    assert seen == []
    assert refresh(session["refresh_token"]).status == 200


def test_refresh_tokens_are_kept_as_digests_only(session: dict[str, Any]) -> None:
    kept = json.dumps(items("sessions") + items("accounts") + items("identities"))
    secret = session["refresh_token"].split(".")[3]
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert secret not in kept
    assert ADA["password"] not in kept
    assert hashlib.sha256(json.dumps(ADA).encode()).hexdigest()[:32] not in kept
    assert "ada@example.com" not in json.dumps(items("identities"))


def test_sign_out_here(session: dict[str, Any], told: list[Envelope]) -> None:
    other = sign_in().json
    assert call("POST", "/v1/auth/sign-out", token=session["access_token"]).status == 204
    assert call("POST", "/v1/auth/sign-out", token=session["access_token"]).status == 204
    assert refresh(session["refresh_token"]).status == 401
    assert refresh(other["refresh_token"]).status == 200
    assert types_of(told, "session.") == []


def test_sign_out_wins_against_a_refresh_at_the_same_moment(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    during(
        monkeypatch, sessions_domain, "rotate", lambda: call("POST", "/v1/auth/sign-out", token=session["access_token"])
    )
    assert refresh(session["refresh_token"]).status == 401
    assert items("sessions")[0]["status"] == {"S": "signed_out"}


def test_sign_out_everywhere_is_one_write(session: dict[str, Any]) -> None:
    other = sign_in().json
    before = items("sessions")
    assert call("POST", "/v1/auth/sign-out-everywhere", token=session["access_token"]).status == 204
    assert items("sessions") == before
    assert refresh(session["refresh_token"]).status == 401
    assert refresh(other["refresh_token"]).status == 401
    assert refresh(sign_in().json["refresh_token"]).status == 200


def test_a_session_ends_after_thirty_idle_days(session: dict[str, Any], noon: clock.Fixed) -> None:
    noon.advance(timedelta(days=29))
    second = refresh(session["refresh_token"]).json
    noon.advance(timedelta(days=30))
    assert refresh(second["refresh_token"]).status == 401


# --- access tokens ----------------------------------------------------------------------------------------------


def claims(**changes: Any) -> dict[str, Any]:
    now_s = clock.epoch_s(clock.now())
    made = {
        "iss": tokens.issuer(), "aud": "biandan", "sub": "acc_1", "sid": "ses_1", "roles": ["operator"], "iat": now_s,
        "exp": now_s + 600, **changes,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def forged(header: dict[str, Any], body: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    signed = f"{part(header)}.{part(body)}"
    return f"{signed}.{base64.urlsafe_b64encode(sign(signed.encode())).decode().rstrip('=')}"


GOOD = {"alg": "EdDSA", "kid": "local-1", "typ": "at+jwt"}


def test_only_our_own_current_access_tokens_pass(cloud: str, noon: clock.Fixed) -> None:
    private = tokens._pairs()[0]["local-1"]
    public = private.public_key().public_bytes_raw()

    def hs256(data: bytes) -> bytes:
        return hmac.new(public, data, hashlib.sha256).digest()

    assert service.authenticate(forged(GOOD, claims(), private.sign)).account_id == "acc_1"
    now_s = clock.epoch_s(noon())
    wrong = [
        forged({**GOOD, "alg": "none"}, claims(), lambda data: b""),
        forged({**GOOD, "alg": "none"}, claims(), private.sign),
        forged({**GOOD, "alg": "HS256"}, claims(), hs256),
        forged({**GOOD, "alg": "Ed25519"}, claims(), private.sign),
        forged({**GOOD, "typ": "JWT"}, claims(), private.sign),
        forged({**GOOD, "kid": "local-2"}, claims(), private.sign),
        forged({**GOOD, "kid": ["local-1"]}, claims(), private.sign),
        forged({**GOOD, "crit": ["exp"], "exp": 1}, claims(), private.sign),
        forged({**GOOD, "jwk": {"kty": "OKP"}}, claims(), private.sign),
        forged({"alg": "EdDSA", "typ": "at+jwt"}, claims(), private.sign),
        forged(GOOD, claims(iss="biandan/prod"), private.sign),
        forged(GOOD, claims(aud="other"), private.sign),
        forged(GOOD, claims(aud=None), private.sign),
        forged(GOOD, claims(exp=None), private.sign),
        forged(GOOD, claims(exp=now_s), private.sign),
        forged(GOOD, claims(exp="soon"), private.sign),
        forged(GOOD, claims(iat=now_s + 6), private.sign),
        forged(GOOD, claims(sub=None), private.sign),
        forged(GOOD, claims(roles=7), private.sign),
        forged(GOOD, claims(), lambda data: private.sign(data)[:-1] + b"\x00"),
        forged(GOOD, claims(), private.sign)[:-10],
        "", ".", "..", "a.b.c", "é.é.é", "x" * 5000,
    ]  # fmt: skip
    for token in wrong:
        with pytest.raises(Unauthenticated):
            service.authenticate(token)
    header, _, signature = forged(GOOD, claims(roles=["buyer"]), private.sign).split(".")
    with pytest.raises(Unauthenticated):
        service.authenticate(f"{header}.{part(claims())}.{signature}")
    for last in (claims(exp=now_s + 1), claims(iat=now_s + 5)):
        assert service.authenticate(forged(GOOD, last, private.sign)).roles == {"operator"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80), position=st.integers(0, 400), replaced=st.characters())
def test_no_text_and_no_changed_token_passes(cloud: str, text: str, position: int, replaced: str) -> None:
    with pytest.raises(Unauthenticated):
        service.authenticate(text)
    with pytest.raises(Unauthenticated):
        service.authenticate(text + "." + text + "." + text)
    token = people.token("acc_1")
    changed = token[:position] + replaced + token[position + 1 :]
    if changed == token or position >= len(token):
        return
    try:
        caller = service.authenticate(changed)
    except Unauthenticated:
        return
    # The last character of a base64 text may spell bits that are not used.
    assert position in (len(token) - 1, len(token.split(".")[0]) - 1, len(token.rsplit(".", 1)[0]) - 1)
    assert (caller.account_id, set(caller.roles)) == ("acc_1", {"buyer"})


def test_a_remembered_token_still_expires(cloud: str, noon: clock.Fixed) -> None:
    _, token = people.buyer()
    assert service.authenticate(token) is service.authenticate(token)
    noon.advance(timedelta(seconds=599))
    assert service.authenticate(token).roles == {"buyer"}
    noon.advance(timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        service.authenticate(token)


def test_the_memory_of_verified_tokens_is_bounded(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED", 3)
    for number in range(10):
        service.authenticate(people.token(f"acc_{number}"))
    assert len(tokens._verified) == 3


def put_secret(value: dict[str, Any]) -> None:
    aws.call(
        "secretsmanager",
        "PutSecretValue",
        {"SecretId": names.secret_name("auth"), "SecretString": json.dumps(value)},
    )
    secrets.forget()


def test_signing_keys_rotate(cloud: str) -> None:
    old = people.token("acc_old")
    keys = [{"kid": kid, "seed": base64.b64encode(kid.encode() * 16).decode()} for kid in ("k2", "k1")]
    local = secrets.secret("auth")
    put_secret({**local, "signing_keys": [*keys, *local["signing_keys"]]})
    new = people.token("acc_new")
    tokens._verified.clear()
    assert service.authenticate(old).account_id == "acc_old"
    assert service.authenticate(new).account_id == "acc_new"
    assert [key["kid"] for key in service.jwks()["keys"]] == ["k2", "k1", "local-1"]
    put_secret({**local, "signing_keys": keys})
    tokens._verified.clear()
    assert service.authenticate(new).account_id == "acc_new"
    with pytest.raises(Unauthenticated):
        service.authenticate(old)


@pytest.mark.parametrize("keys", [None, [], "x", [{"kid": "a"}], [{"kid": "a", "seed": "AAAA"}], [{"seed": "!"}]])
def test_signing_keys_that_are_none_are_said(cloud: str, keys: Any) -> None:
    put_secret({"pepper": "local-pepper", "signing_keys": keys})
    with pytest.raises(Misconfigured):
        people.token("acc_1")


def test_the_published_keys_verify_tokens(cloud: str, noon: clock.Fixed) -> None:
    import jwt

    answer = call("GET", "/.well-known/jwks.json")
    assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=300")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    key = jwt.PyJWK.from_dict(answer.json["keys"][0])
    shop = people.merchant()
    account_id, token = people.staff(shop.merchant_id)
    read = jwt.decode(token, key, algorithms=["EdDSA"], audience="biandan", options={"verify_exp": False})
    assert (read["sub"], read["mer"], read["roles"]) == (account_id, shop.merchant_id, ["buyer", "merchant_staff"])
    assert read["exp"] - read["iat"] == 600
    assert "d" not in answer.json["keys"][0]
    again = call("GET", "/.well-known/jwks.json", headers={"if-none-match": answer.headers["etag"]})
    assert again.status == 304


def test_a_bad_token_is_refused_and_the_refusal_says_how_to_do_better(cloud: str) -> None:
    for headers in ({}, {"authorization": "Bearer x.y.z"}, {"authorization": "Basic YTpi"}):
        refused = call("GET", "/v1/me", headers=headers)
        assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
        assert refused.headers["www-authenticate"] == 'Bearer realm="biandan"'
    assert call("GET", "/v1/me", token=people.token(ids.new_id("acc"))).status == 401  # The account is gone.


# --- the account ------------------------------------------------------------------------------------------------


def test_changing_oneself(cloud: str) -> None:
    account_id, token = people.buyer()
    changed = call("PATCH", "/v1/me", {"nickname": "小王", "language": "en"}, token=token)
    assert (changed.json["nickname"], changed.json["language"]) == ("小王", "en")
    assert call("PATCH", "/v1/me", {"nickname": None}, token=token).json.get("nickname") is None
    assert call("GET", "/v1/me", token=token).json["language"] == "en"
    version = store.load_account(account_id).version  # type: ignore[union-attr]
    assert call("PATCH", "/v1/me", {"language": "en"}, token=token).status == 200
    assert store.load_account(account_id).version == version  # type: ignore[union-attr]
    for bad in ({"roles": ["operator"]}, {"language": "fr"}, {"nickname": ""}, {"account_id": "acc_1"}):
        assert call("PATCH", "/v1/me", bad, token=token).status == 422


# --- roles ------------------------------------------------------------------------------------------------------


def test_two_operators_give_a_post_and_one_takes_it(session: dict[str, Any], told: list[Envelope]) -> None:
    ann, ben, shop = people.operator(), people.operator(), people.merchant()
    account_id = session["account_id"]
    path = f"/v1/operator/accounts/{account_id}/roles"
    staff_of = {"role": "merchant_staff", "merchant_id": shop.merchant_id}
    assert call("POST", path, staff_of, token=ann.token).json["code"] == "second_person_needed"
    asking = {**staff_of, "post": "manager", "reason": "He runs the shop."}
    asked = call("POST", f"/v1/operator/accounts/{account_id}/role-requests", asking, token=ann.token)
    assert (asked.status, asked.json["merchant_id"], asked.json["post"]) == (201, shop.merchant_id, "manager")
    decision = f"/v1/operator/role-requests/{asked.json['request_id']}/approve"
    assert call("POST", decision, token=ann.token).json["code"] == "own_approval"
    assert call("POST", decision, token=ben.token).json["status"] == "approved"
    assert call("POST", path, staff_of, token=ann.token).json == {
        "account_id": account_id, "roles": ["buyer", "merchant_staff"], "merchant_id": shop.merchant_id,
        "posts": [{"merchant_id": shop.merchant_id, "post": "manager"}], "desks": [],
    }  # fmt: skip
    second = refresh(session["refresh_token"]).json
    caller = service.authenticate(second["access_token"])
    assert (caller.merchant_id, caller.session_id) == (None, session["session_id"]), "of owners alone tokens tell"
    assert call("GET", "/v1/merchant/products", token=second["access_token"]).status == 200
    assert types_of(told, "account.") == ["account.registered", "account.role_granted"]

    taken = call("DELETE", f"{path}/merchant_staff", token=ann.token)
    assert taken.json == {"account_id": account_id, "roles": ["buyer"], "posts": [], "desks": []}
    assert call("DELETE", f"{path}/merchant_staff", token=ann.token).status == 200
    assert call("GET", "/v1/merchant/products", token=second["access_token"]).status == 403
    history = service.me(account_id).history
    assert [(entry.number, entry.gives, entry.by, entry.post) for entry in history] == [
        (1, True, ann.account_id, "manager"), (2, False, ann.account_id, "manager"),
    ]  # fmt: skip


def test_a_role_is_taken_at_one_merchant_or_desk(cloud: str) -> None:
    ann, shops = people.operator(), [people.merchant().merchant_id for _ in range(2)]
    account_id = people.buyer().account_id
    for shop in shops:
        service.grant(account_id, Role.MERCHANT_STAFF, shop)
    path = f"/v1/operator/accounts/{account_id}/roles"
    left = call("DELETE", f"{path}/merchant_staff?merchant_id={shops[0]}", token=ann.token)
    assert (left.json["merchant_id"], left.json["roles"]) == (shops[1], ["buyer", "merchant_staff"])
    assert call("DELETE", f"{path}/merchant_staff", token=ann.token).json["roles"] == ["buyer"]
    for desk in (Desk.SUPPORT, Desk.FINANCE):
        service.grant(account_id, Role.OPERATOR, desk=desk)
    left = call("DELETE", f"{path}/operator?desk=support", token=ann.token)
    assert (left.json["roles"], left.json["desks"]) == (["buyer", "operator"], ["finance"])
    assert call("DELETE", f"{path}/operator?desk=chief", token=ann.token).status == 422


def test_refused_role_changes_leave_no_trace(cloud: str) -> None:
    boss, account, shop = people.operator(), people.buyer(), people.merchant()
    asking = f"/v1/operator/accounts/{account.account_id}"
    path = f"{asking}/roles"
    before = items("accounts")
    staff_of = {"role": "merchant_staff", "merchant_id": "mer_" + "0" * 24}
    nobody = f"/v1/operator/accounts/{ids.new_id('acc')}/roles"
    refusals = [
        call("POST", f"{asking}/role-requests", {**staff_of, "reason": "She sells."}, token=boss.token),
        call("POST", f"{asking}/role-requests", {"role": "merchant_staff", "reason": "None."}, token=boss.token),
        call("POST", path, {"role": "operator"}, token=boss.token),
        call("POST", path, {"role": "buyer"}, token=boss.token),
        call("POST", path, {"role": "operator"}, token=account.token),
        call("POST", path, {"role": "operator"}, token=people.token(account.account_id, Role.MERCHANT_STAFF)),
        call("POST", path, {"role": "operator"}),
        call("POST", nobody, {**staff_of, "merchant_id": shop.merchant_id}, token=boss.token),
        call("DELETE", f"{path}/buyer", token=boss.token),
        call("DELETE", f"{path}/king", token=boss.token),
        call("DELETE", f"{path}/operator", token=account.token),
    ]
    assert [refused.status for refused in refusals] == [404, 422, 409, 422, 403, 403, 401, 404, 422, 404, 403]
    assert items("accounts") == before


def test_a_rival_grant_is_given_once_and_no_staff_is_operator(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id, shop = people.buyer().account_id, people.merchant()
    staff_of = (account_id, Role.MERCHANT_STAFF, shop.merchant_id)
    during(monkeypatch, domain, "change_role", lambda: service.grant(*staff_of, intent=system_intent("a rival")))
    account = service.grant(*staff_of)
    assert account.roles == (Role.BUYER, Role.MERCHANT_STAFF)
    assert [entry.number for entry in account.history] == [1]
    with pytest.raises(domain.OperatorNotStaff):
        service.grant(account_id, Role.OPERATOR)


def test_the_first_operator_comes_from_the_command_line(cloud: str, capsys: pytest.CaptureFixture[str]) -> None:
    from tools.operate import grant

    account_id = register().json["account_id"]
    assert grant.main(["ada@example.com", "operator"]) == 0
    said = capsys.readouterr().out
    assert f"{account_id} now is buyer, operator" in said
    assert "ada@" not in said
    assert service.me(account_id).history[0].by == "tools/grant"
    assert grant.main([account_id, "operator", "--revoke"]) == 0
    assert service.me(account_id).roles == (Role.BUYER,)
    assert grant.main(["nobody@example.com", "operator"]) == 1
    assert "Nothing was changed: There is no such account." in capsys.readouterr().err


# --- addresses --------------------------------------------------------------------------------------------------


def test_an_address_book(cloud: str) -> None:
    account_id, token = people.buyer()
    assert call("GET", "/v1/me/addresses", token=token).json == {"items": []}
    home = call("POST", "/v1/me/addresses", HOME, token=token)
    assert home.status == 201
    assert home.json == {
        "address_id": home.json["address_id"], "recipient": "王小明", "phone": "+8613800138000", "country": "CN",
        "province": "广东省", "city": "深圳市", "district": "南山区", "street": "科技园 1 号", "postcode": "518057",
        "is_default": True,
    }  # fmt: skip
    abroad = {"recipient": "Ada", "phone": "+49 30 1234567", "country": "DE", "city": "Berlin", "street": "Allee 1"}
    work = call("POST", "/v1/me/addresses", {**abroad, "is_default": True}, token=token)
    assert [one["is_default"] for one in call("GET", "/v1/me/addresses", token=token).json["items"]] == [False, True]
    kept = service.addresses(account_id).find(work.json["address_id"])
    assert (kept.recipient, kept.phone, kept.province, kept.postcode) == ("Ada", "+49301234567", None, None)
    path = f"/v1/me/addresses/{home.json['address_id']}"
    moved = call("PUT", path, {**HOME, "city": "广州市", "district": None, "is_default": True}, token=token)
    assert (moved.json["city"], "district" in moved.json, moved.json["is_default"]) == ("广州市", False, True)
    assert call("GET", path, token=token).json == moved.json
    assert call("DELETE", path, token=token).status == 204
    assert call("GET", path, token=token).status == 404
    assert call("GET", "/v1/me/addresses", token=token).json["items"][0]["is_default"] is True
    with pytest.raises(NotFound):
        service.addresses(account_id).find(home.json["address_id"])


def test_a_repeated_address_is_added_once_and_stays_deleted(cloud: str) -> None:
    _, token = people.buyer()
    first = call("POST", "/v1/me/addresses", HOME, token=token, key="my-home-1")
    again = call("POST", "/v1/me/addresses", HOME, token=token, key="my-home-1")
    assert (again.status, again.json, again.headers["idempotency-replayed"]) == (201, first.json, "true")
    other = call("POST", "/v1/me/addresses", {**HOME, "city": "广州市"}, token=token, key="my-home-1")
    assert other.json["code"] == "idempotency_key_reused"
    path = f"/v1/me/addresses/{first.json['address_id']}"
    assert call("DELETE", path, token=token).status == 204
    assert call("DELETE", path, token=token).status == 404
    assert call("POST", "/v1/me/addresses", HOME, token=token, key="my-home-1").status == 404
    assert call("GET", "/v1/me/addresses", token=token).json == {"items": []}


def test_addresses_added_at_the_same_moment_are_all_kept_up_to_twenty(cloud: str) -> None:
    _, token = people.buyer()

    def add(number: int) -> int:
        return call("POST", "/v1/me/addresses", {**HOME, "street": f"科技园 {number} 号"}, token=token).status

    assert [add(number) for number in range(17)] == [201] * 17
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [201, 201, 201, 409]
    full = call("POST", "/v1/me/addresses", HOME, token=token)
    assert (full.status, full.json["code"], full.json["cap"]) == (409, "address_book_full", 20)
    kept = call("GET", "/v1/me/addresses", token=token).json["items"]
    assert (len(kept), sum(one["is_default"] for one in kept)) == (20, 1)


def test_a_rival_address_between_read_and_write_is_not_lost(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = people.buyer()
    during(
        monkeypatch, domain, "deliverable", lambda: call("POST", "/v1/me/addresses", HOME, token=token, key="rival-key")
    )
    assert call("POST", "/v1/me/addresses", {**HOME, "city": "广州市"}, token=token).status == 201
    assert [one["city"] for one in call("GET", "/v1/me/addresses", token=token).json["items"]] == ["深圳市", "广州市"]


def test_foreign_addresses_are_as_good_as_missing(cloud: str) -> None:
    mine, other = people.buyer(), people.buyer()
    home = call("POST", "/v1/me/addresses", HOME, token=mine.token).json["address_id"]
    before = items("accounts")
    for address_id in (home, "adr_" + "0" * 24, "x"):
        path = f"/v1/me/addresses/{address_id}"
        answers = [
            call("GET", path, token=other.token),
            call("PUT", path, HOME, token=other.token),
            call("DELETE", path, token=other.token),
        ]
        assert {(answer.status, answer.json["code"], answer.json["what"]) for answer in answers} == {
            (404, "not_found", "address")
        }
    with pytest.raises(NotFound):
        service.addresses(other.account_id).find(home)
    assert items("accounts") == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"province": "加利福尼亚"}, "bad_address"),
        ({"province": None}, "bad_address"),
        ({"phone": "1234567"}, "bad_address"),
        ({"postcode": "1"}, "bad_address"),
        ({"recipient": ""}, "invalid_request"),
        ({"city": None}, "invalid_request"),
        ({"country": "China"}, "invalid_request"),
        ({"street": "x" * 201}, "invalid_request"),
        ({"recipient": "a\u0000b"}, "malformed_body"),
        ({"extra": 1}, "invalid_request"),
    ],
)
def test_bad_addresses_are_refused(cloud: str, changes: dict[str, Any], code: str) -> None:
    _, token = people.buyer()
    before = items("accounts")
    refused = call("POST", "/v1/me/addresses", {**HOME, **changes}, token=token)
    assert (refused.status, refused.json["code"]) == (400 if code == "malformed_body" else 422, code)
    assert "王小明" not in refused.body
    assert items("accounts") == before


# --- everywhere -------------------------------------------------------------------------------------------------


def test_nothing_personal_and_no_secret_reaches_logs_events_or_refusals(cloud: str, told: list[Envelope]) -> None:
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.getMessage()} {getattr(record, 'fields', {})} {record.exc_info}")

    keep = Keep()
    logging.getLogger("biandan").addHandler(keep)
    logging.getLogger("biandan").setLevel(logging.INFO)
    try:
        phone = {"identity": "13912345678", "password": "my phone's password"}
        answers = [register(nickname="Countess"), register(), call("POST", "/v1/auth/register", phone)]
        session = sign_in().json
        answers += [sign_in(password="wrong horse battery"), sign_in(identity="eve@example.com")]
        second = refresh(session["refresh_token"]).json
        refresh(second["refresh_token"])
        answers += [refresh(session["refresh_token"]), refresh("bdr1.a.b.c.d-but-longer")]
        token = session["access_token"]
        call("POST", "/v1/me/addresses", HOME, token=token)
        answers += [call("POST", "/v1/me/addresses", {**HOME, "phone": "13800"}, token=token)]
        answers += [call("POST", "/v1/auth/register", raw=b'{"identity": "ada@example.com", "pass')]
    finally:
        logging.getLogger("biandan").removeHandler(keep)
    carried = [facts.encode(envelope) for envelope in told]
    refused = [answer.body for answer in answers if answer.status >= 400]
    assert (len(carried), len(refused)) == (4, 6)
    said = "\n".join(lines + carried + refused)
    assert "sign_in" in said
    secrets_and_people = [
        "ada@", "Ada@", "eve@", "13912345678", "Countess", "correct horse", "wrong horse", "phone's", "王小明",
        "138 0013", "13800138000", "科技园", token, session["refresh_token"], "127.0.0.1", "argon2id",
    ]  # fmt: skip
    assert [word for word in secrets_and_people if word in said] == []


def test_importing_the_service_loads_no_heavy_library() -> None:
    code = (
        "import sys, chalicelib.auth.service, chalicelib.merchants.service\n"
        "heavy = ['pydantic', 'cryptography', 'argon2', 'jwt', 'boto3', 'chalice']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_costs_of_the_session_calls(session: dict[str, Any]) -> None:
    seen: list[str] = []

    def watch(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        second = sign_in()
        # Whose it is and how it stands; how crowded the network is; two limits charged; the session; both given back.
        assert seen == [*["GetItem"] * 3, *["UpdateItem"] * 2, "PutItem", *["UpdateItem"] * 2]
        seen.clear()
        sign_in(device_token=second.json["device_token"])
        assert seen == [*["GetItem"] * 2, *["UpdateItem"] * 2, "PutItem", *["UpdateItem"] * 2]
        seen.clear()
        refresh(second.json["refresh_token"])
        assert seen == ["BatchGetItem", "PutItem"]
        seen.clear()
        call("GET", "/v1/me", token=session["access_token"])
        assert seen == ["GetItem"]
        seen.clear()
        register(identity="bob@example.com")
        assert seen == ["UpdateItem", "UpdateItem", "TransactWriteItems"]


def test_a_callers_session_is_in_the_token(cloud: str) -> None:
    caller = Caller(account_id="acc_1", roles=frozenset({"buyer"}), session_id="ses_9")
    assert service.authenticate(tokens.access_token(caller)) == caller


def test_system_grants_without_an_intent_are_separate(cloud: str) -> None:
    account_id = people.buyer().account_id
    service.grant(account_id, Role.OPERATOR, intent=system_intent("once"))
    service.revoke(account_id, Role.OPERATOR)
    assert service.grant(account_id, Role.OPERATOR, intent=system_intent("once")).roles == (Role.BUYER,)
    assert service.grant(account_id, Role.OPERATOR).roles == (Role.BUYER, Role.OPERATOR)


@pytest.mark.parametrize(
    ("country", "text", "number"),
    [
        ("US", "(415) 555-0100", "+14155550100"),
        ("GB", "020 7946 0958", "+442079460958"),
        ("DE", "030 1234567", "+49301234567"),
        ("JP", "090-1234-5678", "+819012345678"),
        ("HK", "9123 4567", "+85291234567"),
        ("US", "13800138000", None),
        ("GB", "12345", None),
    ],
)
def test_a_number_in_an_address_abroad_is_one_of_that_country(
    cloud: str, country: str, text: str, number: str | None
) -> None:
    _, token = people.buyer()
    body = {"recipient": "A", "country": country, "city": "There", "street": "1 High St", "phone": text}
    answer = call("POST", "/v1/me/addresses", body, token=token)
    if number is None:
        assert (answer.status, answer.json["code"], answer.json["field"]) == (422, "bad_address", "phone")
        return
    assert (answer.status, answer.json["phone"]) == (201, number)
    path = f"/v1/me/addresses/{answer.json['address_id']}"
    assert call("PUT", path, body, token=token).json["phone"] == number


def test_a_sharp_s_is_a_mailbox_of_its_own(cloud: str) -> None:
    sharp, double = register(identity="a@fa\u00df.example"), register(identity="a@fass.example")
    assert (sharp.status, double.status) == (201, 201)
    assert (sharp.json["email"], double.json["email"]) == ("a@xn--fa-hia.example", "a@fass.example")
    joined = register(identity="a@fa\u200dss.example")
    assert (joined.status, joined.json["code"]) == (422, "bad_identity")

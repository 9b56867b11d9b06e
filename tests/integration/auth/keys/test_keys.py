"""Keys of merchants' own systems: shown once, kept as a digest, for some things, for a time, gone at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from chalicelib.auth import keyring_store as store
from chalicelib.auth import service as auth
from chalicelib.auth.keys import admission, domain
from chalicelib.auth.staff import store as rosters
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Post, Role
from chalicelib.runtime import aws
from tests.support import dump, keyed, people
from tests.support.http import Answer, call
from tools.bench import metering

KEYS, ORDERS = "/v1/merchant/keys", "/v1/merchant/orders"


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def owner(merchant_id: str, post: Post = Post.OWNER) -> people.Person:
    person = people.buyer()
    auth.grant(person.account_id, Role.MERCHANT_STAFF, merchant_id, post=post)
    return person


def token(person: people.Person, **more: Any) -> str:
    return people.token(person.account_id, **more)


def make(by: people.Person, *scopes: str, key: str | None = None, **more: Any) -> Answer:
    body = {"name": "Stock system", "scopes": list(scopes or ("orders:read",)), **more}
    return call("POST", KEYS, body, token=token(by), key=key)


def rotate(by: people.Person, key_id: str, key: str | None = None, **more: Any) -> Answer:
    return call("POST", f"{KEYS}/{key_id}/rotate", more, token=token(by), key=key)


def listed(by: people.Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call("GET", KEYS, token=token(by)).json["items"]
    return found


def orders(shown: str, **headers: str) -> Answer:
    return keyed.ask(shown, "GET", ORDERS, **headers)


def test_an_owner_makes_a_key_that_is_shown_once_and_opens_what_its_scopes_say(cloud: str, noon: clock.Fixed) -> None:
    shop = people.merchant().merchant_id
    boss = owner(shop)
    made = make(boss, key="made-once-1")
    assert (made.status, made.json["expires_at"], made.json["status"]) == (201, "2027-02-20T04:00:00.000Z", "active")
    assert told(make(boss, "stock:read", key="made-once-1")) == (422, "idempotency_key_reused")
    again = make(boss, key="made-once-1")
    assert (again.json, again.headers["idempotency-replayed"]) == (
        {name: value for name, value in made.json.items() if name != "key"},
        "true",
    )
    shown = made.json["key"]
    assert listed(boss) == [again.json]
    kept = str(dump.tables())
    assert shown not in kept
    assert shown[28:] not in kept
    assert domain.digest(shown) in kept

    assert orders(shown).json == {"items": []}
    other = people.merchant().merchant_id
    assert orders(shown, **{"x-merchant-id": shop}).status == 200
    assert told(orders(shown, **{"x-merchant-id": other})) == (403, "forbidden")
    refused = keyed.ask(shown, "GET", "/v1/merchant/products")
    assert (told(refused), refused.json["scope"]) == ((403, "scope_needed"), "products:read")
    for method, path in (("GET", "/v1/me"), ("GET", KEYS), ("POST", KEYS), ("GET", "/v1/orders"), ("GET", "/v1/cart")):
        no_person = keyed.ask(shown, method, path, {} if method == "POST" else None)
        assert told(no_person) == (401, "person_needed"), path
        assert no_person.headers["www-authenticate"] == 'Bearer realm="biandan"'
    assert keyed.ask(shown, "GET", "/v1/carriers").status == 200, "what anybody may"
    assert told(call("GET", ORDERS, token=shown)) == (401, "unauthenticated"), "a key is no token"
    assert told(orders(token(boss))) == (401, "bad_key"), "nor a token a key"


def test_only_owners_who_proved_who_they_are_make_and_rotate(cloud: str) -> None:
    shop = people.merchant().merchant_id
    boss = owner(shop)
    key_id = make(boss).json["key_id"]
    old = token(boss, proved_ago=timedelta(minutes=6))
    for path, body in ((KEYS, {"name": "x", "scopes": ["orders:read"]}), (f"{KEYS}/{key_id}/rotate", {})):
        others = [people.staff(shop, post).token for post in (Post.MANAGER, Post.CLERK, Post.FINANCE)]
        before = dump.tables()
        assert told(call("POST", path, body, token=old)) == (401, "fresh_proof_needed")
        for other in others:
            assert told(call("POST", path, body, token=other)) == (403, "post_needed")
        assert dump.differences(before, dump.tables()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["orders:read", "orders:read"]},
        {"scopes": ["keys:write"]},
        {"scopes": ["*"]},
        {"days": 0},
        {"days": 366},
        {"networks": ["0.0.0.0/0"]},
        {"networks": ["203.0.113.7/24"]},
        {"networks": ["203.0.113.0/24"] * 2},
        {"networks": [f"203.0.113.{number}" for number in range(11)]},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 41},
        {"post": "owner"},
    ],
)
def test_a_key_that_cannot_be_is_refused(cloud: str, wrong: dict[str, Any]) -> None:
    boss = owner(people.merchant().merchant_id)
    before = dump.tables()
    assert told(make(boss, **wrong)) == (422, "invalid_request")
    assert dump.differences(before, dump.tables()) == []


def test_a_key_runs_out(cloud: str, noon: clock.Fixed) -> None:
    boss = owner(people.merchant().merchant_id)
    made = make(boss, days=2).json
    noon.advance(timedelta(days=2) - timedelta(seconds=1))
    assert orders(made["key"]).status == 200
    noon.advance(timedelta(seconds=1))
    assert told(orders(made["key"])) == (401, "bad_key")
    assert [one["status"] for one in listed(boss)] == ["expired"]
    renewed = rotate(boss, made["key_id"]).json["key"]
    assert (orders(renewed).status, told(orders(made["key"]))) == (200, (401, "bad_key"))


def test_a_rotated_key_counts_for_the_overlap_beside_the_new_one(cloud: str, noon: clock.Fixed) -> None:
    shop = people.merchant().merchant_id
    boss, second = owner(shop), owner(shop)
    made = make(boss).json
    rotated = rotate(second, made["key_id"], key="rotate-1", overlap_s=3600)
    assert (rotated.status, rotated.json["by"], rotated.json["before_until"]) == (
        200,
        second.account_id,
        "2026-11-22T05:00:00.000Z",
    )
    again = rotate(second, made["key_id"], key="rotate-1", overlap_s=3600)
    assert (again.status, "key" in again.json, again.headers["idempotency-replayed"]) == (200, False, "true")
    assert told(rotate(second, made["key_id"], key="rotate-1", overlap_s=1)) == (422, "idempotency_key_reused")
    before, after = made["key"], rotated.json["key"]
    assert (orders(before).status, orders(after).status) == (200, 200)
    noon.advance(timedelta(hours=1))
    assert (told(orders(before)), orders(after).status) == ((401, "bad_key"), 200)
    at_once = rotate(boss, made["key_id"], overlap_s=0).json["key"]
    assert (told(orders(after)), orders(at_once).status) == ((401, "bad_key"), 200)
    for name, value in (("overlap_s", -1), ("overlap_s", 604_801), ("days", 366)):
        assert told(rotate(boss, made["key_id"], None, **{name: value})) == (422, "invalid_request")
    stranger = owner(people.merchant().merchant_id)
    invited = {"post": "clerk", "contact": "mei@example.com"}
    assert call("POST", "/v1/merchant/staff/invitations", invited, token=token(boss)).status == 201
    offered = f"ofr_{rosters.load(shop).invitations[0].digest}"  # A row of another kind, in the same table.
    for key_id in (made["key_id"], ids.derived_id("key", "nobody's"), offered):
        assert told(rotate(stranger, key_id)) == (404, "not_found")


def test_a_revoked_key_is_gone_at_once_everywhere(cloud: str) -> None:
    """No process remembers a key: it is read, strongly, at each call."""
    shop = people.merchant().merchant_id
    boss, stranger = owner(shop), owner(people.merchant().merchant_id)
    made = make(boss, key="make-it-1").json
    path = f"{KEYS}/{made['key_id']}"
    assert orders(made["key"]).status == 200
    assert told(call("DELETE", path, token=token(stranger))) == (404, "not_found")
    assert orders(made["key"]).status == 200
    assert call("DELETE", path, token=token(boss)).status == 204
    assert told(orders(made["key"])) == (401, "bad_key")
    assert listed(boss) == []
    assert told(call("DELETE", path, token=token(boss))) == (404, "not_found")
    assert told(rotate(boss, made["key_id"])) == (404, "not_found")
    assert told(make(boss, key="make-it-1")) == (404, "not_found"), "a late repeat brings none back"


@pytest.mark.parametrize("how", ["dismissed", "leaves", "a manager now", "by an operator"])
def test_a_key_dies_with_its_makers_post(cloud: str, how: str) -> None:
    """Whoever was shown it may not hold it any more. What another owner made or rotated since goes on."""
    shop = people.merchant().merchant_id
    boss, other = owner(shop), owner(shop)
    seen, taken_over, others = make(boss).json, make(boss).json, make(other).json
    renewed = rotate(other, taken_over["key_id"]).json["key"]
    assert orders(taken_over["key"]).status == 200, "for the overlap"
    person = f"/v1/merchant/staff/{boss.account_id}"
    if how == "dismissed":
        done = call("DELETE", person, token=token(other))
    elif how == "leaves":
        done = call("DELETE", f"/v1/me/posts/{shop}", token=token(boss))
    elif how == "a manager now":
        done = call("PUT", person, {"post": "manager"}, token=token(other))
    else:
        path = f"/v1/operator/accounts/{boss.account_id}/roles/merchant_staff"
        done = call("DELETE", path, token=people.operator().token)
    assert done.status in (200, 204), done
    for shown in (seen["key"], taken_over["key"]):
        assert told(orders(shown)) == (401, "bad_key"), "nor by the secret from before"
    assert (orders(renewed).status, orders(others["key"]).status) == (200, 200)
    assert {one["key_id"] for one in listed(other)} == {taken_over["key_id"], others["key_id"]}


def test_who_is_dismissed_while_making_a_key_leaves_none_behind(cloud: str) -> None:
    """Both orders of the race: where the key came first it dies with the post, else it is never made."""
    for _ in range(4):
        shop = people.merchant().merchant_id
        boss, other = owner(shop), owner(shop)
        ready = Barrier(2)

        def dismissing(path: str, by: people.Person, ready: Barrier = ready) -> Answer:
            ready.wait()
            return call("DELETE", path, token=token(by))

        def making(by: people.Person, ready: Barrier = ready) -> Answer:
            ready.wait()
            return make(by)

        with ThreadPoolExecutor(2) as pool:
            made = pool.submit(making, boss)
            gone = pool.submit(dismissing, f"/v1/merchant/staff/{boss.account_id}", other)
        assert gone.result().status == 204
        assert made.result().status in (201, 403), made.result()
        assert listed(other) == []
        if made.result().status == 201:
            assert told(orders(made.result().json["key"])) == (401, "bad_key")


def test_a_merchant_has_ten_keys_raced_or_not(cloud: str) -> None:
    shop = people.merchant().merchant_id
    boss = owner(shop)
    for _ in range(8):
        keyed.key(shop, by=boss.account_id)
    ready = Barrier(4)

    def rival(number: int) -> Answer:
        ready.wait()
        return make(boss, key=f"rival-no-{number}")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(rival, range(4)))
    assert sorted(told(one) for one in answers) == [(201, "")] * 2 + [(409, "too_many_keys")] * 2
    assert len(listed(boss)) == 10
    assert call("DELETE", f"{KEYS}/{listed(boss)[0]['key_id']}", token=token(boss)).status == 204
    assert make(boss).status == 201


def test_a_key_may_come_from_its_networks_alone(cloud: str) -> None:
    boss = owner(people.merchant().merchant_id)
    here = make(boss, networks=["127.0.0.0/8", "2001:db8::/32"]).json
    assert here["networks"] == ["127.0.0.0/8", "2001:db8::/32"]
    assert orders(here["key"]).status == 200
    assert told(orders(make(boss, networks=["203.0.113.7"]).json["key"])) == (403, "key_from_elsewhere")


def test_its_last_use_is_written_once_an_hour(cloud: str, noon: clock.Fixed) -> None:
    boss = owner(people.merchant().merchant_id)
    made = make(boss).json
    assert "last_used_at" not in listed(boss)[0]
    writes = dump.Writes()
    with aws.hooked(writes):
        for _ in range(5):
            assert orders(made["key"]).status == 200
            noon.advance(timedelta(minutes=10))
        assert len(writes.seen) == 1
        noon.advance(timedelta(minutes=10))
        assert orders(made["key"]).status == 200
        assert len(writes.seen) == 2
    assert listed(boss)[0]["last_used_at"] == "2026-11-22T05:00:00.000Z"
    rotate(boss, made["key_id"])
    assert listed(boss)[0]["last_used_at"] == "2026-11-22T05:00:00.000Z", "a rotation forgets nothing"


def test_two_calls_at_once_write_one_use_and_both_are_served(cloud: str, noon: clock.Fixed) -> None:
    made = make(owner(people.merchant().merchant_id)).json
    key = store.load(made["key_id"])
    assert key is not None
    admission._note(key)
    writes = dump.Writes()
    with aws.hooked(writes):
        admission._note(key)  # As it was read before the first one wrote.
    assert writes.seen == []
    assert orders(made["key"]).status == 200


def test_guesses_are_told_to_wait_and_a_right_key_never_is(cloud: str, noon: clock.Fixed) -> None:
    boss = owner(people.merchant().merchant_id)
    made = make(boss).json

    def guess() -> Answer:
        return orders(domain.written(made["key_id"], ids.random_bytes(domain.SECRET_BYTES)))

    assert [told(guess()) for _ in range(100)] == [(401, "bad_key")] * 100
    full = guess()
    assert (told(full), full.headers["retry-after"]) == ((429, "too_many_requests"), "600")
    writes = dump.Writes()
    with aws.hooked(writes):
        assert told(guess()) == (429, "too_many_requests")
        assert orders(made["key"][:-1] + "0").status == 401
    assert writes.seen == [], "beyond the limit nothing is written"
    assert orders(made["key"]).status == 200
    noon.advance(timedelta(minutes=10))
    assert told(guess()) == (401, "bad_key")


def test_what_a_call_by_a_key_costs(cloud: str, noon: clock.Fixed) -> None:
    """Exactly: a strong read; the hour's first use writes it. A guess: the read and a count; a typo: nothing."""
    shop = people.merchant().merchant_id
    boss = owner(shop)
    held = token(boss)
    made = make(boss).json
    call("GET", ORDERS, token=held)  # The process reads its secrets, and who the owner is.

    def cost(shown: str | None, status: int) -> tuple[int, float, float]:
        with metering.measured() as meter:
            answer = orders(shown) if shown else call("GET", ORDERS, token=held)
        assert answer.status == status
        return meter.figures

    calls, writes, reads = cost(None, 200)
    assert cost(made["key"], 200) == (calls + 2, writes + 1, reads + 1)
    assert cost(made["key"], 200) == (calls + 1, writes, reads + 1)
    assert cost(domain.written(made["key_id"], bytes(20)), 401) == (2, 1, 1)
    assert cost(domain.written(ids.derived_id("key", "nobody's"), bytes(20)), 401) == (2, 1, 1)
    assert cost(made["key"][:-1] + ("0" if made["key"][-1] != "0" else "1"), 401) == (0, 0, 0)
    with metering.measured() as meter:
        assert keyed.ask(made["key"], "GET", "/v1/me").status == 401
    assert meter.figures == (0, 0, 0)
    with metering.measured() as meter:
        assert make(boss).status == 201
    # Key, ring, maker, merchant are read; two are written, one is held; and the audit's line.
    assert meter.figures == (5, 8, 3.5)
    with metering.measured() as meter:
        assert call("DELETE", f"{KEYS}/{made['key_id']}", token=held).status == 204
    assert meter.figures == (3, 6, 2), "ring and key are read, and written, with the audit's line"


def test_what_it_costs_that_an_owner_goes(cloud: str) -> None:
    """Asking and holding the ring of keys; two units more for each key that dies."""
    shop = people.merchant().merchant_id
    boss, held = owner(shop), token(owner(shop))

    def cost(person: people.Person) -> tuple[int, float, float]:
        with metering.measured() as meter:
            assert call("DELETE", f"/v1/merchant/staff/{person.account_id}", token=held).status == 204
        return meter.figures

    cost(owner(shop, Post.CLERK))  # Who asks is remembered from here on.
    calls, writes, reads = cost(owner(shop, Post.CLERK))
    assert cost(owner(shop)) == (calls + 1, writes + 2, reads + 1), "a ring that is not there"
    make(boss)
    assert cost(boss) == (calls + 1, writes + 4, reads + 1)


def test_what_a_key_changes_counts_for_the_limits_of_requests(
    cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each key by itself: one system that runs wild stands in no other's way."""
    monkeypatch.setenv("BIANDAN_REQUEST_FACTOR", "1")
    shop = people.merchant().merchant_id
    wild, calm = keyed.key(shop)[1], keyed.key(shop)[1]

    def begin(shown: str) -> int:
        return keyed.ask(shown, "POST", "/v1/merchant/imports", {"size_bytes": 0}).status

    assert [begin(wild) for _ in range(22)] == [422] * 20 + [429] * 2
    assert begin(calm) == 422
    assert orders(wild).status == 200, "reading is free"

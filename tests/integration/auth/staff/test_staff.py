"""A merchant's people: invited, moved, dismissed, at one merchant or several; and nobody by a token alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

from chalicelib.auth import living, store
from chalicelib.auth import service as auth
from chalicelib.auth.employment import Employment
from chalicelib.auth.staff import store as rosters
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, people
from tests.support.http import Answer, call
from tools.bench import metering

STAFF, POSTS = "/v1/merchant/staff", "/v1/me/posts"


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def token(person: people.Person) -> str:
    """A token of this moment that says nothing of posts: nobody believes it anyway."""
    return people.token(person.account_id, Role.BUYER)


def employed(merchant_id: str, post: Post = Post.OWNER) -> people.Person:
    """Somebody who works for a merchant, and stands in its roster."""
    person = people.buyer()
    auth.grant(person.account_id, Role.MERCHANT_STAFF, merchant_id, post=post)
    return person


def posts(person: people.Person) -> list[dict[str, str]]:
    found: list[dict[str, str]] = call("GET", "/v1/me", token=token(person)).json["posts"]
    return found


# --- the last owner ---------------------------------------------------------------------------------------------------


def test_the_last_owner_neither_leaves_nor_steps_down(cloud: str) -> None:
    shop = people.merchant()
    owner, clerk = employed(shop.merchant_id), employed(shop.merchant_id, Post.CLERK)
    own, leave = f"{STAFF}/{owner.account_id}", f"{POSTS}/{shop.merchant_id}"
    before = dump.tables()
    for refused in (
        call("DELETE", leave, token=token(owner)),
        call("DELETE", own, token=token(owner)),
        call("PUT", own, {"post": "manager"}, token=token(owner)),
    ):
        assert told(refused) == (409, "last_owner")
    assert dump.differences(before, dump.tables()) == []
    assert call("PUT", f"{STAFF}/{clerk.account_id}", {"post": "owner"}, token=token(owner)).status == 200
    assert call("DELETE", leave, token=token(owner)).status == 204
    assert call("DELETE", leave, token=token(owner)).status == 404
    assert posts(clerk) == [{"merchant_id": shop.merchant_id, "post": "owner"}]


def test_of_two_owners_who_leave_at_once_one_stays(cloud: str) -> None:
    shop = people.merchant()
    owners = [employed(shop.merchant_id), employed(shop.merchant_id)]
    ready = Barrier(2)

    def leave(person: people.Person) -> Answer:
        ready.wait()
        return call("DELETE", f"{POSTS}/{shop.merchant_id}", token=token(person))

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(leave, owners))
    assert sorted(answer.status for answer in answers) == [204, 409], answers
    assert rosters.load(shop.merchant_id).is_owned


def test_operators_may_take_the_last_owners_post(cloud: str) -> None:
    """Whoever should not have it is out at once; two operators give it to somebody else."""
    shop = people.merchant()
    owner = employed(shop.merchant_id)
    path = f"/v1/operator/accounts/{owner.account_id}/roles/merchant_staff"
    assert call("DELETE", path, token=people.operator().token).status == 200
    assert (rosters.load(shop.merchant_id).members, posts(owner)) == ((), [])


# --- several merchants ------------------------------------------------------------------------------------------------


def test_who_works_for_several_says_for_which(cloud: str) -> None:
    tea, cups = people.merchant("Tea"), people.merchant("Cups")
    person = employed(tea.merchant_id)
    auth.grant(person.account_id, Role.MERCHANT_STAFF, cups.merchant_id, post=Post.CLERK)

    def profile(**headers: str) -> Answer:
        return call("GET", "/v1/merchant/profile", token=token(person), headers=headers)

    unsaid = profile()
    assert told(unsaid) == (409, "merchant_not_chosen")
    assert unsaid.json["merchant_ids"] == [tea.merchant_id, cups.merchant_id]
    for shop in (tea, cups):
        assert profile(**{"x-merchant-id": shop.merchant_id}).json["merchant_id"] == shop.merchant_id
    for nobodys in (people.merchant().merchant_id, ids.new_id("mer"), "", "mer_1", f"{tea.merchant_id}, x"):
        assert told(profile(**{"x-merchant-id": nobodys})) == (403, "forbidden"), nobodys
    sent = {"x-merchant-id": cups.merchant_id}
    refused = call("PATCH", "/v1/merchant/profile", {"description": "x"}, token=token(person), headers=sent)
    assert told(refused) == (403, "post_needed")
    assert refused.json["posts"] == "owner, manager"


def test_who_works_for_one_merchant_need_not_say_so(cloud: str) -> None:
    shop, person = people.merchant(), people.buyer()
    auth.grant(person.account_id, Role.MERCHANT_STAFF, shop.merchant_id, post=Post.FINANCE)
    assert call("GET", "/v1/merchant/profile", token=token(person)).json["merchant_id"] == shop.merchant_id


# --- within a minute --------------------------------------------------------------------------------------------------


def test_who_is_dismissed_elsewhere_is_out_within_half_a_minute(cloud: str, noon: clock.Fixed) -> None:
    """Another process dismisses: this one knows nothing of it, and holds a token that is good for ten minutes."""
    shop = people.merchant()
    person = employed(shop.merchant_id, Post.CLERK)
    held = token(person)
    assert call("GET", "/v1/merchant/orders", token=held).status == 200
    kept = dict(living._kept)
    auth.revoke(person.account_id, Role.MERCHANT_STAFF)
    living._kept.update(kept)
    noon.advance(timedelta(seconds=29))
    assert call("GET", "/v1/merchant/orders", token=held).status == 200
    noon.advance(timedelta(seconds=1))
    assert told(call("GET", "/v1/merchant/orders", token=held)) == (403, "forbidden")


def test_who_signed_out_everywhere_is_no_staff_by_an_older_token(cloud: str, noon: clock.Fixed) -> None:
    shop = people.merchant()
    person = employed(shop.merchant_id)
    account = auth.account(person.account_id)
    from chalicelib.auth import tokens
    from chalicelib.runtime.http.access import Caller

    old = tokens.access_token(Caller(person.account_id, frozenset({"buyer"}), session_id="ses_1", epoch=account.epoch))
    assert call("GET", "/v1/merchant/profile", token=old).status == 200
    auth.sign_out_everywhere(person.account_id)
    noon.advance(timedelta(seconds=30))
    assert told(call("GET", "/v1/merchant/profile", token=old)) == (401, "unauthenticated")


def test_a_new_post_counts_at_once(cloud: str, noon: clock.Fixed) -> None:
    """Nobody is refused by what is remembered: the account is asked once more."""
    shop = people.merchant()
    owner, person = employed(shop.merchant_id), employed(shop.merchant_id, Post.CLERK)
    held = token(person)
    assert told(call("GET", STAFF, token=held)) == (403, "post_needed")
    kept = dict(living._kept)
    assert call("PUT", f"{STAFF}/{person.account_id}", {"post": "owner"}, token=token(owner)).status == 200
    living._kept.update(kept)
    assert call("GET", STAFF, token=held).status == 200


def test_what_it_costs_to_ask_who_is_staff(cloud: str, noon: clock.Fixed) -> None:
    person = employed(people.merchant().merchant_id)
    held = token(person)
    call("GET", "/v1/merchant/orders", token=held)  # The process reads its secrets.
    with metering.measured() as warm:
        assert call("GET", "/v1/merchant/orders", token=held).status == 200
    noon.advance(timedelta(seconds=30))
    with metering.measured() as cold:
        assert call("GET", "/v1/merchant/orders", token=held).status == 200
    assert (cold.calls - warm.calls, cold.write_units, cold.read_units - warm.read_units) == (1, 0, 0.5)
    stranger = people.buyer().token
    with metering.measured() as refused:
        assert call("GET", "/v1/merchant/orders", token=stranger).status == 403
    assert (refused.calls, refused.write_units, refused.read_units) == (1, 0, 0.5)
    with metering.measured() as again:
        assert call("GET", "/v1/merchant/orders", token=stranger).status == 403
    assert (again.calls, again.write_units, again.read_units) == (1, 0, 1)


# --- before there were posts ------------------------------------------------------------------------------------------


def test_staff_of_before_is_owner_and_enters_the_roster_when_it_comes(cloud: str) -> None:
    shop = people.merchant()
    first = people.person(Role.MERCHANT_STAFF, merchant_id=shop.merchant_id)
    second = people.person(Role.MERCHANT_STAFF, merchant_id=shop.merchant_id)
    for person in (first, second):
        assert call("GET", "/v1/merchant/profile", token=person.token).status == 200
    listed = call("GET", STAFF, token=first.token).json["items"]
    assert {(one["account_id"], one["post"]) for one in listed} == {
        (first.account_id, "owner"),
        (second.account_id, "owner"),
    }
    before = dump.tables()
    assert call("GET", "/v1/merchant/profile", token=first.token).status == 200
    assert dump.differences(before, dump.tables()) == [], "once"


def test_code_from_before_takes_nobody_for_more_than_they_are(cloud: str) -> None:
    """It reads roles and the merchant alone, and writes back without the rest."""
    shop = people.merchant().merchant_id
    for account_id, allowed in (
        (employed(shop, Post.CLERK).account_id, (Role.BUYER,)),
        (employed(shop, Post.OWNER).account_id, (Role.BUYER, Role.MERCHANT_STAFF)),
        (people.operator(Desk.SUPPORT).account_id, (Role.BUYER,)),
        (people.operator(Desk.ADMIN).account_id, (Role.BUYER, Role.OPERATOR)),
    ):
        row = reads.get(store.AccountRow, account_id, store.ACCOUNT)
        assert row is not None
        assert (row.roles, row.merchant_id) == (allowed, shop if Role.MERCHANT_STAFF in allowed else None)
        row.posts = row.desks = None
        left = store.account_of_row(row)
        assert left.employments == ((Employment(shop, Post.OWNER),) if Role.MERCHANT_STAFF in allowed else ())
        assert left.at_desks == ({Desk.ADMIN} if Role.OPERATOR in allowed else set())


# --- operators' desks -------------------------------------------------------------------------------------------------


def test_an_operator_acts_at_his_desk(cloud: str) -> None:
    support, admin = people.operator(Desk.SUPPORT), people.operator()
    assert call("GET", "/v1/operator/cases", token=support.token).status == 200
    refused = call("GET", "/v1/operator/audit", token=support.token)
    assert (told(refused), refused.json["desks"]) == ((403, "desk_needed"), "admin")
    assert call("GET", "/v1/operator/audit", token=admin.token).status == 200


def test_a_desk_takes_two_as_well(cloud: str) -> None:
    ann, ben, new = people.operator(), people.operator(), people.buyer()
    asking = {"role": "operator", "desk": "finance", "reason": "She keeps the books."}
    path = f"/v1/operator/accounts/{new.account_id}/role-requests"
    request_id = call("POST", path, asking, token=ann.token).json["request_id"]
    assert call("POST", f"/v1/operator/role-requests/{request_id}/approve", token=ben.token).status == 200
    assert call("GET", "/v1/me", token=token(new)).json["desks"] == ["finance"]
    money = people.token(new.account_id, Role.BUYER, Role.OPERATOR)
    assert call("GET", "/v1/operator/reconciliations?provider=sandbox&day=2026-11-22", token=money).status == 200
    assert told(call("POST", path, asking, token=money)) == (403, "desk_needed")


def test_an_account_that_was_written_without_posts_loses_none(cloud: str) -> None:
    """Changing a nickname writes the whole row."""
    shop, person = people.merchant(), people.buyer()
    auth.grant(person.account_id, Role.MERCHANT_STAFF, shop.merchant_id, post=Post.CLERK)
    assert call("PATCH", "/v1/me", {"nickname": "Wang"}, token=token(person)).status == 200
    account = auth.account(person.account_id)
    assert account.employments == (Employment(shop.merchant_id, Post.CLERK),)
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, nickname="Li")))
    assert posts(person) == [{"merchant_id": shop.merchant_id, "post": "clerk"}]

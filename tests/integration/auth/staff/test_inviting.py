"""Invitations: by message to a contact, for whoever has shown it theirs, once; the inviter learns nothing by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from chalicelib.auth import living, store, throttles
from chalicelib.auth import service as auth
from chalicelib.auth.staff import domain
from chalicelib.auth.staff import store as rosters
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Post, Role
from chalicelib.notifications import service as notifications
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, joining, people
from tests.support.http import Answer, call
from tests.support.letters import post_office, token_in, waiting
from tools.bench import metering

STAFF, POSTS = "/v1/merchant/staff", "/v1/me/posts"
MEI = "mei@example.com"
"""Whom most invitations are for: each test has tables of its own."""


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def employed(merchant_id: str, post: Post = Post.OWNER) -> people.Person:
    """Somebody who works for a merchant, and stands in its roster."""
    person = people.buyer()
    auth.grant(person.account_id, Role.MERCHANT_STAFF, merchant_id, post=post)
    return person


def owning() -> tuple[str, people.Person]:
    """A merchant and its owner."""
    merchant_id = people.merchant().merchant_id
    return merchant_id, employed(merchant_id)


def token(person: people.Person) -> str:
    return people.token(person.account_id, Role.BUYER)


def invite(owner: people.Person, contact: str = MEI, post: str = "clerk", **more: Any) -> Answer:
    return call("POST", f"{STAFF}/invitations", {"post": post, "contact": contact}, token=token(owner), **more)


def sent(made: Answer, contact: str = MEI) -> str:
    """Return the token as its reader copies it out of the message."""
    assert made.status == 201, made
    return token_in(waiting(contact, f"invitation#{made.json['invitation_id']}"))


def accept(person: people.Person, invitation: str) -> Answer:
    return call("POST", POSTS, {"token": invitation}, token=token(person))


def test_who_is_invited_by_message_accepts_once(cloud: str, noon: clock.Fixed) -> None:
    shop, owner = owning()
    mei, other = people.reachable(MEI), people.reachable("li@example.com")
    made = invite(owner, "Mei@Example.com ", key="invite-her-1")
    assert (made.status, made.json) == (
        201,
        {
            "invitation_id": made.json["invitation_id"],
            "post": "clerk",
            "by": owner.account_id,
            "at": "2026-11-22T04:00:00.000Z",
            "expires_at": "2026-11-25T04:00:00.000Z",
            "contact": "m***@example.com",
        },
    )
    again = invite(owner, "Mei@Example.com ", key="invite-her-1")
    assert (again.json, again.headers["idempotency-replayed"]) == (made.json, "true")
    assert told(invite(owner, MEI, "owner", key="invite-her-1")) == (422, "idempotency_key_reused")
    listed = call("GET", STAFF, token=token(owner)).json
    assert listed["invitations"] == [made.json]
    invitation = sent(made)
    kept = str(dump.tables())
    assert invitation not in kept
    assert MEI not in kept

    assert told(accept(other, invitation)) == (409, "invited_elsewhere")
    typed = f" {invitation[:5].upper()}-{invitation[5:10]} {invitation[10:]}"
    taken = accept(mei, typed)
    assert (taken.status, taken.json) == (201, {"merchant_id": shop, "post": "clerk"})
    assert accept(mei, invitation).json == taken.json
    assert told(accept(other, invitation)) == (422, "bad_invitation")
    assert told(invite(owner, "Mei@Example.com ", key="invite-her-1")) == (404, "not_found"), "a late repeat: none"
    listed = call("GET", STAFF, token=token(owner)).json
    assert [(one["account_id"], one["post"], one["by"]) for one in listed["items"]] == [
        (owner.account_id, "owner", "system"),
        (mei.account_id, "clerk", owner.account_id),
    ]
    assert listed["invitations"] == []
    assert call("GET", "/v1/merchant/orders", token=token(mei)).status == 200


def test_the_message_says_who_invites_as_what_and_how_long(cloud: str) -> None:
    shop = people.merchant("Tea House 茶庄").merchant_id
    owner = employed(shop)
    with post_office() as office:
        for contact, language, words in (
            (MEI, "en", ("Tea House 茶庄 invites you as manager", "within 3 days")),
            ("+8613800138000", "zh", ("Tea House 茶庄邀请您担任店长", "3 天内有效")),
        ):
            body = {"post": "manager", "contact": contact, "language": language}
            made = call("POST", f"{STAFF}/invitations", body, token=token(owner))
            assert made.status == 201, made
            fact = f"invitation#{made.json['invitation_id']}"
            kind = notifications.Kind.EMAIL if "@" in contact else notifications.Kind.SMS
            asked = notifications.Asked(kind, contact, "", "", fact, clock.now(), {})
            said = waiting(contact, fact)
            notifications.send(notifications.message_id_of(asked))
            (letter,) = office.mailbox.letters(contact)
            for word in (*words, token_in(said)):
                assert word in letter.text, letter
    assert made.json["contact"] == "+86138****8000"


def test_nothing_tells_whether_a_contact_has_an_account(cloud: str, noon: clock.Fixed) -> None:
    """The same answer, the same calls and units, the same words; a stranger registers with it and takes the post."""
    joining.register(MEI, "correct horse battery")
    invite(owning()[1], "warm@example.com")
    figures, answers = [], []
    for contact in (MEI, "nob@example.com"):
        _, owner = owning()
        call("GET", STAFF, token=token(owner))  # Who the owner is, is remembered.
        with metering.measured() as meter:
            answers.append(invite(owner, contact))
        figures.append(meter.figures)
        assert "has an account" not in waiting(contact, f"invitation#{answers[-1].json['invitation_id']}")
    assert figures[0] == figures[1]
    assert answers[0].json.keys() == answers[1].json.keys()
    invitation = sent(answers[1], "nob@example.com")
    assert joining.register("nob@example.com", "correct horse battery").status == 201
    new = auth.account_with("nob@example.com")
    assert call("POST", POSTS, {"token": invitation}, token=people.token(new.account_id)).status == 201


@pytest.mark.parametrize(
    "what",
    ["taken back", "three days", "its owner left", "its owner is a clerk now", "forged", "another one since"],
)
def test_an_invitation_that_is_not_good_gives_nothing(cloud: str, noon: clock.Fixed, what: str) -> None:
    shop, owner = owning()
    boss, mei = employed(shop), people.reachable(MEI)
    made = invite(owner)
    invitation = sent(made)
    if what == "taken back":
        path = f"{STAFF}/invitations/{made.json['invitation_id']}"
        assert call("DELETE", path, token=token(boss)).status == 204
        assert call("DELETE", path, token=token(boss)).status == 404
    elif what == "three days":
        noon.advance(timedelta(days=3))
    elif what == "its owner left":
        assert call("DELETE", f"{POSTS}/{shop}", token=token(owner)).status == 204
    elif what == "its owner is a clerk now":
        path = f"{STAFF}/{owner.account_id}"
        assert call("PUT", path, {"post": "clerk"}, token=token(boss)).json["post"] == "clerk"
    elif what == "another one since":
        assert len(rosters.load(shop).invitations) == 1
        assert invite(boss, MEI, "manager").status == 201
        assert [one.post for one in rosters.load(shop).invitations] == [Post.MANAGER]
    else:
        invitation = invitation[:-1] + ("0" if invitation[-1] != "0" else "1")
    before = dump.tables()
    assert told(accept(mei, invitation)) == (422, "bad_invitation")
    assert told(accept(mei, "x" * 30)) == (422, "bad_invitation")
    assert dump.differences(before, dump.tables()) == []


def test_it_is_for_a_contact_that_was_shown_not_for_one_that_is_written_down(cloud: str) -> None:
    """An account that names the contact without having verified it takes nothing; the same one, verified, does."""
    _, owner = owning()
    mei = people.reachable(MEI)
    account = auth.account(mei.account_id)
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, email_verified_at=None)))
    invitation = sent(invite(owner))
    before = dump.tables()
    assert told(accept(mei, invitation)) == (409, "invited_elsewhere")
    assert dump.differences(before, dump.tables()) == []
    account = auth.account(mei.account_id)
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, email_verified_at=clock.now())))
    assert accept(mei, invitation).status == 201


def test_one_invitation_raced_lets_one_in(cloud: str) -> None:
    """Four accounts that all have shown the contact: more than there can be, and still one."""
    shop, owner = owning()
    invitation = sent(invite(owner))
    rivals = [people.reachable(MEI) for _ in range(4)]
    ready = Barrier(len(rivals))

    def rival(person: people.Person) -> Answer:
        ready.wait()
        return accept(person, invitation)

    with ThreadPoolExecutor(len(rivals)) as pool:
        answers = list(pool.map(rival, rivals))
    assert sorted(answer.status for answer in answers) == [201, 422, 422, 422], answers
    assert len(rosters.load(shop).members) == 2


def test_only_owners_let_people_in(cloud: str) -> None:
    shop, owner = owning()
    for post in (Post.MANAGER, Post.CLERK, Post.FINANCE):
        one = employed(shop, post)
        before = dump.tables()
        assert told(invite(one)) == (403, "post_needed")
        assert told(call("GET", STAFF, token=token(one))) == (403, "post_needed")
        path = f"{STAFF}/{owner.account_id}"
        assert told(call("DELETE", path, token=token(one))) == (403, "post_needed")
        assert told(call("PUT", f"{STAFF}/{one.account_id}", {"post": "owner"}, token=token(one)))[0] == 403
        assert dump.differences(before, dump.tables()) == []


def test_who_was_dismissed_elsewhere_invites_nobody_in_the_half_minute(cloud: str) -> None:
    """Another process dismissed: this one remembers an owner, and the account says otherwise when it is written."""
    shop, owner = owning()
    employed(shop)
    assert invite(owner, "first@example.com").status == 201
    kept = dict(living._kept)
    auth.revoke(owner.account_id, Role.MERCHANT_STAFF)
    living._kept.update(kept)
    before = dump.tables("identities")
    assert told(invite(owner)) == (403, "forbidden")
    assert dump.differences(before, dump.tables("identities")) == []


def test_no_operator_takes_a_post(cloud: str) -> None:
    _, owner = owning()
    mei, desk = people.reachable(MEI), people.reachable(MEI)
    auth.grant(desk.account_id, Role.OPERATOR)
    invitation = sent(invite(owner))
    assert told(accept(desk, invitation)) == (409, "operator_not_staff")
    assert accept(mei, invitation).status == 201, "it stayed good"


def test_the_last_owner_takes_no_lower_post(cloud: str) -> None:
    shop = people.merchant().merchant_id
    owner = people.reachable(MEI)
    auth.grant(owner.account_id, Role.MERCHANT_STAFF, shop)
    invitation = sent(invite(owner))
    before = dump.tables()
    assert told(accept(owner, invitation)) == (409, "last_owner")
    assert dump.differences(before, dump.tables()) == []


def test_so_many_invitations_wait_and_so_many_are_sent_at_most(cloud: str, noon: clock.Fixed) -> None:
    shop, owner = owning()
    made = [invite(owner, f"{number}@example.com") for number in range(21)]
    assert [answer.status for answer in made] == [201] * 20 + [409]
    assert made[-1].json["code"] == "too_many_invitations"
    for _ in range(29):
        throttles.count(domain.INVITED_BY_MERCHANT, shop)
    before = dump.tables()
    assert told(invite(owner, "last@example.com")) == (429, "too_many_requests")
    assert dump.differences(before, dump.tables()) == []
    answers = [invite(owning()[1], "pestered@example.com") for _ in range(6)]
    assert [answer.status for answer in answers] == [201] * 5 + [429], "whoever invites"


@pytest.mark.parametrize("contact", ["", "mei", "mei@", "+861", "mei@example.com, li@example.com", "a\n@example.com"])
def test_a_contact_that_nobody_has_is_refused(cloud: str, contact: str) -> None:
    _, owner = owning()
    before = dump.tables()
    assert invite(owner, contact).status == 422
    assert dump.differences(before, dump.tables()) == []


def test_where_no_message_goes_nobody_is_invited(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, owner = owning()

    def missing(kind: notifications.Kind) -> None:
        raise notifications.ChannelMissing(kind=kind.value)

    monkeypatch.setattr(notifications, "check_reaches", missing)
    before = dump.tables()
    assert told(invite(owner)) == (503, "channel_missing")
    assert dump.differences(before, dump.tables()) == []


def test_what_an_invitation_costs(cloud: str, noon: clock.Fixed) -> None:
    """Exactly. Two limits; roster, what the token leads to and the message in one transaction; the inviter is held."""
    _, owner = owning()
    held = token(owner)
    call("GET", STAFF, token=held)

    def cost(status: int, method: str, path: str, body: Any = None, who: str = held) -> tuple[int, float, float]:
        with metering.measured() as meter:
            answer = call(method, path, body, token=who)
        assert answer.status == status, answer
        return meter.figures

    mei = people.reachable(MEI)
    assert cost(201, "POST", f"{STAFF}/invitations", {"post": "clerk", "contact": MEI}) == (8, 10, 4)
    (one,) = call("GET", STAFF, token=held).json["invitations"]
    invitation = token_in(waiting(MEI, f"invitation#{one['invitation_id']}"))
    assert cost(422, "POST", POSTS, {"token": "0" * 20}, mei.token) == (1, 0, 1)
    assert cost(201, "POST", POSTS, {"token": invitation}, mei.token) == (4, 10, 3)  # Four are the audit's.
    assert cost(404, "DELETE", f"{STAFF}/invitations/{ids.new_id('inv')}") == (1, 0, 1)
